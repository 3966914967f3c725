"""Kill the service at every step of every operation, and look for what is left.

`python -m tests.crash` (make crash) does it for SQLite and PostgreSQL, with real pools, exports and
processes. A verb without a scenario in `scenarios.py` fails it.
"""
