"""Every road the demo shows, in this order. A new road adds its line here."""

from demo import direct
from demo.scene import Road

ROADS: tuple[Road, ...] = (direct.ROAD,)
