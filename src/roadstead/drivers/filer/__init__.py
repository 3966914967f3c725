"""Somebody else's NFS servers: how export rules are made on them; see `drivers.base_filer`."""
