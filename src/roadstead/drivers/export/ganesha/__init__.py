"""Exports of NFS-Ganesha."""
