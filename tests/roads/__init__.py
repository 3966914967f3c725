"""The roads, from the HTTP API to the kernel in a VM."""
