"""Services and availability zones in the database."""

import datetime

from roadstead.store import availability_zones, services, tables
from roadstead.store.db import utcnow


def beat(world, **values) -> None:
    wanted = {"binary": "manila-data", "host": "h", "zone": "nova", **values}
    with world.db.write() as tx:
        services.heartbeat(tx, **wanted)


def found(world, binary="manila-data") -> list[services.ServiceRecord]:
    with world.db.read() as tx:
        return [record for record in services.find_all(tx) if record.binary == binary]


def test_a_heartbeat_makes_and_keeps_one_row(world):
    beat(world)
    (first,) = found(world)
    assert first.up
    assert not first.disabled
    beat(world, zone="elsewhere")
    (second,) = found(world)
    assert second.id == first.id
    assert second.availability_zone == "elsewhere"


def test_an_old_heartbeat_means_down(world):
    beat(world)
    with world.db.write() as tx:
        old = utcnow() - datetime.timedelta(seconds=61)
        tx.execute(tables.services.update().values(heartbeat_at=old))
    assert not found(world)[0].up


def test_disabled_survives_a_heartbeat_and_enable_forgets_the_reason(world):
    beat(world)
    switch = {"binary": "manila-data", "host": "h"}
    with world.db.write() as tx:
        assert services.set_disabled(tx, **switch, disabled=True, reason="repair")
        assert not services.set_disabled(tx, binary="manila-data", host="x", disabled=True)
    beat(world)
    assert (found(world)[0].disabled, found(world)[0].disabled_reason) == (True, "repair")
    with world.db.write() as tx:
        services.set_disabled(tx, **switch, disabled=False, reason="ignored")
    assert (found(world)[0].disabled, found(world)[0].disabled_reason) == (False, None)


def test_zones(world):
    with world.db.write() as tx:
        availability_zones.ensure(tx, "b")
        availability_zones.ensure(tx, "b")
        zones = availability_zones.find_all(tx)
        assert [zone.name for zone in zones].count("b") == 1
        made = next(zone for zone in zones if zone.name == "b")
        assert availability_zones.find(tx, made.id) == "b"
        assert availability_zones.find(tx, "b") == "b"
        assert availability_zones.find(tx, "c") is None
