"""Hypervisor drivers: how a directory of the host becomes a device of a VM."""
