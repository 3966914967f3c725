"""Gateways that pass files on: an NFS server before a filer's."""
