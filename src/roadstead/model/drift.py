"""How the world can differ from the database: the kinds of what a sweep finds, and what each means
to an operator."""

from enum import StrEnum


class Drift(StrEnum):
    MISSING = "missing"
    DIFFERS = "differs"
    LEAKED = "leaked"
    LOST = "lost"
    FOREIGN = "foreign"


MEANING: dict[Drift, str] = {
    Drift.MISSING: (
        "a mount, export, rule set, device or share server was gone or broken, and was made again; "
        "or a VM was, and was detached"
    ),
    Drift.DIFFERS: "it was there, but not as the database says, and was set right",
    Drift.LEAKED: "it bore our mark and belonged to nothing any more, and was removed",
    Drift.LOST: (
        "a share's image is gone; the share is in `error`, and is never made anew as an empty one"
    ),
    Drift.FOREIGN: (
        "an image in the pool that this database never knew. It is never removed by itself: look "
        "whether the right database is in use"
    ),
}
