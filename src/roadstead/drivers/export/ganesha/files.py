"""What one place's server has to serve, in the files that the server reads, too."""

from roadstead.drivers.export.records import Records
from roadstead.drivers.ganesha import conf


class ExportFiles(Records[conf.StoredExport]):
    """One EXPORT block a file."""

    suffix = ".conf"

    def text(self, stored: conf.StoredExport) -> str:
        """The block."""
        return conf.export_text(stored)

    def parsed(self, text: str) -> conf.StoredExport | None:
        """The export in the block."""
        return conf.parse(text)
