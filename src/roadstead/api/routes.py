"""THE route table. Everything a client may ask is a row here; what is no row does not exist.

From it come routing, docs/policy.md, docs/openapi.json, and the test that every route refuses a
foreign project. One list per resource; `min` and `max` are minors of microversions (versions.py).
"""

from typing import Any

from roadstead.api.handlers import (
    access,
    availability_zones,
    export_locations,
    extra_specs,
    limits,
    messages,
    metadata,
    pools,
    quota_classes,
    quotas,
    services,
    share_instances,
    shares,
    type_access,
    types,
)
from roadstead.api.route import Route, moved, renamed, with_metadata
from roadstead.api.routes_networks import ROUTES_NETWORKS

# fmt: off
_SHARE_ACTION: dict[str, Any] = {"path": "/shares/{share_id}/action", "status": 202}
SHARES = [
    Route(method="GET", path="/shares", handler=shares.summary, policy="share:get_all"),
    Route(method="POST", path="/shares", handler=shares.create, policy="share:create", body=True),
    Route(method="GET", path="/shares/detail", handler=shares.detail, policy="share:get_all"),
    Route(method="GET", path="/shares/{share_id}", handler=shares.show, policy="share:get"),
    Route(method="PUT", path="/shares/{share_id}", handler=shares.update, policy="share:update",
          body=True),
    Route(method="DELETE", path="/shares/{share_id}", handler=shares.delete, policy="share:delete",
          status=202),
    *renamed("extend", shares.extend, policy="share:extend", **_SHARE_ACTION),
    *renamed("shrink", shares.shrink, policy="share:shrink", **_SHARE_ACTION),
    *renamed("reset_status", shares.reset_status, policy="share:reset_status", **_SHARE_ACTION),
    *renamed("force_delete", shares.force_delete, policy="share:force_delete", **_SHARE_ACTION),
    # The stock client's `share set` always asks for this one too.
    Route(method="POST", action="reset_task_state", min=22, body=True, **_SHARE_ACTION,
          handler=shares.reset_task_state, policy="share:update"),
    *with_metadata("/shares/{share_id}", metadata.SHARES, "share:get_share_metadata",
               "share:update_share_metadata", "share:delete_share_metadata"),
]

_LOCATIONS = "/shares/{share_id}/export_locations"
EXPORT_LOCATIONS = [
    Route(method="GET", path=_LOCATIONS, handler=export_locations.index, min=9,
          policy="share_export_location:index"),
    Route(method="GET", path=f"{_LOCATIONS}/{{location_id}}", handler=export_locations.show, min=9,
          policy="share_export_location:show"),
    *with_metadata(f"{_LOCATIONS}/{{location_id}}", metadata.EXPORT_LOCATIONS,
               "share_export_location:get_metadata", "share_export_location:update_metadata",
               "share_export_location:delete_metadata", since=87),
]

_RULE = "/share-access-rules/{access_id}"
ACCESS = [
    *renamed("allow_access", access.allow, policy="share:allow_access",
             **_SHARE_ACTION | {"status": 200}),
    *renamed("deny_access", access.deny, policy="share:deny_access", **_SHARE_ACTION),
    *renamed("access_list", access.list_of_share, policy="share:access_get_all", max=44,
             **_SHARE_ACTION | {"status": 200}),
    Route(method="GET", path="/share-access-rules", handler=access.index, min=45,
          policy="share_access_rule:index"),
    Route(method="GET", path=_RULE, handler=access.show, min=45, policy="share_access_rule:get"),
    Route(method="PUT", path=_RULE, handler=access.update, min=88, body=True,
          policy="share_access_rule:update"),
    Route(method="PUT", path=f"{_RULE}/metadata", handler=access.merge_metadata, min=45, body=True,
          policy="share_access_metadata:update"),
    Route(method="DELETE", path=f"{_RULE}/metadata/{{key}}", handler=access.delete_metadata, min=45,
          policy="share_access_metadata:delete"),
]

_INSTANCE = "/share_instances/{instance_id}"
_INSTANCE_ACTION: dict[str, Any] = {"path": f"{_INSTANCE}/action", "status": 202, "min": 3}
SHARE_INSTANCES = [
    Route(method="GET", path="/share_instances", handler=share_instances.index, min=3,
          policy="share_instance:index"),
    Route(method="GET", path=_INSTANCE, handler=share_instances.show, min=3,
          policy="share_instance:show"),
    Route(method="GET", path="/shares/{share_id}/instances", handler=share_instances.of_share,
          min=3, policy="share_instance:index"),
    *renamed("reset_status", share_instances.reset_status, policy="share_instance:reset_status",
             **_INSTANCE_ACTION),
    *renamed("force_delete", share_instances.force_delete, policy="share_instance:force_delete",
             **_INSTANCE_ACTION),
    Route(method="GET", path=f"{_INSTANCE}/export_locations", min=9,
          handler=export_locations.of_instance, policy="share_instance_export_location:index"),
    Route(method="GET", path=f"{_INSTANCE}/export_locations/{{location_id}}", min=9,
          handler=export_locations.show_of_instance, policy="share_instance_export_location:show"),
]

# --- types, quotas, messages, services, pools, availability zones, limits -------------------------
# One list per resource, as above; each is named once more in ROUTES.
_TYPE, _TYPE_SPECS = "/types/{type_id}", "/types/{type_id}/extra_specs"
TYPES = [
    Route(method="GET", path="/types", handler=types.index, policy="share_type:index"),
    Route(method="POST", path="/types", handler=types.create, policy="share_type:create",
          body=True),
    Route(method="GET", path="/types/default", handler=types.default, policy="share_type:default"),
    Route(method="GET", path=_TYPE, handler=types.show, policy="share_type:show"),
    Route(method="PUT", path=_TYPE, handler=types.update, policy="share_type:update", min=50,
          body=True),
    Route(method="DELETE", path=_TYPE, handler=types.delete, policy="share_type:delete",
          status=202),
    Route(method="GET", path=f"{_TYPE}/share_type_access", handler=type_access.index,
          policy="share_type:list_project_access"),
    Route(method="GET", path=f"{_TYPE}/os-share-type-access", handler=type_access.index,
          policy="share_type:list_project_access"),
    Route(method="POST", path=f"{_TYPE}/action", action="addProjectAccess", status=202, body=True,
          handler=type_access.add, policy="share_type:add_project_access"),
    Route(method="POST", path=f"{_TYPE}/action", action="removeProjectAccess", status=202,
          body=True, handler=type_access.remove, policy="share_type:remove_project_access"),
]
EXTRA_SPECS = [
    Route(method="GET", path=_TYPE_SPECS, handler=extra_specs.index,
          policy="share_types_extra_spec:index"),
    Route(method="POST", path=_TYPE_SPECS, handler=extra_specs.create, body=True,
          policy="share_types_extra_spec:create"),
    Route(method="GET", path=f"{_TYPE_SPECS}/{{key}}", handler=extra_specs.show,
          policy="share_types_extra_spec:show"),
    Route(method="PUT", path=f"{_TYPE_SPECS}/{{key}}", handler=extra_specs.update, body=True,
          policy="share_types_extra_spec:update"),
    Route(method="DELETE", path=f"{_TYPE_SPECS}/{{key}}", handler=extra_specs.delete, status=202,
          policy="share_types_extra_spec:delete"),
]
_QUOTA: dict[str, Any] = {"path": "/quota-sets/{project_id}",
                          "os_path": "/os-quota-sets/{project_id}"}
_CLASS: dict[str, Any] = {"path": "/quota-class-sets/{class_name}",
                          "os_path": "/os-quota-class-sets/{class_name}"}
QUOTAS = [
    *moved("GET", handler=quotas.show, policy="quota_set:show", **_QUOTA),
    *moved("PUT", handler=quotas.update, policy="quota_set:update", body=True, **_QUOTA),
    *moved("DELETE", handler=quotas.delete, policy="quota_set:delete", status=202, **_QUOTA),
    *moved("GET", "/quota-sets/{project_id}/defaults", "/os-quota-sets/{project_id}/defaults",
           handler=quotas.defaults, policy="quota_set:show"),
    Route(method="GET", path="/quota-sets/{project_id}/detail", handler=quotas.detail, min=25,
          policy="quota_set:show"),
    *moved("GET", handler=quota_classes.show, policy="quota_class_set:show", **_CLASS),
    *moved("PUT", handler=quota_classes.update, policy="quota_class_set:update", body=True,
           **_CLASS),
    Route(method="GET", path="/limits", handler=limits.index, policy=None),
]
MESSAGES = [
    Route(method="GET", path="/messages", handler=messages.index, min=37, policy="message:get_all"),
    Route(method="GET", path="/messages/{message_id}", handler=messages.show, min=37,
          policy="message:get"),
    Route(method="DELETE", path="/messages/{message_id}", handler=messages.delete, min=37,
          status=204, policy="message:delete"),
]
SERVICES = [
    *moved("GET", "/services", "/os-services", handler=services.index, policy="service:index"),
    *moved("PUT", "/services/{verb}", "/os-services/{verb}", handler=services.switch, body=True,
           policy="service:update"),
    Route(method="POST", path="/services/ensure-shares", min=86, status=202, body=True,
          handler=services.ensure_shares, policy="service:ensure_shares"),
    *moved("GET", "/availability-zones", "/os-availability-zone",
           handler=availability_zones.index, policy="availability_zone:index"),
]
POOLS = [
    Route(method="GET", path="/scheduler-stats/pools", handler=pools.index,
          policy="scheduler_stats:pools:index"),
    Route(method="GET", path="/scheduler-stats/pools/detail", handler=pools.detail,
          policy="scheduler_stats:pools:detail"),
]

# fmt: on
ROUTES: list[Route] = [
    *SHARES,
    *EXPORT_LOCATIONS,
    *ACCESS,
    *SHARE_INSTANCES,
    *ROUTES_NETWORKS,
    # --- types, quotas, messages, services, pools, availability zones, limits
    *TYPES,
    *EXTRA_SPECS,
    *QUOTAS,
    *MESSAGES,
    *SERVICES,
    *POOLS,
]
