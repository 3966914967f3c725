"""The ways from a share to a VM. Each road puts a pool and an export server together."""
