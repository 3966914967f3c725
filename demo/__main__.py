"""python -m demo [ROAD ...]: 0 when every row was as expected, else 1; 130 when interrupted."""

import argparse
import io
import sys


def main() -> int:
    """The roads named, or all, have been shown."""
    try:
        from demo.roads import ROADS
        from demo.scene import run
        from demo.screen import Screen
    except ImportError as error:
        print(f"demo: {error}.\nRun it as `make demo`, which sets up what it needs.")
        return 1
    names = [road.name for road in ROADS]
    parser = argparse.ArgumentParser(prog="demo", description="See shares reach virtual machines.")
    parser.add_argument("road", nargs="*", help=f"one of: {', '.join(names)} (all if none)")
    wanted = parser.parse_args().road or names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        parser.error(f"no road is called {', '.join(unknown)}; there is: {', '.join(names)}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return run([road for road in ROADS if road.name in wanted], Screen())


if __name__ == "__main__":
    sys.exit(main())
