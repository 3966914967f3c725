"""`python -m tests.unit.engine.queue_worker URL HOST DIRECTORY`: an agent's side of the queue.

Prints `ready`, then each operation that it is asked to run, until standard input ends.
"""

import sys

from roadstead.engine.dbos import DbosWorker


def main(url: str, host: str, directory: str) -> None:
    worker = DbosWorker(url, host, directory)
    worker.start(lambda operation_id: print("run", operation_id, flush=True), lambda: None)
    print("ready", flush=True)
    sys.stdin.read()
    worker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
