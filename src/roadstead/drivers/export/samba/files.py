"""What one place's server has to serve, in files from which its configuration is made."""

import msgspec

from roadstead.drivers.export.records import Records
from roadstead.drivers.export.samba.conf import StoredExport


class ExportFiles(Records[StoredExport]):
    """JSON."""

    suffix = ".json"

    def text(self, stored: StoredExport) -> str:
        """As it is."""
        return msgspec.json.format(msgspec.json.encode(stored)).decode()

    def parsed(self, text: str) -> StoredExport | None:
        """None also for what somebody changed into something else."""
        try:
            return msgspec.json.decode(text, type=StoredExport)
        except msgspec.DecodeError:
            return None

    def number(self, stored: StoredExport) -> int:
        """Its number."""
        return stored.export_id

    def find_instance(self, instance_id: str) -> StoredExport | None:
        """The export of that share instance; None when none is stored."""
        return next((e for e in self.all().values() if e.instance_id == instance_id), None)
