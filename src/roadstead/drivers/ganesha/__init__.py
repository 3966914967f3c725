"""NFS-Ganesha: its configuration, its bus; as our server and as a filer."""
