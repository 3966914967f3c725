"""SQL, and only here. Queries take a `Scope` and give Structs; no row leaves without a project
check. SQLite and PostgreSQL are equal citizens: every statement runs on both."""
