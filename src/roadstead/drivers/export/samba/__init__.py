"""Exports of Samba."""
