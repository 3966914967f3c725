"""docs/states.md, printed from the words in `states.py` and the table in `verbs.py`."""

import inspect
import re
from collections.abc import Iterator

from roadstead.model import states as s
from roadstead.model.verbs import GOES, VERBS, Ending, Fate, Verb

_HEAD = """\
# States

Printed from `model/states.py` and `model/verbs.py` by `make docs`; a test compares.

"""
_HOW_TO_READ = (
    "A verb is refused in a status that it does not start from, by the error in the last column. "
    "While it runs, its resource has the status *while*; the commit that ends the operation sets "
    "*done* or *failed*. So no status waits for a human: every operation ends. Of several statuses "
    "in one field it is as the world was found.\n"
)

# Each resource with the verbs that move it; those without are moved by what their page says.
_RESOURCES: tuple[tuple[str, type[s.Status], str], ...] = (
    ("Share", s.ShareStatus, "share"),
    ("Access rule", s.AccessState, "access"),
    ("All rules of a share", s.RulesStatus, ""),
    ("Share server", s.ShareServerStatus, "share_server"),
    ("Share network", s.ShareNetworkStatus, ""),
    ("Attachment", s.AttachmentState, "attachment"),
    ("Operation", s.OperationState, ""),
    ("Service: state", s.ServiceState, ""),
    ("Service: status", s.ServiceStatus, ""),
    ("Gateway: role", s.GatewayRole, ""),
    ("Gateway: health", s.GatewayHealth, ""),
    ("Probe", s.Verdict, ""),
)
_MEMBER = re.compile(
    r'(?:^    # (?P<above>.+)\n)?^    (?P<name>[A-Z_]+) = "[^"]+"(?:  # (?P<beside>.+))?$', re.M
)


def page() -> str:
    """The whole page."""
    sections = ("\n".join(_section(*resource)) for resource in _RESOURCES)
    return _HEAD + "\n".join((_HOW_TO_READ, *sections))


def meanings(words: type[s.Status]) -> dict[s.Status, str]:
    """What each word means, as said in a comment beside or above it. KeyError: one has none."""
    source = inspect.getsource(words)
    said = {m["name"]: m["beside"] or m["above"] for m in _MEMBER.finditer(source)}
    return {word: said[word.name] for word in words}


def _section(title: str, words: type[s.Status], resource: str) -> Iterator[str]:
    verbs = [verb for verb in VERBS.values() if verb.resource_type == resource]
    yield f"## {title}\n"
    yield " ".join((inspect.getdoc(words) or "").split()) + "\n"
    yield "| | |\n|---|---|"
    for word, meaning in meanings(words).items():
        yield f"| `{word}` | {meaning} |"
    yield ""
    if verbs:
        yield from _diagram(verbs)
        yield from _table(verbs)


def _table(verbs: list[Verb]) -> Iterator[str]:
    yield "| verb | from | while | done | failed | otherwise |\n|---|---|---|---|---|---|"
    for verb in verbs:
        start = _told(tuple(sorted(verb.start))) if verb.start else "made by it"
        refusal = f"{verb.refusal.__name__}" if verb.start else ""
        ends = (_told(end) for end in (verb.via, verb.done, verb.failed))
        yield f"| `{verb.name}` | {start} | {' | '.join(ends)} | {refusal} |"
    yield ""


def _told(ending: Ending) -> str:
    if isinstance(ending, Fate):
        return ending.value
    return ", ".join(f"`{word}`" for word in _words(ending))


def _words(ending: Ending) -> tuple[s.Status, ...]:
    if isinstance(ending, Fate):
        return ()
    return ending if isinstance(ending, tuple) else (ending,)


def _diagram(verbs: list[Verb]) -> Iterator[str]:
    """What the verbs do, without those that leave the status as it is."""
    yield "```mermaid\nstateDiagram-v2"
    arrows: dict[str, None] = {}
    for verb in verbs:
        if isinstance(verb.via, Fate):
            continue
        name = verb.name.partition(".")[2]
        for start in sorted(verb.start) or ("[*]",):
            arrows[f"    {start} --> {verb.via}: {name}"] = None
        for ending in (verb.done, verb.failed):
            for end in _words(ending) or (("[*]",) if ending is GOES else ()):
                arrows[f"    {verb.via} --> {end}"] = None
    yield from arrows
    yield "```\n"
