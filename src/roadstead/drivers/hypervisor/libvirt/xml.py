"""Domain XML read and filesystem devices written; pure text (libvirt's formatdomain page)."""

import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

import msgspec

from roadstead.drivers.hypervisor import marks
from roadstead.drivers.hypervisor.libvirt import ports as libvirt_ports
from roadstead.model import hosts as h

# An element of the domain's <metadata>: <r:vm xmlns:r='urn:roadstead:vm:1' project='<uuid>'/>
NAMESPACE = "urn:roadstead:vm:1"
_NOVA = "{http://openstack.org/xmlns/libvirt/nova/"  # then a version
_LIBOSINFO = "{http://libosinfo.org/xmlns/libvirt/domain/1.0}os"


class Filesystem(msgspec.Struct, frozen=True, kw_only=True):
    """One <filesystem> of a domain."""

    attachment_id: str | None  # None = not ours
    tag: str
    source: str
    driver: str  # "virtiofs", "9p" or a name libvirt has and we do not
    read_only: bool
    cache: str
    access_mode: str
    binary: str | None
    locks: bool


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """What one XML description of a domain says."""

    id: str
    name: str
    project_id: str | None
    machine: str
    os: str | None
    shared_memory: bool
    free_ports: int
    filesystems: tuple[Filesystem, ...]

    def find(self, attachment_id: str) -> Filesystem | None:
        """The attachment's device."""
        return next((f for f in self.filesystems if f.attachment_id == attachment_id), None)


def parse(text: str) -> Domain:
    """What the description says."""
    root = _parsed(text)
    devices = root.findall("devices/filesystem")
    return Domain(
        id=root.findtext("uuid", ""),
        name=root.findtext("name", ""),
        project_id=_project(root.find("metadata")),
        machine=_attribute(root, "os/type", "machine") or "",
        os=next((e.get("id") for e in root.iter(_LIBOSINFO)), None),
        shared_memory=_shares_memory(root),
        free_ports=libvirt_ports.free(root),
        filesystems=tuple(_filesystem(device) for device in devices),
    )


def device_types(capabilities: str) -> tuple[set[str], set[str]]:
    """(filesystem drivers, sources of memory) that domain capabilities list."""
    root = _parsed(capabilities)
    drivers = root.findall("devices/filesystem/enum[@name='driverType']/value")
    memory = root.findall("memoryBacking/enum[@name='sourceType']/value")
    return {e.text or "" for e in drivers}, {e.text or "" for e in memory}


def filesystem(
    spec: h.DeviceSpec, *, ids: str, binary: str, sandbox: str, says_read_only: bool = False
) -> str:
    """The <filesystem> for the device; `binary` is the daemon of virtiofs, `says_read_only` whether
    libvirt can tell it."""
    body = [
        f"<source dir={quoteattr(spec.source)}/>",
        f"<target dir={quoteattr(spec.tag)}/>",
        f"<alias name={quoteattr(marks.alias_of(spec.attachment_id))}/>",
    ]
    if spec.driver == "9p":
        # Without remap two files of different filesystems below it could have one inode number.
        opening = f"<filesystem type='mount' accessmode={quoteattr(ids)} multidevs='remap'>"
        body += ["<readonly/>"] if spec.read_only else []
    else:
        # libvirt before 11 refuses <readonly/> here; the source is a read-only mount anyway.
        body += ["<readonly/>"] if spec.read_only and says_read_only else []
        opening = "<filesystem type='mount' accessmode='passthrough'>"
        body = ["<driver type='virtiofs' queue='1024'/>", _binary(spec, binary, sandbox), *body]
    return "".join([opening, *body, "</filesystem>"])


def _binary(spec: h.DeviceSpec, path: str, sandbox: str) -> str:
    # libvirt has no word for `auto`, the daemon's own default, and none for `metadata`.
    mode = {"never": "none", "always": "always"}.get(spec.cache)
    parts = [
        f"<binary path={quoteattr(path)} xattr='on'>",
        f"<cache mode='{mode}'/>" if mode else "",
        f"<sandbox mode={quoteattr(sandbox)}/>",
        "<lock posix='on' flock='on'/>" if spec.enforce_locks else "",
        "</binary>",
    ]
    return "".join(parts)


def _filesystem(element: ET.Element) -> Filesystem:
    kind = _attribute(element, "driver", "type")
    cache = _attribute(element, "binary/cache", "mode")
    return Filesystem(
        attachment_id=marks.attachment_of(_attribute(element, "alias", "name")),
        tag=_attribute(element, "target", "dir") or "",
        source=_attribute(element, "source", "dir") or "",
        driver="9p" if kind in (None, "path") else kind,
        read_only=element.find("readonly") is not None,
        cache={"none": "never", "always": "always"}.get(cache or "", "auto"),
        access_mode=element.get("accessmode") or "passthrough",
        binary=_attribute(element, "binary", "path"),
        locks=_attribute(element, "binary/lock", "flock") == "on",
    )


def _shares_memory(root: ET.Element) -> bool:
    cells = root.findall("cpu/numa/cell")
    if cells and all(cell.get("memAccess") == "shared" for cell in cells):
        return True
    return _attribute(root, "memoryBacking/access", "mode") == "shared"


def _project(metadata: ET.Element | None) -> str | None:
    """Nova's word counts where it has one: it is the cloud's own."""
    if metadata is None:
        return None
    for element in metadata.iter():
        if element.tag.startswith(_NOVA) and element.tag.endswith("}project"):
            return element.get("uuid")
    ours = metadata.find(f"{{{NAMESPACE}}}vm")
    return None if ours is None else ours.get("project")


def _attribute(element: ET.Element, path: str, name: str) -> str | None:
    found = element.find(path)
    return None if found is None else found.get(name)


def _parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # written by libvirt itself, not by a tenant
