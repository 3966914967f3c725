"""Hypervisors that libvirt drives."""
