"""The text of Samba's files, and nothing else: no file is read or written here.

Facts are smb.conf(5)'s of Samba 4.17.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from roadstead.model.errors import DriverError
from roadstead.model.ids import instance_of_pseudo_path, pseudo_path
from roadstead.model.user_admission import SERVICE_USERS

# Names itself before each user: a bare name may also be a SID ("S-1-1-0" is everybody).
_DOMAIN = "RSHARE"
_UNSAFE = re.compile(r'[%"\x00-\x1f\x7f]|\\$|^\s|\s$')
_SECTION = re.compile(r"^\[(share-[^\]\n]*)\]\n((?:(?!\[).*\n?)*)", re.MULTILINE)


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one server runs with. `addresses`: the only ones it listens on; none = all there are."""

    state: str
    port: int
    addresses: tuple[str, ...]


class StoredExport(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be served. `cut` are users whose connections from before have yet to be ended."""

    export_id: int
    instance_id: str
    path: str
    owner: str
    users: dict[str, str] = {}  # name -> level
    targets: dict[str, str] = {}  # the same as the rules spell the names
    cut: list[str] = []


def share_name(instance_id: str) -> str:
    """The name under which clients find the share; bears the mark by which we find it again."""
    return pseudo_path(instance_id).removeprefix("/")


def instance_of_share(name: str) -> str | None:
    """The share instance of that name; None when it is not ours."""
    return instance_of_pseudo_path(f"/{name}")


def location(address: str, instance_id: str) -> str:
    """What a client mounts. A colon cannot stand in a UNC path: [MS-DTYP] 2.2.57 and Samba have
    ipv6-literal.net for it, a name that the client resolves itself."""
    host = f"{address.replace(':', '-')}.ipv6-literal.net" if ":" in address else address
    return f"\\\\{host}\\{share_name(instance_id)}"


def server_text(settings: ServerSettings) -> str:
    """The [global] section."""
    state = settings.state
    lines = [
        f"netbios name = {_DOMAIN}",
        "workgroup = ROADSTEAD",
        "server role = standalone server",
        "server string = roadstead",
        f"passdb backend = tdbsam:{state}/private/passdb.tdb",
        f"private dir = {state}/private",
        f"lock directory = {state}/lock",
        f"state directory = {state}/state",
        f"cache directory = {state}/cache",
        f"pid directory = {state}/pid",
        f"ncalrpc dir = {state}/ncalrpc",
        "usershare max shares = 0",
        f"log file = {state}/smbd.log",
        "max log size = 4096",
        "log level = 0",
        f"smb ports = {settings.port}",
        "disable netbios = yes",
        "disable spoolss = yes",
        "load printers = no",
        "printcap name = /dev/null",
        "printing = bsd",
        # Nobody without a password of ours, and nothing of the protocol's older, unsafe forms.
        "server min protocol = SMB3_00",
        "server signing = mandatory",
        "ntlm auth = ntlmv2-only",
        "map to guest = never",
        "restrict anonymous = 2",
        "null passwords = no",
        "unix extensions = no",
        # One process per connection: to end it ends nobody else's. Nor are the interfaces told.
        "server multi channel support = no",
        # Nothing is listed: who may use a share knows its name.
        "access based share enum = yes",
        "dns proxy = no",
        "unix password sync = no",
        "enable asu support = no",
        "host msdfs = no",
    ]
    if settings.addresses:
        lines += [f"interfaces = {' '.join(settings.addresses)}", "bind interfaces only = yes"]
    return "[global]\n" + "".join(f"  {line}\n" for line in lines)


def share_text(stored: StoredExport) -> str:
    """The share's section. It is nobody's while no user is admitted."""
    if _UNSAFE.search(stored.path):
        raise DriverError(f"not usable as a share's path: {stored.path!r}")
    lines = [
        f"comment = {stored.export_id}",
        f"path = {stored.path}",
        # An empty list of users would admit everybody.
        f"available = {'yes' if stored.users else 'no'}",
        f"valid users = {_names(stored.users) or _name(SERVICE_USERS[1])}",
        f"write list = {_names(u for u, level in stored.users.items() if level == 'rw')}".rstrip(),
        "read only = yes",
        "guest ok = no",
        "browseable = no",
        # As over NFS, where a client's root is not squashed: everything is that one owner's, so
        # that all users of the share are equals, and the share's level is what decides.
        f"force user = {SERVICE_USERS[2]}",
        "force group = root",
        "create mask = 0664",
        "directory mask = 0775",
        "map archive = no",
        "nt acl support = no",
        "wide links = no",
        "strict allocate = no",
    ]
    name = share_name(stored.instance_id)
    return f"[{name}]\n" + "".join(f"  {line}\n" for line in lines)


def sections(text: str) -> dict[str, str]:
    """The sections of shares, by name, each as `share_text` would write it."""
    return {found[1]: found[0] for found in _SECTION.finditer(text)}


def passwd_text(uids: Mapping[str, int]) -> str:
    """The server's own /etc/passwd: no user of the machine's can log in, nor is one needed."""
    root, nobody, files = SERVICE_USERS
    everyone = {root: (0, 0), nobody: (65534, 65534), files: (0, 0)}
    everyone |= {name: (uid, 65534) for name, uid in uids.items()}
    return "".join(
        f"{name}:x:{uid}:{gid}::/:/usr/sbin/nologin\n" for name, (uid, gid) in everyone.items()
    )


GROUP_TEXT = "root:x:0:\nnogroup:x:65534:\n"


def _name(user: str) -> str:
    return f'"{_DOMAIN}\\{user}"'


def _names(users: Iterable[str]) -> str:
    return " ".join(_name(user) for user in sorted(users))
