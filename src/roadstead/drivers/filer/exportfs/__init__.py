"""A filer whose kernel's NFS server is told by exportfs."""
