"""NFS-Ganesha 4.3's configuration as text. Pure: nothing here touches the world.

Facts found by trying them against 4.3 (its lexer is config_parsing/conf_lex.l):

- The first CLIENT block that matches a client wins.
- A prefix length is one or two digits without a leading zero. So `/0` and `/100` to `/128` are
  syntax errors, and worse, AddExport then answers "1 exports added" with no clients at all.
- A bare `0.0.0.0` means everybody, IPv6 too: LP 1707946's way out admits more than was asked.
- With `Bind_addr = 0::0` an IPv4 client is matched by its IPv4 address.
- `Bind_addr` is looked up with AI_ADDRCONFIG: `0::0` fails where no interface but lo has IPv6,
  `0.0.0.0` where none has IPv4. Without the line it listens on IPv4 whatever there is.
"""

import ipaddress
import os.path
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

import msgspec

from roadstead.model.admission import Network
from roadstead.model.errors import DriverError
from roadstead.model.ids import pseudo_path

_HEADER = "# roadstead "
MOUNT_PORT = 20048  # of NFSv3's MOUNT protocol, so that clients need not ask a port mapper
_QUOTABLE = re.compile(r"/[^\"\\]*")
_LONGEST_PREFIX = 99
_MOST_ADDRESSES = 256
_VFS = "Name = VFS;"
_LARGEST_IO = 1 << 20
_LARGEST_CALL = _LARGEST_IO + 512  # with what comes before the data
PROXY_SETTINGS = f"PROXY_V4 {{ maxread = {_LARGEST_IO}; maxwrite = {_LARGEST_IO}; }}\n"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one server process is told at its start."""

    dbus_prefix: str
    recovery_root: str
    exports_file: str
    plugins_directory: str
    dual_stack: bool
    port: int
    minor_versions: tuple[int, ...]
    graceless: bool
    lease_seconds: int
    nfs3: bool = False
    only_at: str = ""  # the one address it listens at; "" = all there are
    more: str = ""  # further blocks


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """The server whose export is passed on, instead of a directory of this host."""

    address: str
    port: int
    name: str  # what its clients mount
    seen_from: tuple[str, ...] = ()  # own addresses, from which the export may be looked at


class StoredExport(msgspec.Struct, frozen=True, kw_only=True):
    """One export as it is kept in its file. `clients` is {canonical target: level}, in the order
    of the CLIENT blocks."""

    export_id: int
    instance_id: str
    path: str
    clients: dict[str, str] = {}
    behind: Behind | None = None

    @property
    def served_path(self) -> str:
        """What the server is told to serve."""
        return self.path if self.behind is None else self.behind.name

    @property
    def admitted(self) -> dict[str, str]:
        """The clients, and who looks at the export from the server's own addresses."""
        own = () if self.behind is None else self.behind.seen_from
        return self.clients | {str(ipaddress.ip_network(address)): "ro" for address in own}


def server_text(settings: ServerSettings) -> str:
    """The server's configuration file. NFSv4 over TCP only, which needs no port mapper, unless
    NFSv3 is wanted besides."""
    bind = "Bind_addr = 0::0; " if settings.dual_stack else ""
    bind = f"Bind_addr = {settings.only_at}; " if settings.only_at else bind
    versions = "3, 4" if settings.nfs3 else "4"
    bind += f"MNT_Port = {MOUNT_PORT};" if settings.nfs3 else ""
    minors = ", ".join(map(str, settings.minor_versions))
    return f"""\
NFS_CORE_PARAM {{
  Protocols = {versions}; NFS_Port = {settings.port}; {bind}
  Enable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;
  mount_path_pseudo = true; Plugins_Dir = {_quoted(settings.plugins_directory)};
  Dbus_Name_Prefix = {settings.dbus_prefix};
}}
NFSv4 {{
  Minor_Versions = {minors}; Only_Numeric_Owners = true; Delegations = false;
  Graceless = {str(settings.graceless).lower()};
  Lease_Lifetime = {settings.lease_seconds}; Grace_Period = {settings.lease_seconds};
  RecoveryBackend = fs; RecoveryRoot = {_quoted(settings.recovery_root)};
}}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{ Access_Type = None; SecType = sys; Protocols = {versions}; Transports = TCP; }}
{settings.more}%include {_quoted(settings.exports_file)}
"""


def export_text(stored: StoredExport) -> str:
    """The export's file: a comment from which `parse` reads it back, then Ganesha's own text."""
    header = _HEADER + msgspec.json.encode(stored).decode()
    block = export_block(
        export_id=stored.export_id,
        path=stored.served_path,
        pseudo=pseudo_path(stored.instance_id),
        clients=stored.admitted,
        layer=_VFS if stored.behind is None else _proxy(stored.behind),
    )
    return f"{header}\n{block}"


def export_block(
    *,
    export_id: int,
    path: str,
    pseudo: str,
    clients: Mapping[str, str],
    protocols: str = "",
    layer: str = _VFS,
) -> str:
    """An EXPORT block: the directory at that pseudo path, to these clients and nobody else.
    `protocols` as the server's defaults have them, unless they are given; `layer`: through what
    it gets at the directory."""
    only = f" Protocols = {protocols};" if protocols else ""
    admitted = "".join(
        f"  CLIENT {{ Clients = {', '.join(words)}; Access_Type = {level.upper()}; }}\n"
        for level, words in _blocks(clients)
    )
    return f"""\
EXPORT {{
  Export_Id = {export_id};
  Path = {_quoted(path)};
  Pseudo = {_quoted(pseudo)};
  Access_Type = None; Squash = No_Root_Squash;
  SecType = sys; Transports = TCP;{only}
  FSAL {{ {layer} }}
{admitted}}}
"""


def _proxy(behind: Behind) -> str:
    """Clients' user ids are passed on. A lost connection is tried again each second."""
    address = ipaddress.ip_address(behind.address)
    return (
        f"Name = PROXY_V4; Srv_Addr = {address}; NFS_Port = {behind.port}; "
        f"Use_Privileged_Client_Port = true; Retry_SleepTime = 1; "
        f"NFS_SendSize = {_LARGEST_CALL}; NFS_RecvSize = {_LARGEST_CALL};"
    )


def parse(text: str) -> StoredExport | None:
    """The export whose file this is; None when it is not one of ours."""
    first = text.partition("\n")[0]
    if not first.startswith(_HEADER):
        return None
    try:
        return msgspec.json.decode(first[len(_HEADER) :], type=StoredExport)
    except msgspec.DecodeError:
        return None


def served_clients(clients: Mapping[str, str]) -> list[tuple[str, str]]:
    """(network, level) pairs as a server that read these clients reports them, in its order."""
    return [(str(n), level) for target, level in clients.items() for n in _pieces(target)]


def refuse(network: Network) -> str | None:
    """Why Ganesha cannot be told of this network; None when it can."""
    if network.prefixlen > _LONGEST_PREFIX and network.num_addresses > _MOST_ADDRESSES:
        return f"{network}: prefixes from /100 to /119 cannot be expressed by this server"
    return None


def _blocks(clients: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    # Neighbours of one level may share a block: only the order of the entries counts.
    for level, entries in groupby(served_clients(clients), key=lambda pair: pair[1]):
        yield level, [_word(network) for network, _ in entries]


def _pieces(target: str) -> Iterable[Network]:
    """Networks Ganesha's lexer can read, that together are the target."""
    network = ipaddress.ip_network(target)
    if network.prefixlen == 0:
        return network.subnets()
    if network.prefixlen > _LONGEST_PREFIX:
        return map(ipaddress.ip_network, network)
    return (network,)


def _word(network: str) -> str:
    address, _, length = network.partition("/")
    return address if int(length) > _LONGEST_PREFIX else network


def _quoted(path: str) -> str:
    """The path as a string of the configuration. DriverError when it could say more than a path."""
    if not _QUOTABLE.fullmatch(path) or not path.isprintable() or os.path.normpath(path) != path:
        raise DriverError(f"cannot be exported or served from: {path!r}")
    return f'"{path}"'
