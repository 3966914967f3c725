"""What Manila has no word for: the routes below /roadstead/v1. They have no microversions."""

from typing import Any

from roadstead.api.handlers import access, attachments, gateways, operations, roads
from roadstead.api.route import V1, Route

_SHARE = "/shares/{share_id}"
_V1: dict[str, Any] = {"prefix": V1}

# fmt: off
ROUTES_V1: list[Route] = [
    Route(method="GET", path="/operations", handler=operations.index, **_V1,
          policy="roadstead:operation:index"),
    Route(method="GET", path="/operations/{operation_id}", handler=operations.show, **_V1,
          policy="roadstead:operation:show"),
    Route(method="GET", path="/drift", handler=operations.drift_index, **_V1,
          policy="roadstead:drift:index"),
    Route(method="GET", path=f"{_SHARE}/explain", handler=roads.explain, **_V1,
          policy="roadstead:share:explain"),
    Route(method="GET", path=f"{_SHARE}/probe", handler=roads.last_probe, **_V1,
          policy="roadstead:share:get_probe"),
    Route(method="POST", path=f"{_SHARE}/probe", handler=roads.probe, status=202, **_V1,
          policy="roadstead:share:probe"),
    Route(method="POST", path=f"{_SHARE}/users", handler=access.admit_user, status=202, body=True,
          **_V1, policy="share:allow_access"),
    Route(method="GET", path="/gateways", handler=gateways.index, **_V1,
          policy="roadstead:gateway:index"),
    Route(method="POST", path="/attachments", handler=attachments.create, status=202, body=True,
          **_V1, policy="roadstead:attachment:create"),
    Route(method="GET", path="/attachments", handler=attachments.index, **_V1,
          policy="roadstead:attachment:get"),
    Route(method="GET", path="/attachments/{attachment_id}", handler=attachments.show, **_V1,
          policy="roadstead:attachment:get"),
    Route(method="DELETE", path="/attachments/{attachment_id}", handler=attachments.delete,
          status=202, **_V1, policy="roadstead:attachment:delete"),
    Route(method="GET", path="/vms", handler=attachments.vms, **_V1,
          policy="roadstead:vm:index"),
    Route(method="GET", path="/vms/{vm}/hosts", handler=attachments.placement, **_V1,
          policy="roadstead:vm:hosts"),
    Route(method="POST", path="/vms/{vm}/migrations", handler=attachments.migrate, status=202,
          body=True, **_V1, policy="roadstead:vm:migrate"),
    Route(method="DELETE", path="/vms/{vm}/migrations", handler=attachments.stay, status=202, **_V1,
          policy="roadstead:vm:migrate"),
]
