"""Roadstead: shared file systems for clouds of virtual machines."""
