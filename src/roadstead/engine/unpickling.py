"""No process of ours runs code that somebody wrote into the database.

A pickle is a program. Libraries that we use can read it, DBOS among them, and they take it from
rows that the API writes, which is not root, and that the root agent reads.
"""

import sys

_AUDITED = "pickle.find_class"  # raised by every unpickler, in C and in Python (docs: pickle)
_forbidden = False


class UnpicklingError(RuntimeError):
    """Somebody tried to unpickle something else than plain data."""


def forbid_unpickling() -> None:
    """From now on this process unpickles plain data only: no pickle reaches a class or a function,
    whoever reads it. It cannot be taken back. To be called first thing in every process."""
    global _forbidden
    if not _forbidden:
        sys.addaudithook(_refuse)
        _forbidden = True


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event == _AUDITED:
        raise UnpicklingError(f"a pickle names {args[0]}.{args[1]}: refused")
