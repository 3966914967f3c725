"""`roadstead secrets …`: the keys that seal secrets in the database."""

from pathlib import Path

import typer

from roadstead.cli.options import HERE, Global, command


def register(app: typer.Typer) -> None:
    """The commands are part of `app`."""
    secrets = typer.Typer(no_args_is_help=True, help="Keys that seal secrets in the database.")
    app.add_typer(secrets, name="secrets")
    command(secrets, rotate, takes=HERE)


def rotate(options: Global) -> None:
    """Make a new key and seal every secret with it; the service goes on meanwhile.

    The key before stays, for what was being written at this moment; older ones go.
    """
    from roadstead.store.db import Database
    from roadstead.store.secrets import SecretBox, add_key, forget_old_keys
    from roadstead.store.security_services import reseal_all

    settings = options.load()
    path = Path(settings.secrets_file)
    db = Database(settings.database_url)
    try:
        add_key(path)
        with db.write() as tx:
            count = reseal_all(tx, SecretBox(path).reseal)
        forget_old_keys(path, keep=2)
    finally:
        db.close()
    typer.echo(f"a new key in {path}; {count} secrets sealed with it")
