"""Routes of share networks, subnets, security services and share servers."""

from typing import Any

from roadstead.api.handlers import (
    metadata,
    network_ids,
    security_services,
    share_networks,
    share_servers,
    subnets,
)
from roadstead.api.route import Route, with_metadata

# fmt: off
_NETWORK = "/share-networks/{share_network_id}"
_ACTION: dict[str, Any] = {"method": "POST", "path": f"{_NETWORK}/action", "body": True}
SHARE_NETWORKS = [
    Route(method="GET", path="/share-networks", handler=share_networks.summary,
          policy="share_network:index"),
    Route(method="POST", path="/share-networks", handler=share_networks.create, body=True,
          policy="share_network:create"),
    Route(method="GET", path="/share-networks/detail", handler=share_networks.detail,
          policy="share_network:detail"),
    Route(method="GET", path=_NETWORK, handler=share_networks.show, policy="share_network:show"),
    Route(method="PUT", path=_NETWORK, handler=share_networks.update, body=True,
          policy="share_network:update"),
    Route(method="DELETE", path=_NETWORK, handler=share_networks.delete, status=202,
          policy="share_network:delete"),
    Route(action="add_security_service", handler=share_networks.add_security_service, **_ACTION,
          policy="share_network:add_security_service"),
    Route(action="remove_security_service", handler=share_networks.remove_security_service,
          policy="share_network:remove_security_service", **_ACTION),
    Route(action="update_security_service", handler=share_networks.update_security_service,
          policy="share_network:update_security_service", min=63, status=202, **_ACTION),
    Route(action="add_security_service_check", handler=share_networks.check_addition,
          policy="share_network:add_security_service_check", min=63, status=202, **_ACTION),
    Route(action="update_security_service_check", handler=share_networks.check_replacement,
          policy="share_network:update_security_service_check", min=63, status=202, **_ACTION),
    Route(action="share_network_subnet_create_check", handler=share_networks.check_subnet,
          policy="share_network:subnet_create_check", min=70, status=202, **_ACTION),
    Route(action="reset_status", handler=share_networks.reset_status, min=63, status=202,
          policy="share_network:reset_status", **_ACTION),
]

_SUBNETS, _SUBNET = f"{_NETWORK}/subnets", f"{_NETWORK}/subnets/{{subnet_id}}"
SUBNETS = [
    Route(method="GET", path=_SUBNETS, handler=subnets.index, min=51,
          policy="share_network_subnet:index"),
    Route(method="POST", path=_SUBNETS, handler=subnets.create, min=51, body=True,
          policy="share_network_subnet:create"),
    Route(method="GET", path=_SUBNET, handler=subnets.show, min=51,
          policy="share_network_subnet:show"),
    Route(method="DELETE", path=_SUBNET, handler=subnets.delete, min=51, status=202,
          policy="share_network_subnet:delete"),
    *with_metadata(_SUBNET, metadata.SUBNETS, "share_network_subnet:get_metadata",
                   "share_network_subnet:update_metadata", "share_network_subnet:delete_metadata",
                   since=78),
]

_SERVICE = "/security-services/{security_service_id}"
SECURITY_SERVICES = [
    Route(method="GET", path="/security-services", handler=security_services.summary,
          policy="security_service:index"),
    Route(method="POST", path="/security-services", handler=security_services.create, body=True,
          policy="security_service:create"),
    Route(method="GET", path="/security-services/detail", handler=security_services.detail,
          policy="security_service:detail"),
    Route(method="GET", path=_SERVICE, handler=security_services.show,
          policy="security_service:show"),
    Route(method="PUT", path=_SERVICE, handler=security_services.update, body=True,
          policy="security_service:update"),
    Route(method="DELETE", path=_SERVICE, handler=security_services.delete, status=202,
          policy="security_service:delete"),
]

_SERVER = "/share-servers/{share_server_id}"
_SERVER_ACTION: dict[str, Any] = {"method": "POST", "path": f"{_SERVER}/action", "body": True,
                                  "status": 202}
SHARE_SERVERS = [
    Route(method="GET", path="/share-servers", handler=share_servers.index,
          policy="share_server:index"),
    Route(method="POST", path="/share-servers/manage", handler=share_servers.manage, min=49,
          status=202, body=True, policy="share_server:manage_share_server"),
    Route(method="GET", path=_SERVER, handler=share_servers.show, policy="share_server:show"),
    Route(method="GET", path=f"{_SERVER}/details", handler=share_servers.backend_details,
          policy="share_server:details"),
    Route(method="DELETE", path=_SERVER, handler=share_servers.delete, status=202,
          policy="share_server:delete"),
    Route(action="reset_status", handler=share_servers.reset_status, min=49,
          policy="share_server:reset_status", **_SERVER_ACTION),
    Route(action="unmanage", handler=share_servers.unmanage, min=49,
          policy="share_server:unmanage_share_server", **_SERVER_ACTION),
    Route(action="reset_task_state", handler=share_servers.reset_task_state, min=57,
          policy="share_server:reset_task_state", experimental_until=99, **_SERVER_ACTION),
]

_ASKED: dict[str, Any] = {"method": "GET", "policy": "share_network:create"}
# Asked by the stock client before it makes a share network, not part of this API.
NETWORK_IDS = [
    Route(path="/v2.0/networks", handler=network_ids.networks, **_ASKED),
    Route(path="/v2.0/networks/{network}", handler=network_ids.network, **_ASKED),
    Route(path="/v2.0/networks/{network}/{label}", handler=network_ids.network, **_ASKED),
    Route(path="/v2.0/subnets", handler=network_ids.subnets, **_ASKED),
    Route(path="/v2.0/subnets/{address}", handler=network_ids.subnet, **_ASKED),
    Route(path="/v2.0/subnets/{address}/{prefix}", handler=network_ids.subnet, **_ASKED),
]
ROUTES_NETWORKS: list[Route] = [
    *SHARE_NETWORKS,
    *SUBNETS,
    *SECURITY_SERVICES,
    *SHARE_SERVERS,
    *NETWORK_IDS,
]
