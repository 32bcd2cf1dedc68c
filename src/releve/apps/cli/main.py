"""The command `releve`: a table of sub-commands, and the one place that prints errors.

Sub-commands are imported when called: the guard must start fast and small.
stdout is the result, stderr is talk.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import click
import msgspec

import releve
from releve.adapters.loading import loading
from releve.apps.cli.called import describe, spoken
from releve.apps.cli.exits import exits_of
from releve.model.errors import ReleveError, UsageError

INTERRUPTED = 130
BROKEN_PIPE = 141
_HELP = "help"


class Row(msgspec.Struct, frozen=True):
    """One sub-command: where it is, and its line in `releve --help`."""

    target: str  # "module:function"
    line: str


# Adding a sub-command adds its row here; the module is imported only when the command is called.
COMMANDS: dict[str, Row] = {
    "guard": Row("releve.apps.guard.cli:guard", "Garder des dossiers : tenir chaque original."),
    "share": Row("releve.apps.box.cli:share", "Faire d'ici un serveur de fichiers gardé."),
    "approve": Row("releve.apps.guard.cli:approve", "Autoriser d'avance un chiffrement voulu."),
    "backup": Row("releve.apps.backup.cli:backup", "Sauvegarder vers un coffre en ajout seul."),
    "restore": Row(
        "releve.apps.restore.cli:restore", "Reprendre un fichier, un dossier, tel qu'il était."
    ),
    "vault": Row(
        "releve.apps.vault.cli:vault", "Le coffre : recevoir, ne jamais effacer, prouver."
    ),
    "recover": Row(
        "releve.apps.recover.cli:recover", "Rouvrir le dossier aussitôt, le ramener en travaillant."
    ),
    "key": Row("releve.apps.key.cli:key", "Les clés de la sauvegarde : papier, essais, fuite."),
    "drill": Row(
        "releve.apps.drill.cli:drill", "Prouver par un essai que les sauvegardes reviennent."
    ),
    "isolate": Row("releve.apps.box.cli:isolate", "Isoler cette machine, lien au serveur gardé."),
    "release": Row("releve.apps.box.cli:release", "Lever l'isolement."),
    "agent": Row("releve.apps.agent.cli:agent", "Relier cette machine au serveur."),
    "server": Row("releve.apps.server.cli:server", "Le serveur et la console."),
    "situation": Row(
        "releve.apps.server.situation_cli:situation",
        "Toutes les structures d'un coup d'œil, la pire d'abord.",
    ),
    "host": Row("releve.apps.server.host_cli:host", "Les postes d'une structure : les voir, agir."),
    "structure": Row(
        "releve.apps.server.structure_cli:structure", "Ce qu'une structure dit d'elle-même."
    ),
    "group": Row(
        "releve.apps.server.circle_cli:group",
        "Les groupes : comparer leurs structures, en chiffres.",
    ),
    "insurer": Row(
        "releve.apps.server.circle_cli:insurer",
        "Les assureurs : des chiffres réunis, avec l'accord de chacune.",
    ),
    "obligation": Row(
        "releve.apps.server.obligation_cli:obligation", "Les horloges légales d'un incident."
    ),
    "dossier": Row(
        "releve.apps.server.dossier_cli:dossier", "Les dossiers à déposer, préparés et signés."
    ),
    "desk": Row(
        "releve.apps.server.desk_cli:desk", "L'astreinte : qui est appelé, qui demande de l'aide."
    ),
    "help": Row("releve.apps.agent.help_cli:help_", "Demander de l'aide, pour toute panne."),
    "audit": Row("releve.apps.server.audit_cli:audit", "Le journal d'audit : lire et vérifier."),
    "incident": Row(
        "releve.apps.server.incident_cli:incident",
        "Les incidents : suivre, réunir, clore, prouver.",
    ),
    "playbook": Row(
        "releve.apps.server.playbook_cli:playbook", "Les fiches réflexes : suivre, imprimer."
    ),
    "statement": Row(
        "releve.apps.server.statement_cli:statement", "Le relevé de service d'un mois, signé."
    ),
    "papers": Row(
        "releve.apps.server.papers_cli:papers", "Les papiers RGPD de Relève, à imprimer et signer."
    ),
    "onboard": Row(
        "releve.apps.server.onboard_cli:onboard", "Accueillir des structures, d'un seul fichier."
    ),
    "install": Row(
        "releve.apps.install.cli:install", "Installer une machine, avec ce que l'accueil a écrit."
    ),
    "leave": Row(
        "releve.apps.server.leave_cli:leave", "Une structure s'en va : remettre, effacer, prouver."
    ),
    "simulate": Row("releve.apps.simulate.cli:simulate", "Rejouer de vraies attaques et mesurer."),
}


class LazyGroup(click.Group):
    """A group whose commands are rows of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's word)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        module, _, name = row.target.partition(":")
        if module not in sys.modules:
            with loading():
                import_module(module)
        command = getattr(sys.modules[module], name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{row.target} is not a command")
        if ctx.obj == _HELP:  # naming the errors imports what the commands themselves need not
            tell_statuses(command, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the rows without importing what they name."""
        with formatter.section("Commandes"):
            formatter.write_dl([(name, row.line) for name, row in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Détail : releve COMMANDE --help. --json : où cette aide le montre. États : docs/errors.md.",
)
@click.version_option(releve.__version__, prog_name="releve", message="%(prog)s %(version)s")
def cli() -> None:
    """Relève : les fichiers du cabinet tiennent pendant l'attaque, et chaque chiffre est prouvé.

    Relève keeps a practice's files through an attack, and proves every figure it shows.
    """


def tell_statuses(command: click.Command, words: str) -> None:
    """End the help of a command and its sub-commands with the exit statuses it can give."""
    if isinstance(command, click.Group):
        command.list_commands(click.Context(command))  # a group may load its commands only now
        for name, inner in command.commands.items():
            tell_statuses(inner, f"{words} {name}")
    # Docstrings are raw (they show commands with a backslash); click wants the sign itself.
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    if command.epilog is not None:
        return
    rows = {0: "done", UsageError.status: "wrong words", INTERRUPTED: "interrupted"}
    if isinstance(command, click.Group):
        more = f"Those of each command: releve {words} COMMAND --help. All: docs/errors.md."
    else:
        rows[ReleveError.status] = "failed in a way that has no status of its own"
        more = "What to do about each: docs/errors.md."
    for error in exits_of(words):
        rows[error.status] = (error.__doc__ or error.__name__).partition("\n")[0]
    lines = "\n".join(f"  {status:3}  {said}" for status, said in sorted(rows.items()))
    command.epilog = f"\b\nEXIT STATUS\n{lines}\n\n{more}"


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status; a bug keeps its traceback."""
    as_json = "--json" in arguments
    try:
        asked = _HELP if {"--help", "-h"} & set(arguments) else ""
        status = cli.main(list(arguments), prog_name="releve", standalone_mode=False, obj=asked)
    except ReleveError as error:
        click.echo(describe(error, as_json=as_json), err=True)
        return error.status
    except click.ClickException as error:
        if as_json:
            usage = ReleveError(error.format_message())
            where = getattr(error, "ctx", None)
            words = where.command_path if where else "releve"
            usage.status, usage.remedy = error.exit_code, f"See `{words} --help`."
            click.echo(describe(usage, as_json=True), err=True)
        elif spoken() == "fr" and not isinstance(error, click.exceptions.NoArgsIsHelpError):
            from releve.apps.cli.usage import usage_in_french

            click.echo(usage_in_french(error), err=True)
        else:
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # `releve … | head` closed its end: nothing to tell
        return BROKEN_PIPE
    return status if isinstance(status, int) else 0


def main() -> NoReturn:
    """The entry point of pyproject.toml."""
    _leave_no_core()
    sys.exit(run(sys.argv[1:]))


def _leave_no_core() -> None:
    """What we and our children hold in memory (keys, passwords, names) is on no disk after a crash."""
    with suppress(ImportError):  # Windows
        import resource

        # One byte, not none: where cores go to a program's pipe, Linux heeds this number alone.
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        most = 1 if hard == resource.RLIM_INFINITY else min(hard, 1)
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))


if __name__ == "__main__":
    main()
