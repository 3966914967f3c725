"""Shares as directories of somebody else's filer."""
