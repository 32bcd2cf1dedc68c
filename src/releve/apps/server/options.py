"""Options that all of `releve server` shares."""

from pathlib import Path

import click

DEFAULT_HOME = Path("/var/lib/releve/server")

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    envvar="RELEVE_SERVER_HOME",
    help="The server's folder. (RELEVE_SERVER_HOME)",
)
db_option = click.option(
    "--db",
    default="",
    envvar="RELEVE_DB",
    help="Database URL; SQLite in the home else. (RELEVE_DB)",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
