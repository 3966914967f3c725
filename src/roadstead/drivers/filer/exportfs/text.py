"""What Linux' exportfs reads and prints, as text. Pure: nothing here touches the world.

From nfs-utils' exports(5) and exportfs(8), and the source of its `-v` listing: a long path stands
on a line of its own, its clients below it; everybody is printed as `<world>`.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from roadstead.model.errors import DriverError

_HEADER = "# export "
_TITLE = "# Roadstead's exports: replaced as a whole. Yours belong into a file of your own.\n"
_LISTED = re.compile(r"(.*?)\s*(\S+)\(([^()]*)\)")
# As whom nobody is admitted by us. Not "whatever is not in options()": versions print differently.
_NOT_OURS = {"all_squash", "async", "no_subtree_check", "root_squash", "secure"}
OTHER = "other"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One export of ours."""

    instance_id: str
    export_id: int
    path: str
    clients: dict[str, str] = {}


def options(instance_id: str, level: str) -> str:
    """The options of one client.

    subtree_check, although exports(5) advises against it: all shares lie on one filesystem, and
    without it whoever is admitted to one reads all of that with a forged file handle. insecure: a
    gateway translates ports, and who is root in a VM has any port. Root there is root in its share;
    the fsid keeps file handles the same across the filer's restarts."""
    return f"{level},insecure,sync,no_root_squash,subtree_check,sec=sys,fsid={instance_id}"


def target(address: str, path: str) -> str:
    """client:/path, as exportfs takes it."""
    return f"[{address}]:{path}" if ":" in address else f"{address}:{path}"


def exports_text(rules: Iterable[Rule]) -> str:
    """The file below /etc/exports.d: for each export a comment from which `parse_file` reads it
    back, then its line."""
    lines = [_TITLE]
    for rule in sorted(rules, key=lambda rule: rule.instance_id):
        lines.append(f"{_HEADER}{msgspec.json.encode(rule).decode()}\n")
        words = [f"{a}({options(rule.instance_id, level)})" for a, level in rule.clients.items()]
        if words:
            lines.append(f'"{rule.path}" {" ".join(words)}\n')
    return "".join(lines)


def parse_file(text: str) -> dict[str, Rule]:
    """The exports in such a file, by share instance. DriverError when ours are illegible."""
    texts = [line.removeprefix(_HEADER) for line in text.splitlines() if line.startswith(_HEADER)]
    try:
        rules = [msgspec.json.decode(text, type=Rule) for text in texts]
    except msgspec.DecodeError as error:
        raise DriverError(f"the filer's list of our exports was damaged: {error}") from error
    return {rule.instance_id: rule for rule in rules}


def parse_listing(text: str) -> dict[str, dict[str, str]]:
    """{path: {client: level}} of what `exportfs -v` printed; the level is `other` where somebody
    chose options that are never ours."""
    found: dict[str, dict[str, str]] = {}
    path = ""
    for line in text.splitlines():
        match = _LISTED.fullmatch(line.rstrip())
        if match is None:
            path = line.rstrip() or path
            continue
        path = match[1].strip() or path
        found.setdefault(path, {})[match[2]] = _level(set(match[3].split(",")))
    return found


def _level(words: set[str]) -> str:
    if words & _NOT_OURS:
        return OTHER
    return "rw" if "rw" in words else "ro"


def commands(
    rule: Rule | None, path: str, live: Mapping[str, str], wanted: Mapping[str, str]
) -> list[list[str]]:
    """What makes the kernel's clients of the path the wanted ones: who goes, goes first."""
    argv = [["exportfs", "-u", target(address, path)] for address in live if address not in wanted]
    for address, level in wanted.items():
        if rule is not None and live.get(address) != level:
            chosen = options(rule.instance_id, level)
            argv.append(["exportfs", "-o", chosen, target(address, path)])
    return argv
