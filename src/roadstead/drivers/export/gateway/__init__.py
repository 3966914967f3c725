"""Gateways that pass packets on to a filer."""
