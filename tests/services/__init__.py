"""Real servers for tests: a throw-away PostgreSQL and a throw-away Keystone."""
