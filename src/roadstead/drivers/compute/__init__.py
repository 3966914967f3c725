"""Mounts of shares on a compute host."""
