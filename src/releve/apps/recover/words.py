"""Options that name an incident's plan, the right, the key and the repository: of recoveries and drills."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_PLAN = (
    click.option("--incident", default="", metavar="ID", help="Incident dont part la reprise."),
    click.option(
        "--first-write", default="", metavar="TIME", help="Première écriture malveillante (ISO)."
    ),
    click.option("--plan", default="", metavar="FILE", help="Ce que dit `recover plan --json`."),
    click.option("--server-home", default="", help="Dossier du serveur (avec --incident)."),
    click.option(
        "--lost", is_flag=True, help="Machine perdue : le catalogue vient de la sauvegarde même."
    ),
    click.option(
        "--no-newer", is_flag=True, help="Ne rien poser de plus récent que le point sain."
    ),
)
_SOURCE = (
    click.option("--right", default="", metavar="FILE", help="De `vault credential open --out`."),
    click.option(
        "--envelope",
        multiple=True,
        metavar="FILE",
        help="Clé prêtée, sous enveloppe ; une par génération.",
    ),
    click.option(
        "--private-key", default="", metavar="FILE", help="Clé privée de la salle propre."
    ),
    click.option("--repository", default="", help="Vue du coffre (dossier) ou rest:https://… ."),
    click.option("--password-file", default="", help="Mot de passe du dépôt, prêté."),
    click.option("--user", default="", help="Utilisateur du coffre."),
    click.option("--http-password-file", default="", help="Son mot de passe."),
    click.option("--ca-file", default="", help="Autorité du coffre, si elle est privée."),
    click.option("--cache", default="", help="Cache de restic. / restic's cache."),
)
state_option = click.option(
    "--state", default="", metavar="DIR", help="État des sauvegardes (RELEVE_BACKUP_STATE, …)."
)


def plan_options(command: F) -> F:
    """Where to come back from."""
    for option in reversed((*_PLAN, state_option)):
        command = option(command)
    return command


def source_options(command: F) -> F:
    """What is read, with which key, by what right."""
    for option in reversed(_SOURCE):
        command = option(command)
    return command
