"""NFS as a client: mounts by the kernel or by FUSE, and single calls."""
