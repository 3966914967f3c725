"""Shares as filesystem images."""
