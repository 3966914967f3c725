"""Road gateway: a filer that knows no logical networks serves many tenants, each through a share
server of its own that passes on what access rules admit, and nothing else.

Such a server has one more leg, on the storage network. A share has an address of its own on the
tenant's side, and on the storage side one per access level: the filer's rules name only those.
"""
