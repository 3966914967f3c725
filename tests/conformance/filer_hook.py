"""An administrator's program for HookFiler, whose filer is a file: `filer_hook.py STATE VERB`."""

import fcntl
import json
import sys
from pathlib import Path
from typing import Any

TOO_MUCH, CANNOT, TAKEN, AGAIN = 65, 69, 73, 75


def main() -> int:
    """The exit status that the protocol wants."""
    file, verb = Path(sys.argv[1]), sys.argv[2]
    about = json.load(sys.stdin)
    with Path(f"{file}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state: dict[str, Any] = json.loads(file.read_text())
        if state["silent"]:
            print("no route to the filer", file=sys.stderr)
            return AGAIN
        status = act(verb, about, state)
        file.write_text(json.dumps(state))
    return status


def act(verb: str, about: dict[str, Any], state: dict[str, Any]) -> int:
    """The verb is done to the state, or why not."""
    exports = state["exports"]
    if verb == "export":
        others = [e["name"] for id_, e in exports.items() if id_ != about["instance_id"]]
        if about["name"] in state["taken"] + others:
            return TAKEN
        exports[about["instance_id"]] = about
    elif verb == "unexport":
        exports.pop(about["instance_id"], None)
    elif verb == "list":
        print(json.dumps({"exports": list(exports.values())}))
    elif verb == "size":
        return TOO_MUCH if about["size_bytes"] < 1000 else 0
    else:
        print(f"Traceback\nno such verb: {verb}", file=sys.stderr)
        return CANNOT
    return 0


if __name__ == "__main__":
    sys.exit(main())
