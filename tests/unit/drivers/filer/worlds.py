"""Addresses on the storage network, and what clients of the filer meet there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.nfs4 import Client, NfsError

if TYPE_CHECKING:
    from roadstead.drivers.base.filer import FilerExport

FILER, ADMIN = "172.30.0.2", "172.30.0.1"
ONE, TWO = "172.30.0.21", "172.30.0.31"


def status(client: Client, spec: FilerExport) -> str:
    """ok, or what looking the export up meets."""
    try:
        client.lookup(f"{spec.name}/file")
    except NfsError as error:
        return error.status_name
    return "ok"
