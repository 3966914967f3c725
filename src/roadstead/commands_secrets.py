"""`roadstead secrets …`: the keys that seal secrets in the database."""

from pathlib import Path

import typer

from roadstead.model.errors import RoadsteadError
from roadstead.options import ConfigOption, StateOption, fail, load_or_fail

secrets_app = typer.Typer(no_args_is_help=True, help="Keys that seal secrets in the database.")


def register(app: typer.Typer) -> None:
    """The commands are part of `app`."""
    app.add_typer(secrets_app, name="secrets")


@secrets_app.command("rotate")
def rotate(config: ConfigOption = None, state: StateOption = None) -> None:
    """Make a new key and seal every secret with it; the service goes on meanwhile.

    The key before stays, for what was being written at this moment; older ones go.
    """
    from roadstead.store.db import Database
    from roadstead.store.secrets import SecretBox, add_key, forget_old_keys
    from roadstead.store.security_services import reseal_all

    settings = load_or_fail(config, state)
    path = Path(settings.secrets_file)
    db = Database(settings.database_url)
    try:
        add_key(path)
        with db.write() as tx:
            count = reseal_all(tx, SecretBox(path).reseal)
        forget_old_keys(path, keep=2)
    except (RoadsteadError, OSError) as error:
        fail(str(error))
    finally:
        db.close()
    typer.echo(f"a new key in {path}; {count} secrets sealed with it")
