"""Who may do what by default: one line per rule, to be overridden by a policy file.

The names are those an operator may already have in a policy file for this API. docs/policy.md is
printed from here and from the route table.
"""

import msgspec

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


class Rule(msgspec.Struct, frozen=True):
    """A rule as it is unless a policy file says otherwise."""

    role: str  # the least that passes
    allows: str  # to do what


def _rules(role: str, prefix: str, **allows: str) -> dict[str, Rule]:
    return {f"{prefix}:{name}": Rule(role, text) for name, text in allows.items()}


# fmt: off
SHARES = {
    **_rules(READER, "share",
        get="see a share",
        get_all="list shares",
        access_get_all="list the access rules of a share, up to 2.44",
        get_share_metadata="read a share's metadata",
    ),
    **_rules(MEMBER, "share",
        create="make a share",
        update="change a share's name, description and visibility",
        delete="delete a share",
        extend="make a share larger",
        shrink="make a share smaller",
        allow_access="admit a client or user to a share",
        deny_access="take an access rule of a share away",
        update_share_metadata="set a share's metadata",
        delete_share_metadata="remove a key of a share's metadata",
    ),
    **_rules(ADMIN, "share",
        create_public_share="make a share that every project sees",
        set_public_share="let every project see a share, or no longer",
        force_extend="extend a share beyond the project's quota",
        force_delete="delete a share in whatever status it is",
        reset_status="set a share's status by hand",
        reset_task_state="ask for a share's task state to be none",
        list_all_projects="list shares of every project",
        list_by_host="filter shares by the host that has them",
        list_by_share_server_id="filter shares by share server",
        list_shares_in_deferred_deletion_states="filter shares by the statuses of a late deletion",
        update_admin_only_metadata="set metadata of shares that is for administrators",
    ),
}
EXPORT_LOCATIONS = {
    **_rules(READER, "share_export_location",
        index="list where a share is mounted from",
        show="see one export location",
        get_metadata="read an export location's metadata",
    ),
    **_rules(MEMBER, "share_export_location",
        update_metadata="set an export location's metadata",
        delete_metadata="remove a key of an export location's metadata",
    ),
    **_rules(ADMIN, "share_export_location",
        update_admin_only_metadata="set metadata of export locations that is for administrators",
    ),
}
ACCESS = {
    **_rules(READER, "share_access_rule",
        index="list the access rules of a share",
        get="see an access rule",
    ),
    **_rules(MEMBER, "share_access_rule", update="change an access rule's level"),
    **_rules(MEMBER, "share_access_metadata",
        update="set an access rule's metadata",
        delete="remove a key of an access rule's metadata",
    ),
}
SHARE_INSTANCES = {
    **_rules(ADMIN, "share_instance",
        index="list share instances",
        show="see a share instance",
        force_delete="delete a share instance in whatever status it is",
        reset_status="set a share instance's status by hand",
    ),
    **_rules(ADMIN, "share_instance_export_location",
        index="list where a share instance is mounted from",
        show="see one export location of a share instance",
    ),
}
SHARE_NETWORKS = {
    **_rules(READER, "share_network",
        index="list share networks",
        detail="list share networks with everything about them",
        show="see a share network",
    ),
    **_rules(MEMBER, "share_network",
        create="make a share network, and look up which segments there are",
        update="change a share network",
        delete="delete a share network",
        add_security_service="add a security service to a share network",
        add_security_service_check="ask whether a security service can be added",
        remove_security_service="take a security service off a share network",
        update_security_service="replace a security service of a share network",
        update_security_service_check="ask whether a security service can be replaced",
        subnet_create_check="ask whether a share network can get one more subnet",
    ),
    **_rules(ADMIN, "share_network",
        reset_status="set a share network's status by hand",
        get_all_share_networks="list share networks of every project",
    ),
    **_rules(READER, "share_network_subnet",
        index="list a share network's subnets",
        show="see a subnet",
        get_metadata="read a subnet's metadata",
    ),
    **_rules(MEMBER, "share_network_subnet",
        create="add a subnet to a share network",
        delete="delete a subnet",
        update_metadata="set a subnet's metadata",
        delete_metadata="remove a key of a subnet's metadata",
    ),
}
SECURITY_SERVICES = {
    **_rules(READER, "security_service",
        index="list security services",
        detail="list security services with everything about them",
        show="see a security service",
    ),
    **_rules(MEMBER, "security_service",
        create="make a security service",
        update="change a security service",
        delete="delete a security service",
        # others never see one
        get_password="see the password of a security service of one's own project",  # noqa: S106
    ),
    **_rules(ADMIN, "security_service",
        get_all_security_services="list security services of every project",
    ),
}
SHARE_SERVERS = _rules(ADMIN, "share_server",
    index="list share servers",
    show="see a share server",
    details="see what a share server's backend says of it",
    delete="delete a share server",
    reset_status="set a share server's status by hand",
    reset_task_state="ask for a share server's task state to be none",
    manage_share_server="take over a share server",
    unmanage_share_server="forget a share server and leave it as it is",
)
# --- types, quotas, messages, services, pools, availability zones --------------------------------
TYPES = {
    **_rules(READER, "share_type",
        index="list share types",
        show="see a share type",
        default="see the default share type",
    ),
    **_rules(ADMIN, "share_type",
        create="make a share type",
        update="change a share type",
        delete="delete a share type",
        list_project_access="list which projects may use a private share type",
        add_project_access="let a project use a private share type",
        remove_project_access="let a project use a private share type no longer",
    ),
    **_rules(ADMIN, "share_types_extra_spec",
        create="set extra specs of a share type",
        show="see one extra spec",
        index="list a share type's extra specs, and filter shares by them",
        update="change an extra spec",
        delete="remove an extra spec",
    ),
}
QUOTAS = {
    **_rules(READER, "quota_set", show="see the quotas of one's own project"),
    **_rules(ADMIN, "quota_set",
        update="set a project's quotas",
        delete="give a project the default quotas",
    ),
    **_rules(ADMIN, "quota_class_set",
        show="see the default quotas",
        update="set the default quotas",
    ),
}
MESSAGES = {
    **_rules(READER, "message",
        get="see a user message",
        get_all="list user messages",
    ),
    **_rules(MEMBER, "message", delete="delete a user message"),
}
SERVICES = _rules(ADMIN, "service",
    index="list the service's processes",
    update="let a backend get new shares, or no longer",
    ensure_shares="have a backend's shares looked at now",
)
POOLS = _rules(ADMIN, "scheduler_stats:pools",
    index="list pools",
    detail="list pools with capacity and capabilities",
)
AVAILABILITY_ZONES = _rules(READER, "availability_zone", index="list availability zones")
# --- what Manila has no word for -----------------------------------------------------------------
ROADSTEAD = {
    **_rules(READER, "roadstead:operation",
        index="list operations",
        show="see an operation",
    ),
    **_rules(ADMIN, "roadstead:operation", list_all_projects="list operations of every project"),
    **_rules(ADMIN, "roadstead:drift", index="list where the world differed from the database"),
    **_rules(ADMIN, "roadstead:gateway", index="list gateways to filers, and how they are"),
    **_rules(ADMIN, "roadstead:metrics", get="read the figures for Prometheus, GET /metrics"),
    **_rules(READER, "roadstead:share",
        explain="be told the way from a client to a share",
        get_probe="see what the last probe of a share found",
    ),
    **_rules(MEMBER, "roadstead:share", probe="have a share probed"),
    **_rules(READER, "roadstead:attachment", get="list and see attachments"),
    **_rules(MEMBER, "roadstead:attachment",
        create="hand a share to a VM",
        delete="take a share back from a VM",
    ),
    **_rules(ADMIN, "roadstead:attachment", list_all_projects="list attachments of every project"),
    **_rules(READER, "roadstead:vm", index="list VMs"),
    # Names of hosts are not for tenants.
    **_rules(ADMIN, "roadstead:vm",
        hosts="see on which hosts a VM's attachments would work",
        migrate="have another host ready for a VM's attachments",
    ),
}
# fmt: on

# Sections of the reference.
DOCUMENTED: dict[str, dict[str, Rule]] = {
    "Shares": SHARES,
    "Export locations": EXPORT_LOCATIONS,
    "Access rules": ACCESS,
    "Share instances": SHARE_INSTANCES,
    "Share networks and subnets": SHARE_NETWORKS,
    "Security services": SECURITY_SERVICES,
    "Share servers": SHARE_SERVERS,
    "Share types": TYPES,
    "Quotas": QUOTAS,
    "Messages": MESSAGES,
    "Services": SERVICES,
    "Pools": POOLS,
    "Availability zones": AVAILABILITY_ZONES,
    "Routes of our own": ROADSTEAD,
}
RULES: dict[str, str] = ROLES | {
    name: f"rule:{rule.role}" for rules in DOCUMENTED.values() for name, rule in rules.items()
}
