"""Options that all of `releve server` shares."""

import ipaddress
from pathlib import Path
from typing import Any

import click

from releve.adapters.http.addresses import Network

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
structure_option = click.option("--structure", required=True, help="The structure's name.")


class _Network(click.ParamType[Network]):
    name = "cidr"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Network:
        try:
            return ipaddress.ip_network(value)
        except ValueError:
            self.fail(f"{value!r} is no network: write it as 10.1.0.0/16.", param, ctx)


networks_option = click.option(
    "--webhook-network",
    "networks",
    multiple=True,
    type=_Network(),
    metavar="CIDR",
    envvar="RELEVE_WEBHOOK_NETWORKS",
    help="A network of your own into which webhooks may go; else public addresses only."
    " (RELEVE_WEBHOOK_NETWORKS)",
)
