"""A filer whose NFS-Ganesha reads its exports from files."""
