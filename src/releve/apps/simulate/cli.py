"""`releve simulate`: real attacks on a marked practice share, measured, told in a table and a report."""

import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
import msgspec

from releve.apps.cli.called import called_as, to_type
from releve.apps.simulate import ledger, places, words
from releve.apps.simulate.chain import Chain
from releve.apps.simulate.guard_process import GuardFailedError
from releve.apps.simulate.ledger import Ledger
from releve.apps.simulate.plan import Plan, make_plan
from releve.apps.simulate.runner import (
    FILES,
    QUICK_SECONDS,
    Runner,
    default_report,
    new_run,
    say_conditions,
    since,
)
from releve.apps.simulate.table import Table, stream_for
from releve.model.errors import ReleveError
from releve.model.proof import Simulation


class LostFilesError(ReleveError):
    """The simulation ended with files lost, or with an attack that could not be judged."""

    status = 37
    remedy = "The promise does not hold on this machine: keep the report and send it to us."

    def __init__(self, lost: int) -> None:
        super().__init__(f"{lost} file(s) older than the window were lost.")
        self.lost = lost


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """The words of the call."""

    full: bool
    only: tuple[str, ...]
    fs: tuple[str, ...]
    portable: bool
    as_json: bool
    report: Path | None
    serve: bool
    lang: words.Lang
    files: int
    chain: bool


@click.command()
@click.option(
    "--quick", is_flag=True, help="Un choix d'attaques sur chaque système de fichiers (défaut)."
)
@click.option("--full", is_flag=True, help="Tout, sur chaque système de fichiers.")
@click.option("--only", multiple=True, metavar="NOM", help="Ce profil seulement ; peut se répéter.")
@click.option("--fs", multiple=True, metavar="FS", help="ext4, xfs ou btrfs ; peut se répéter.")
@click.option(
    "--portable", is_flag=True, help="Sans l'aide du noyau, comme un utilisateur ordinaire."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Un objet JSON sur la sortie ; le tableau sur stderr."
)
@click.option(
    "--report", type=click.Path(file_okay=False, path_type=Path), help="Dossier du rapport."
)
@click.option("--serve", is_flag=True, help="Laisser la console tourner et donner son adresse.")
@click.option(
    "--stop", "end_console", is_flag=True, help="Éteindre la console qu'un --serve a laissée."
)
@click.option("--lang", type=click.Choice(["fr", "en"]), help="Langue ; sinon LANG.")
@click.option("--files", default=FILES, show_default=True, help="Taille du partage.")
@click.option(
    "--chain/--no-chain", default=True, help="Serveur, agent et sauvegarde autour du gardien."
)
@click.option("--list", "list_all", is_flag=True, help="Nommer tous les profils.")
def simulate(  # noqa: PLR0913 - one argument per option
    *, quick: bool, full: bool, only: tuple[str, ...], fs: tuple[str, ...], portable: bool, as_json: bool,
    report: Path | None, serve: bool, end_console: bool, lang: str | None, files: int, chain: bool, list_all: bool,
) -> None:  # fmt: skip
    """Jouer de vraies attaques sur un partage fabriqué, et mesurer.

    Runs real encryptors, evasions and wipers on a marked share that it builds itself, with the guard
    outside and the attackers shut into their own process namespace. Leaves the machine as it found it.
    """
    del quick  # the default, named for those who want to say it
    wishes = Wishes(
        full=full, only=only, fs=fs, portable=portable or not places.can_mount(), as_json=as_json, report=report,
        serve=serve, lang=words.choose(lang), files=files, chain=chain and not only,
    )  # fmt: skip
    if list_all:
        _list(wishes.lang)
    elif end_console:
        _stop(wishes)
    else:
        _run(wishes)


def _list(lang: words.Lang) -> None:
    from releve.apps.simulate import attacks, honest

    for row in (*attacks.PROFILES, *attacks.NETWORK):
        click.echo(f"{row.name:<20} {row.kind:<10} {row.title if lang == 'fr' else row.title_en}")
    for work in honest.WORKLOADS:
        kind = "held-out" if work.held_out else "honest"
        click.echo(f"{work.name:<20} {kind:<10} {work.title if lang == 'fr' else work.title_en}")


def _stop(wishes: Wishes) -> None:
    stopped = ledger.stop_served()
    key = "stopped_console" if stopped else "nothing_runs"
    click.echo(words.say(wishes.lang, key, ", ".join(stopped)))


def _run(wishes: Wishes) -> None:
    plan = make_plan(full=wishes.full, only=wishes.only, fs=wishes.fs, portable=wishes.portable)
    table = Table(stream_for(wishes.as_json), wishes.lang, plan.size())
    table.say("title")
    if cleaned := ledger.clean_dead():
        table.say("cleaned", ", ".join(cleaned))
    if wishes.serve:
        ledger.stop_served()  # one console at a time: the old one holds the port
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    book = Ledger(new_run())
    chain = Chain(book, serve=wishes.serve) if wishes.chain else None
    try:
        result, failures = _measure(wishes, plan, table, book, chain)
        lost = _conclude(wishes, table, result, book.run)
    except BaseException as error:
        if chain:
            chain.release()
        book.clear()
        if isinstance(error, KeyboardInterrupt):
            table.say("interrupted")
        raise
    _leave(wishes, table, book, chain)
    if lost:
        raise LostFilesError(lost)
    if failures:
        raise GuardFailedError(failures[0])


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _measure(
    wishes: Wishes, plan: Plan, table: Table, book: Ledger, chain: Chain | None
) -> tuple[Simulation, list[str]]:
    begun = time.monotonic()
    runner = Runner(
        plan,
        table,
        book,
        portable=wishes.portable,
        files=wishes.files,
        listen=chain.feed if chain else None,
    )
    if not wishes.full and not wishes.only:
        runner.budget = QUICK_SECONDS
    say_conditions(runner.outcome, portable=wishes.portable)
    if not wishes.full:
        runner.outcome.not_shown.append(
            to_type(
                "les profils que cette simulation n'a pas choisis : `releve simulate --full` les joue tous"
            )
        )
    if chain:
        chain.boot()  # it starts while the shares are built
    runner.prepare()
    if chain:
        for done in chain.start():
            runner.outcome.care.append(done)
            table.care(done)
    runner.run()
    if chain:
        for done in chain.finish():
            runner.outcome.care.append(done)
            table.care(done)
        runner.outcome.not_shown += chain.not_shown
    command = "releve " + shlex.join(["simulate", *_own_words()])
    return runner.result(command, since(begun)), runner.failures()


def _own_words() -> list[str]:
    """The call's words as they were given, without the program and the sub-command."""
    given = sys.argv[1:]
    return given[1:] if given[:1] == ["simulate"] else given


def _conclude(wishes: Wishes, table: Table, result: Simulation, run: str) -> int:
    """Table's end, report, JSON; returns how many files were lost."""
    from releve.apps.simulate.report import write_report

    table.end(result)
    page, printed = write_report(result, wishes.report or default_report(run), lang=wishes.lang)
    table.say("report", page)
    if printed:
        table.say("report", printed)
    if wishes.as_json:
        click.echo(msgspec.json.encode(result).decode())
    return sum(row.files_lost for row in result.attacks)


def _leave(wishes: Wishes, table: Table, book: Ledger, chain: Chain | None) -> None:
    if chain and wishes.serve and chain.url:
        book.clear(keep=chain.keep(), keeper=chain.keeper())
        table.say("console", chain.url)
        if chain.setup_code:
            table.say("code", chain.setup_code)
        table.say("stop_hint", called_as())
        return
    if chain:
        chain.release()
    book.clear()
