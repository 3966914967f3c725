"""Every road the demo shows, in this order. A new road adds its line here."""

from demo import direct, gateway, hypervisor, network
from demo.scene import Road

ROADS: tuple[Road, ...] = (direct.ROAD, hypervisor.ROAD, network.ROAD, gateway.ROAD)
