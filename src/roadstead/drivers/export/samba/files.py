"""What one place's server has to serve, in files from which its configuration is made."""

from roadstead.drivers.export.records import JsonRecords
from roadstead.drivers.export.samba.conf import StoredExport


class ExportFiles(JsonRecords[StoredExport]):
    """One export a file."""

    kind = StoredExport

    def find_instance(self, instance_id: str) -> StoredExport | None:
        """The export of that share instance; None when none is stored."""
        return next((e for e in self.all().values() if e.instance_id == instance_id), None)
