"""Plays exportfs(8) on a file of its own: `fake_exportfs.py STATE WORDS…`."""

import json
import sys
from pathlib import Path


def main() -> int:
    """The exit status."""
    file, words = Path(sys.argv[1]), sys.argv[2:]
    state: dict[str, dict[str, str]] = json.loads(file.read_text() or "{}")
    with Path(f"{file}.calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    if words == ["-v"]:
        for path, clients in state.items():
            for client, options in clients.items():
                # As nfs-utils does it: a long path has a line of its own.
                gap = "\t" if len(path) < 15 else "\n\t\t"
                shown = options.replace("subtree_check,", "")
                print(f"{path}{gap}{client}({shown},no_all_squash)")
        return 0
    address, path = split(words[-1])
    if words[0] == "-u":
        if state.get(path, {}).pop(address, None) is None:
            print(f"exportfs: Could not find '{words[-1]}' to unexport.", file=sys.stderr)
            return 1
    elif words[0] == "-o":
        state.setdefault(path, {})[address] = words[1]
    else:
        return 2
    file.write_text(json.dumps(state))
    return 0


def split(target: str) -> tuple[str, str]:
    """(address, path) of address:/path or [v6]:/path."""
    if target.startswith("["):
        address, _, path = target[1:].partition("]:")
    else:
        address, _, path = target.partition(":")
    return address, path


if __name__ == "__main__":
    sys.exit(main())
