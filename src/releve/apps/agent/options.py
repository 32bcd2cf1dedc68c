"""Options that the commands of an enrolled machine share."""

from pathlib import Path

import click

from releve.apps.agent.config import DEFAULT_HOME

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    envvar="RELEVE_AGENT_HOME",
    help="The agent's folder. (RELEVE_AGENT_HOME)",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
