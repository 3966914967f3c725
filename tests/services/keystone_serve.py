"""Serves Keystone by waitress, in one process.

keystone_serve.py CONFIG DATABASE PORT_FILE: takes a free port, tells the catalog, and then writes
it to PORT_FILE. Run by .setup/keystone-venv's Python, so it imports nothing of ours.
"""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# pyright: reportAttributeAccessIssue=false

import os
import sqlite3
import sys
from pathlib import Path

config, database, port_file = sys.argv[1:]
del sys.argv[1:]  # Keystone lets oslo.config read it, and ends at what it does not know
os.environ["OS_KEYSTONE_CONFIG_FILES"] = config

import waitress  # noqa: E402
from keystone.wsgi.api import application  # noqa: E402

server = waitress.create_server(application, host="127.0.0.1", port=0, threads=8, ident=None)
port = server.effective_port
with sqlite3.connect(database) as connection:
    connection.execute(
        "UPDATE endpoint SET url = ?"
        " WHERE service_id IN (SELECT id FROM service WHERE type = 'identity')",
        (f"http://127.0.0.1:{port}/v3",),
    )
connection.close()
ready = Path(port_file + ".new")
ready.write_text(str(port))
ready.rename(port_file)
server.run()
