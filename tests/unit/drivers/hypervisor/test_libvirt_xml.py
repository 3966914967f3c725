"""Domain XML is read and written as libvirt has it."""

import pytest

from roadstead.drivers.hypervisor import marks
from roadstead.drivers.hypervisor.libvirt import xml as libvirt_xml
from roadstead.model import hosts as h
from roadstead.model.ids import new_id

DOMAIN = """<domain type='kvm'><name>vm</name><uuid>5f6e9d3a-0000-4000-8000-000000000001</uuid>
<metadata>{metadata}</metadata>{memory}
<os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>{devices}</devices></domain>"""
Q35 = "<controller type='pci' index='0' model='pcie-root'/>"
PORT = "<controller type='pci' index='{0}' model='pcie-root-port'>{1}</controller>".format
PCI = "<address type='pci' domain='0x0000' bus='{0:#04x}' slot='{1:#04x}' function='0x0'/>".format


def parsed(
    *, devices: str = "", memory: str = "", metadata: str = "", machine: str = "pc-q35-7.2"
) -> libvirt_xml.Domain:
    text = DOMAIN.format(devices=devices, memory=memory, metadata=metadata, machine=machine)
    return libvirt_xml.parse(text)


def spec(**changes: object) -> h.DeviceSpec:
    attachment_id = new_id()
    values: dict[str, object] = {
        "attachment_id": attachment_id,
        "vm_id": new_id(),
        "tag": "data",
        "source": f"/compute/{attachment_id}",
    }
    return h.DeviceSpec(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", ["never", "auto", "always"])
@pytest.mark.parametrize("locks", [False, True])
def test_a_virtiofs_device_is_read_as_it_was_written(cache: str, locks: bool) -> None:
    wanted = spec(cache=cache, enforce_locks=locks, source="/a b/'&<\"/x")
    xml = libvirt_xml.filesystem(wanted, ids="passthrough", binary="/v", sandbox="namespace")
    assert '<sandbox mode="namespace"/>' in xml
    domain = parsed(devices=xml)
    found = domain.find(wanted.attachment_id)
    assert found == libvirt_xml.Filesystem(
        attachment_id=wanted.attachment_id,
        tag="data",
        source=wanted.source,
        driver="virtiofs",
        read_only=False,
        cache=cache,
        access_mode="passthrough",
        binary="/v",
        locks=locks,
    )


@pytest.mark.parametrize("ids", ["mapped", "passthrough", "squash"])
def test_a_9p_device_is_read_as_it_was_written(ids: str) -> None:
    wanted = spec(driver="9p", read_only=True)
    xml = libvirt_xml.filesystem(wanted, ids=ids, binary="", sandbox="")
    (found,) = parsed(devices=xml).filesystems
    assert (found.driver, found.access_mode, found.read_only) == ("9p", ids, True)
    assert found.attachment_id == wanted.attachment_id


def test_devices_of_others_are_not_ours() -> None:
    devices = (
        "<filesystem type='mount'><source dir='/x'/><target dir='one'/></filesystem>"
        "<filesystem type='mount'><driver type='virtiofs'/><source dir='/x'/>"
        "<target dir='two'/><alias name='ua-rs-nonsense'/></filesystem>"
    )
    found = parsed(devices=devices).filesystems
    assert [(f.tag, f.driver, f.attachment_id) for f in found] == [
        ("one", "9p", None),
        ("two", "virtiofs", None),
    ]


def test_an_alias_leads_back_to_its_attachment() -> None:
    for attachment_id in (new_id(), "0" * 8 + "-0000-0000-0000-" + "0" * 12):
        alias = marks.alias_of(attachment_id)
        assert marks.attachment_of(alias) == attachment_id
        # /var/lib/libvirt/qemu/domain-99999-<20 letters>/<alias>-fs.sock
        assert 22 + 34 + len(alias) + len("-fs.sock") <= 107
    for other in (None, "", "fs0", "ua-rs-", "ua-rs-abc", "ua-other", "ua-rs-" + "1" * 26):
        assert marks.attachment_of(other) is None


# H-I4
@pytest.mark.parametrize(
    ("memory", "shared"),
    [
        ("", False),
        ("<memoryBacking><hugepages/></memoryBacking>", False),
        ("<memoryBacking><source type='memfd'/><access mode='private'/></memoryBacking>", False),
        ("<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>", True),
        ("<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>", True),
        ("<cpu><numa><cell id='0' memAccess='shared'/></numa></cpu>", True),
        ("<cpu><numa><cell memAccess='shared'/><cell/></numa></cpu>", False),
    ],
)
def test_shared_memory_is_seen(memory: str, shared: bool) -> None:
    assert parsed(memory=memory).shared_memory is shared


# H-I5
def test_free_ports_are_counted() -> None:
    port_itself = PCI(0, 1)
    devices = Q35 + PORT(1, port_itself) + PORT(2, port_itself) + PORT(3, port_itself)
    assert parsed(devices=devices).free_ports == 3
    used = f"<interface>{PCI(1, 0)}</interface><disk>{PCI(3, 0)}</disk>"
    assert parsed(devices=devices + used).free_ports == 1
    of_the_host = f"<hostdev><source>{PCI(2, 0)}</source>{PCI(1, 0)}</hostdev>"
    assert parsed(devices=devices + of_the_host).free_ports == 2


def test_free_slots_are_counted_where_there_are_no_ports() -> None:
    devices = "<controller type='pci' index='0' model='pci-root'/>"
    assert parsed(devices=devices, machine="pc-i440fx-7.2").free_ports == 31
    devices += f"<disk>{PCI(0, 3)}</disk><interface>{PCI(0, 4)}</interface>"
    assert parsed(devices=devices, machine="pc-i440fx-7.2").free_ports == 29


def test_the_project_comes_from_the_metadata() -> None:
    ours = f"<r:vm xmlns:r='{libvirt_xml.NAMESPACE}' project='ours'/>"
    nova = (
        "<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:owner>"
        "<nova:project uuid='novas'>demo</nova:project></nova:owner></nova:instance>"
    )
    stranger = "<r:vm xmlns:r='urn:somebody:else' project='x'/>"
    assert parsed().project_id is None
    assert parsed(metadata=stranger).project_id is None
    assert parsed(metadata=ours).project_id == "ours"
    assert parsed(metadata=ours + nova).project_id == "novas"
