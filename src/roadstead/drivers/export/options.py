"""Options that several export servers have."""

from typing import Annotated, Any, TypeAlias

from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.model.documented import doc

RequireMount: TypeAlias = Annotated[
    bool,
    doc(
        "A share's path must be a mount point: else it would be the empty directory beneath a "
        "file system that is not there"
    ),
]
ServerPort: TypeAlias = Annotated[int, doc("TCP port of each server", ge=1, le=65535)]


class ServerOptions(DriverOptions, frozen=True):
    """Of servers that keep in files what they serve."""

    state_directory: Annotated[str, doc("What each server serves, and to whom")]

    @classmethod
    def defaults(cls, where: Where) -> dict[str, Any]:
        return {"state_directory": where.state_directory}


class GaneshaOptions(ServerOptions, frozen=True):
    """Of every NFS-Ganesha of ours."""

    run_directory: Annotated[str, doc("Their sockets, and what they log")]
    grace: Annotated[
        bool, doc("A server that was started anew first lets its clients take back their locks")
    ] = True
    lease_seconds: Annotated[
        int,
        doc(
            "How long a silent client keeps its locks, and the longest that a restart keeps "
            "others waiting for one that does not come back",
            ge=1,
        ),
    ] = 15

    @classmethod
    def defaults(cls, where: Where) -> dict[str, Any]:
        return {**super().defaults(where), "run_directory": where.run_directory}
