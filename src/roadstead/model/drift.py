"""How the world can differ from the database: the kinds of what a sweep finds, and what each means
to an operator."""

from enum import StrEnum


class Drift(StrEnum):
    MISSING = "missing"
    DIFFERS = "differs"
    LEAKED = "leaked"
    LOST = "lost"
    FOREIGN = "foreign"
    MISPLACED = "misplaced"


MEANING: dict[Drift, str] = {
    Drift.MISSING: (
        "a mount, export, rule set, device or share server was gone or broken, and was made again; "
        "or a VM was, and was detached"
    ),
    Drift.DIFFERS: "it was there, but not as the database says, and was set right",
    Drift.LEAKED: (
        "it bore our mark and belonged to nothing any more, and was removed; a share's bytes by "
        "way of the [trash](#trash)"
    ),
    Drift.LOST: (
        "a share's image is gone; the share is in `error`, and is never made anew as an empty one"
    ),
    Drift.FOREIGN: (
        "something that this database never knew. It is never removed by itself: look whether the "
        "right database is in use"
    ),
    Drift.MISPLACED: (
        "something that belongs to a row of another host, backend or pool: a [name has "
        "changed](#names), or two backends use one directory. It is left alone"
    ),
}
