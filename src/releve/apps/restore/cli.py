"""`releve restore`: a file or folder as of a time, to its place or beside it, verified by hash."""

import datetime as dt
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from releve.adapters import placing, private
from releve.adapters.linux.place import HandlePlace
from releve.adapters.portable.identity import look
from releve.adapters.restic.source import SnapshotSource
from releve.adapters.store.source import HeldSource, stores_near
from releve.apps.backup.state import BackupNotSetUpError, State
from releve.apps.restore.survey import Plan, sentences, survey
from releve.flow.backup import Source, Tell
from releve.model.backup import Progress, Version
from releve.model.errors import ReleveError
from releve.recover.said_time import understood
from releve.recover.versions import beside, choose

_THIS_SECOND = dt.timedelta(seconds=1)


class NoVersionError(ReleveError):
    """No source has the file or folder as of that time."""

    status = 77
    remedy = (
        "See which versions there are with `releve restore PATH --list`. Held originals give a folder"
        " back as of any time since its first baseline, snapshots before it. If nothing guards it or"
        " backs it up yet: `releve guard run --protect FOLDER`, `releve backup setup`."
    )

    remedy_fr = (
        "Les versions qu'il y a : `releve restore CHEMIN --list`. Les originaux tenus rendent un dossier"
        " à toute heure depuis la première copie, les sauvegardes avant. Si rien ne le garde ni ne le"
        " sauvegarde : `releve guard run --protect DOSSIER`, `releve backup setup`."
    )

    def __init__(self, path: str, at: dt.datetime | None) -> None:
        when = f" as of {local(at)}" if at else ""
        at_fr = f" du {local(at)}" if at else ""
        self.fr = f"Ni original tenu ni sauvegarde n'a de version de {path}{at_fr}."
        super().__init__(f"No held original and no snapshot has a version of {path}{when}.")
        self.path = path
        self.at = at


class WouldReplaceError(ReleveError):
    """What is there now would be replaced, and nobody said yes."""

    status = 78
    remedy = (
        "Add --yes to replace it, --missing to bring back only what is not there any more, or leave"
        " --in-place out to get the version beside it."
    )

    remedy_fr = (
        "Ajouter --yes pour le remplacer, --missing pour ne ramener que ce qui n'est plus là, ou retirer"
        " --in-place pour avoir la version à côté."
    )

    def __init__(self, plan: str) -> None:
        super().__init__(f"This would replace what is there. {plan}")
        self.fr = f"Cela remplacerait ce qui est là. {plan}"


class RestoreIncompleteError(ReleveError):
    """Some files could not be put in place; all others are."""

    status = 79
    remedy = "Look at the reasons, mend them, and run the same command again."
    remedy_fr = "Regarder les raisons, y remédier, et relancer la même commande."

    def __init__(self, failed: Sequence[str]) -> None:
        super().__init__(f"{len(failed)} files could not be placed: {'; '.join(failed[:3])}.")
        self.fr = f"{len(failed)} fichiers n'ont pu être remis : {' ; '.join(failed[:3])}."
        self.failed = tuple(failed)


class Restored(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="restored"):
    """What one restore did."""

    path: str
    to: str
    source: str
    version_at: dt.datetime
    made: int
    replaced: int
    unchanged: int
    kept: int = 0  # changed since, and left as it is (--missing)
    ms: float
    sha256: str | None = None  # of a single file, as it is in place
    set_aside: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def sources(
    path: str,
    *,
    state: str | None,
    store: str | None,
    only: str | None,
    at: dt.datetime | None = None,
    tell: Tell = lambda _: None,
) -> list[Source]:
    """Every source that this machine has for a path, best first. A new source adds its row here.

    Raises: BackupNotSetUpError if it has none.
    """
    found: list[Source] = []
    stores = [store] if store else trusted_stores(path)
    if stores and only in {None, HeldSource.name}:
        found.append(HeldSource(stores, (handle_key, inode_key), at, tell))
    if only in {None, SnapshotSource.name}:
        try:
            found.append(SnapshotSource(State(state).engine(), tell))
        except BackupNotSetUpError:
            if not found:
                raise
    return found


def trusted_stores(path: str) -> list[str]:
    """The stores near a path, without those that a user may have put there.

    Root gives files back with the owner and mode that a store tells: one made by a user would tell
    him what to make. A guard's own store is always root's (see private_store).
    """
    return [s for s in stores_near(path) if os.geteuid() != 0 or private.is_ours(s)]


def handle_key(folder: str) -> bytes:
    """How a guard with the kernel's help names a directory. Raises: OSError."""
    place = HandlePlace(folder)
    try:
        return place.key_of(folder)
    finally:
        place.close()


def inode_key(folder: str) -> bytes:
    """How a portable guard names a directory. Raises: OSError."""
    return look(folder).key


# What serves pages imports a web server: not for a file that somebody waits for.
_LATER = {
    "serve": "releve.apps.restore.serving:serve",
    "link": "releve.apps.restore.serving:link",
    "log": "releve.apps.restore.serving:log_command",
}


class Restore(click.Group):
    """`releve restore PATH` is `releve restore file PATH`; other words are commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A file called as a command is: `./serve`, or `file serve`."""
        known = {"file", *_LATER, *self.get_help_option_names(ctx)}
        return super().parse_args(ctx, args if args and args[0] in known else ["file", *args])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import no more than this command needs."""
        if cmd_name in _LATER and cmd_name not in self.commands:
            module, _, name = _LATER[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), name))
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All."""
        for name in _LATER:
            self.get_command(ctx, name)
        return super().list_commands(ctx)


@click.group(cls=Restore)
def restore() -> None:
    r"""Reprendre un fichier ou un dossier tel qu'il était.

    Brings a file or folder back as it was at a time, from held originals or snapshots.

    \b
      releve restore CHEMIN [--at "2026-11-22 14:05"]   options : releve restore file --help
      releve restore serve --for "Mme Martin"           une page pour tous, sans commande
    """


@restore.command(name="file")
@click.argument("path")
@click.option(
    "--at",
    "--as-of",
    "at",
    help="Tel qu'il était à cette heure, de cette machine : 2026-11-22 14:05 ; ou d'un autre fuseau :"
    " 2026-11-22 14:05+01:00 (sinon le dernier).",
)
@click.option("--list", "only_list", is_flag=True, help="Montrer les versions, ne rien reprendre.")
@click.option("--in-place", is_flag=True, help="À sa place (sinon à côté s'il existe encore).")
@click.option("--to", help="Ailleurs : ce chemin, qui n'existe pas encore.")
@click.option("--from", "only", help="Une seule source : held, snapshots.")
@click.option("--yes", is_flag=True, help="Remplacer ce qui s'y trouve.")
@click.option(
    "--missing",
    is_flag=True,
    help="À sa place, mais seulement ce qui n'y est plus ; rien n'est remplacé.",
)
@click.option("--store", metavar="DIR", help="Réserve du gardien, si elle est ailleurs.")
@click.option("--state", metavar="DIR", help="Dossier d'état des sauvegardes.")
@click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
def file(
    path: str,
    *,
    at: str | None,
    only_list: bool,
    in_place: bool,
    to: str | None,
    only: str | None,
    yes: bool,
    missing: bool,
    store: str | None,
    state: str | None,
    as_json: bool,
) -> None:
    """Reprendre un fichier ou un dossier tel qu'il était.

    Brings PATH back as it was at a time, from held originals or snapshots, verified by hash; a
    folder with the names of that time, files deleted or renamed since included.
    """
    path = str(Path(path).absolute())
    when = read_time(at)
    _refuse_future(at, when)
    tell = teller(as_json=as_json)
    known = sources(path, state=state, store=store, only=only, at=when, tell=tell)
    versions = all_versions(known, path)
    if only_list:
        if not versions:
            raise NoVersionError(path, when)
        show(versions, as_json=as_json)
        return
    version = choose(versions, when)
    if version is None:
        raise NoVersionError(path, when)
    source = next(source for source in known if source.name == version.source)
    target = destination(version, to=to, in_place=in_place or missing)
    plan = Plan(
        path=path, to=target, source=source.name, version_at=version.at.astimezone().isoformat()
    )
    entries = source.entries(version)
    plan = plan if entries is None else survey(entries, plan)
    headline = said_plan(version, plan, only_missing=missing, is_known=entries is not None)
    if would_replace(plan, is_known=entries is not None) and not missing:
        if not (yes and in_place):
            raise WouldReplaceError(headline)
    if not as_json:
        click.echo(headline, err=True)
    elif version.is_folder:
        click.echo(msgspec.json.encode(plan).decode())
    done = bring(source, version, target, only_missing=missing)
    click.echo(msgspec.json.encode(done).decode() if as_json else sentence(done))
    if done.failed:
        raise RestoreIncompleteError(done.failed)


def teller(*, as_json: bool) -> Tell:
    """Says how far it is: a line of its own in JSON, one line rewritten at a terminal."""

    def tell(progress: Progress) -> None:
        if as_json:
            click.echo(msgspec.json.encode(progress).decode())
        elif sys.stderr.isatty():
            share = "" if progress.percent is None else f" {progress.percent:.0f} %"
            end = "\n" if progress.percent == 100 else ""
            click.echo(f"\r  {progress.files} fichier(s){share}{end}", err=True, nl=False)

    return tell


def would_replace(plan: Plan, *, is_known: bool) -> bool:
    """Something at the destination would change that is not gone."""
    return plan.replace > 0 if is_known else os.path.lexists(plan.to)


def all_versions(known: Sequence[Source], path: str) -> list[Version]:
    """The versions of every source; one that fails is told and passed over, unless all fail."""
    versions: list[Version] = []
    errors: list[ReleveError] = []
    for source in known:
        try:
            versions += source.versions(path)
        except ReleveError as error:
            errors.append(error)
            click.echo(f"releve: {source.name}: {error}", err=True)
    if errors and not versions:
        raise errors[0]
    return versions


def read_time(said: str | None) -> dt.datetime | None:
    """A time without zone is the machine's local one; told to the second it includes that second.

    `--list` prints seconds and the zone: what it names must be found by what it prints. So must what
    reports and the console show: "22 novembre 2026 à 14:05 UTC".
    """
    if said is None:
        return None
    words = said.split()
    zone = _zone(words[-1]) if words else None
    text = " ".join(words[:-1] if zone else words)
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        meant = understood(text, dt.datetime.now(dt.UTC).astimezone(zone))
        if meant is None or not meant.is_exact:
            wrong = "no such date and time, or words unknown; say it like 2026-11-22 14:05"
            raise click.BadParameter(f"{said!r}: {wrong}") from None
        return meant.at.astimezone(dt.UTC)
    if re.search(r":\d\d:\d\d(?![.,\d])", text.partition("+")[0]):
        at = at.replace(microsecond=999_999)
    return (at.replace(tzinfo=at.tzinfo or zone)).astimezone(dt.UTC)


def _refuse_future(said: str | None, when: dt.datetime | None) -> None:
    """Before an attack in another zone's time is after it in this machine's: the wrong version."""
    now = dt.datetime.now(dt.UTC)
    if when is not None and when > now + _THIS_SECOND:
        why = f"pas encore passé ici, il est {local(now)} / not yet here, it is {local(now)}"
        raise click.BadParameter(f"{said!r} : {why}", param_hint="--at")


def _zone(name: str) -> dt.tzinfo | None:
    """The zone that a time ends with; None: it ends with none."""
    try:
        return ZoneInfo("CET" if name == "CEST" else name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def destination(version: Version, *, to: str | None, in_place: bool) -> str:
    """Where it goes: as told, else its place if that is free, else beside."""
    if to is not None:
        return str(Path(to).absolute())
    if in_place or not Path(version.path).exists():
        return version.path
    return beside(version.path, version.at.astimezone())


def said_plan(version: Version, plan: Plan, *, only_missing: bool, is_known: bool) -> str:
    """What will be done, before it is done."""
    said = f"{version.path} tel que le {local(version.at)} ({version.source}) → {plan.to}"
    return f"{said}\n{sentences(plan, only_missing=only_missing)}" if is_known else said


def bring(source: Source, version: Version, target: str, *, only_missing: bool = False) -> Restored:
    """Fetch, verify, then place in one step per file."""
    begun = monotonic()
    with placing.scratch(target) as folder:
        fetched = source.fetch(version, folder)
        is_file = not version.is_folder and not Path(fetched).is_symlink()
        digest = placing.sha256(fetched) if is_file else None
        placed = placing.place(fetched, target, only_missing=only_missing)
    return Restored(
        path=version.path,
        to=target,
        source=version.source,
        version_at=version.at,
        made=placed.made,
        replaced=placed.replaced,
        unchanged=placed.unchanged,
        kept=placed.kept,
        ms=round((monotonic() - begun) * 1000, 1),
        sha256=digest,
        set_aside=tuple(placed.set_aside),
        failed=tuple(placed.failed),
    )


def sentence(done: Restored) -> str:
    count = done.made + done.replaced + done.unchanged
    said = f"Repris et vérifié : {count} fichier(s) en {done.ms / 1000:.1f} s → {done.to}"
    if done.unchanged:
        said += f" ({done.unchanged} déjà identiques)"
    if done.kept:
        said += f" ; {done.kept} changé(s) depuis, gardé(s)"
    if done.set_aside:
        said += f" ; mis de côté : {', '.join(done.set_aside)}"
    return said


def show(versions: Sequence[Version], *, as_json: bool) -> None:
    for version in sorted(versions, key=lambda version: version.at):
        if as_json:
            click.echo(msgspec.json.encode(version).decode())
        else:
            size = "dossier" if version.is_folder else f"{version.size} octets"
            click.echo(f"{local(version.at)}  {version.source}  {size}")


def local(at: dt.datetime) -> str:
    """In the machine's zone, and in a form that `--at` takes."""
    return at.astimezone().isoformat(" ", "seconds")
