"""Linux as drivers use it: processes, files, mounts, namespaces; of no axis."""
