"""Free ports for hot plugging, counted in a domain's XML; libvirt chooses one itself."""

import xml.etree.ElementTree as ET

# Slots of the one bus of a machine without PCIe; slot 0 is the host bridge.
_PCI_SLOTS = range(1, 32)
# PCIe ports, each for one device.
_PORTS = ("pcie-root-port", "pcie-switch-downstream-port")


def free(domain: ET.Element) -> int:
    """How many devices can be plugged into the domain as it runs."""
    used = _used(domain)
    models = {
        int(controller.get("index", "0")): controller.get("model")
        for controller in domain.findall("devices/controller[@type='pci']")
    }
    ports = [index for index, model in models.items() if model in _PORTS]
    count = sum(1 for port in ports if port not in used)
    if models.get(0) == "pci-root":
        count += sum(1 for slot in _PCI_SLOTS if slot not in used.get(0, set()))
    return count


def _used(domain: ET.Element) -> dict[int, set[int]]:
    """The slots taken, by bus."""
    used: dict[int, set[int]] = {}
    # Only a device's own address: the one in <source> is that of a device of the host.
    for address in domain.findall("devices/*/address[@type='pci']"):
        bus, slot = (int(address.get(name, "0"), 0) for name in ("bus", "slot"))
        used.setdefault(bus, set()).add(slot)
    return used
