"""Who may do what by default: one line per rule, to be overridden by a policy file.

The names are those an operator may already have in a policy file for this API.
"""

READER, MEMBER, ADMIN = "reader", "member", "admin"

# What each of our words means. A higher role includes the lower ones, whether or not the identity
# service says so in the token.
ROLES: dict[str, str] = {
    "context_is_admin": "role:admin",
    MEMBER: "role:member or rule:context_is_admin",
    READER: "role:reader or rule:member",
    ADMIN: "rule:context_is_admin",
    "service": "role:service",
}


def _rules(role: str, prefix: str, names: str) -> dict[str, str]:
    return {f"{prefix}:{name}": f"rule:{role}" for name in names.split()}


SHARES = {
    **_rules(READER, "share", "get get_all access_get access_get_all"),
    **_rules(MEMBER, "share", "create update delete extend shrink allow_access deny_access"),
    **_rules(ADMIN, "share", "create_public_share set_public_share force_extend force_delete"),
    **_rules(ADMIN, "share", "reset_status reset_task_state list_all_projects list_by_host"),
    **_rules(ADMIN, "share", "list_by_share_server_id list_shares_in_deferred_deletion_states"),
    **_rules(READER, "share", "get_share_metadata"),
    **_rules(MEMBER, "share", "update_share_metadata delete_share_metadata"),
    **_rules(ADMIN, "share", "update_admin_only_metadata"),
}
EXPORT_LOCATIONS = {
    **_rules(READER, "share_export_location", "index show get_metadata"),
    **_rules(MEMBER, "share_export_location", "update_metadata delete_metadata"),
    **_rules(ADMIN, "share_export_location", "update_admin_only_metadata"),
}
ACCESS = {
    **_rules(READER, "share_access_rule", "index get"),
    **_rules(MEMBER, "share_access_rule", "update"),
    **_rules(MEMBER, "share_access_metadata", "update delete"),
}
SHARE_INSTANCES = {
    **_rules(ADMIN, "share_instance", "index show force_delete reset_status"),
    **_rules(ADMIN, "share_instance_export_location", "index show"),
}
SHARE_NETWORKS = {
    **_rules(READER, "share_network", "index detail show"),
    **_rules(MEMBER, "share_network", "create update delete add_security_service"),
    **_rules(MEMBER, "share_network", "add_security_service_check remove_security_service"),
    **_rules(MEMBER, "share_network", "update_security_service update_security_service_check"),
    **_rules(MEMBER, "share_network", "subnet_create_check"),
    **_rules(ADMIN, "share_network", "reset_status get_all_share_networks"),
    **_rules(READER, "share_network_subnet", "index show get_metadata"),
    **_rules(MEMBER, "share_network_subnet", "create delete update_metadata delete_metadata"),
}
SECURITY_SERVICES = {
    **_rules(READER, "security_service", "index detail show"),
    **_rules(MEMBER, "security_service", "create update delete"),
    # of one's own project; others never see one
    **_rules(MEMBER, "security_service", "get_password"),
    **_rules(ADMIN, "security_service", "get_all_security_services"),
}
SHARE_SERVERS = _rules(
    ADMIN,
    "share_server",
    "index show details delete reset_status reset_task_state manage_share_server "
    "unmanage_share_server",
)
# --- types, quotas, messages, services, pools, availability zones --------------------------------
TYPES = {
    **_rules(READER, "share_type", "index show default"),
    **_rules(ADMIN, "share_type", "create update delete list_project_access"),
    **_rules(ADMIN, "share_type", "add_project_access remove_project_access"),
    **_rules(ADMIN, "share_types_extra_spec", "create show index update delete"),
}
QUOTAS = {
    **_rules(READER, "quota_set", "show"),
    **_rules(ADMIN, "quota_set", "update delete"),
    **_rules(ADMIN, "quota_class_set", "show update"),
}
MESSAGES = {
    **_rules(READER, "message", "get get_all"),
    **_rules(MEMBER, "message", "delete"),
    **_rules(ADMIN, "message", "get_all_tenants"),
}
SERVICES = _rules(ADMIN, "service", "index update ensure_shares")
POOLS = _rules(ADMIN, "scheduler_stats:pools", "index detail")
AVAILABILITY_ZONES = _rules(READER, "availability_zone", "index")
# --- what Manila has no word for -----------------------------------------------------------------
ROADSTEAD = {
    **_rules(READER, "roadstead:operation", "index show"),
    **_rules(ADMIN, "roadstead:operation", "list_all_projects"),
    **_rules(ADMIN, "roadstead:drift", "index"),
    **_rules(ADMIN, "roadstead:gateway", "index"),
    **_rules(ADMIN, "roadstead:metrics", "get"),
    **_rules(READER, "roadstead:share", "explain get_probe"),
    **_rules(MEMBER, "roadstead:share", "probe"),
    **_rules(READER, "roadstead:attachment", "get"),
    **_rules(MEMBER, "roadstead:attachment", "create delete"),
    **_rules(ADMIN, "roadstead:attachment", "list_all_projects"),
    **_rules(READER, "roadstead:vm", "index"),
    # Names of hosts are not for tenants.
    **_rules(ADMIN, "roadstead:vm", "hosts migrate"),
}

RULES: dict[str, str] = {
    **ROLES,
    **SHARES,
    **EXPORT_LOCATIONS,
    **ACCESS,
    **SHARE_INSTANCES,
    **SHARE_NETWORKS,
    **SECURITY_SERVICES,
    **SHARE_SERVERS,
    **TYPES,
    **QUOTAS,
    **MESSAGES,
    **SERVICES,
    **POOLS,
    **AVAILABILITY_ZONES,
    **ROADSTEAD,
}
