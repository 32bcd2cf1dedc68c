"""`releve guard`: run the guard in the foreground, and speak to a running one."""

import datetime as dt
import getpass
import os
import pwd
import shutil
import sys
from collections.abc import Callable, Sequence

import click
import msgspec

from releve.model.errors import ReleveError, UsageError


class ApprovalError(ReleveError):
    """The approval is not well formed."""

    status = 17
    remedy = (
        "Name an existing user, program and folder, and an end within 31 days: --until 8h, or a time"
        " of this machine such as --until 2026-11-22T18:00."
    )


class Freeable(msgspec.Struct, frozen=True):
    """What `guard free` would give back."""

    files: int
    bytes: int


class NotConfirmedError(ReleveError):
    """Held versions would be destroyed, and nobody said yes."""

    status = 22
    remedy = "Add --yes if nobody will ask for these deleted files any more."

    def __init__(self, files: int, size: int) -> None:
        super().__init__(f"The versions of {files} deleted files ({size} bytes) would go for good.")


class UnknownFamilyError(ReleveError):
    """The guard does not know this family, or has not frozen it."""

    status = 18
    remedy = "See `releve guard status` for the families it stopped."

    def __init__(self, family: str, why: str) -> None:
        super().__init__(why or f"No family {family}.")
        self.family = family


@click.group()
def guard() -> None:
    """Holds every original, watches, stops what destroys, rolls back (le gardien)."""


@guard.command()
@click.option("--protect", multiple=True, metavar="DIR", help="Folder to protect; may be repeated.")
@click.option(
    "--box",
    default="",
    metavar="DIR",
    help="Home of a file server (`releve share`): its shares are guarded too.",
)
@click.option(
    "--enforce",
    is_flag=True,
    help="Act. Without it the guard only says what it would have stopped.",
)
@click.option(
    "--watch-hours",
    default=0.0,
    metavar="H",
    help="With --enforce: only watch for the first H hours.",
)
@click.option(
    "--store",
    default="",
    metavar="DIR",
    help="Where originals are held [default: root-only folder on the same file system].",
)
@click.option(
    "--scope",
    default=0,
    metavar="PID",
    help="Send signals only inside the PID namespace of this process. Families end below that"
    " namespace's pid 1, which is taken for its service manager and never stopped.",
)
@click.option(
    "--portable",
    is_flag=True,
    help="No kernel help: originals held all the same, the writer named by best evidence.",
)
@click.option("--copy", is_flag=True, help="Hold copies even where clones work.")
@click.option(
    "--care",
    multiple=True,
    metavar="EXE",
    help="Program that carries care: frozen and asked about, never killed.",
)
@click.option(
    "--canaries", is_flag=True, help="Plant witness files that sort first and last, out of sight."
)
@click.option(
    "--never-block",
    multiple=True,
    metavar="ADDRESS",
    help="Never keep this address, name or URL away from the file server: the Relève server.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout (the contract for scripts).",
)
def run(
    protect: tuple[str, ...],
    box: str,
    enforce: bool,
    watch_hours: float,
    store: str,
    scope: int,
    portable: bool,
    copy: bool,
    care: tuple[str, ...],
    canaries: bool,
    never_block: tuple[str, ...],
    as_json: bool,
) -> None:
    """Guard folders in the foreground until SIGTERM."""
    from releve.apps.guard.alone import become
    from releve.apps.guard.config import Asked, GuardConfig

    _check_words(protect, (box, store, *care, *never_block))
    asked = Asked(
        guard=GuardConfig(
            protect=protect,
            box=box,
            enforce=enforce and not watch_hours,
            store=store,
            scope=scope,
            portable=portable,
            copy=copy,
            care_programs=care,
            never_block=never_block,
        ),
        enforce_after_s=watch_hours * 3600 if enforce else 0.0,
        canaries=canaries,
        as_json=as_json,
        called=sys.argv[0],
    )
    become(msgspec.json.encode(asked).decode())


def _check_words(folders: Sequence[str], others: Sequence[str]) -> None:
    """What the guard's process is handed is UTF-8. Raises: FolderError, UsageError."""
    for word in (*folders, *others):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            from releve.apps.guard.wiring import not_utf8

            refused = not_utf8(word)
            raise refused if word in folders else UsageError(str(refused)) from error


def _store(store: str, protect: str) -> str:
    """The store of the guard that is meant: one that runs, portable or not; else where one would be."""
    from releve.adapters.store.source import stores_near
    from releve.apps.guard.portable import portable_store
    from releve.apps.guard.wiring import default_store

    if store:
        return store
    folder = os.path.realpath(protect or ".")
    usual = default_store(folder)
    for place in (usual, portable_store(folder)):
        if os.path.exists(os.path.join(place, "control.sock")):
            return place
    near = (place for place in stores_near(folder) if _guards(place, folder))
    return next(near, usual)


def _guards(store: str, folder: str) -> bool:
    """Whether a guard answers there and protects the folder, or one above it."""
    from releve.adapters.control import Ask, GuardNotRunningError, ask
    from releve.model.lines import Status

    try:
        told = msgspec.json.decode(ask(store, Ask(verb="status")).body, type=Status)
    except (GuardNotRunningError, OSError, msgspec.MsgspecError):
        return False
    paths = [one.path.rstrip("/") for one in told.folders]
    return any(folder == path or folder.startswith(f"{path}/") for path in paths)


_WHERE = (
    click.option("--store", default="", metavar="DIR", help="Store of the guard."),
    click.option(
        "--protect",
        default="",
        metavar="DIR",
        help="A folder that the guard protects [default: here].",
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
)


def _where(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_WHERE):
        command = option(command)
    return command


def _tell(verb: str, family: str, store: str, protect: str, as_json: bool) -> None:
    from releve.adapters.control import Ask, ask

    answer = ask(_store(store, protect), Ask(verb=verb, family=family))
    if as_json:
        click.echo(msgspec.json.encode(answer))
    elif answer.ok:
        click.echo(_said(bytes(answer.body)) if verb == "status" else "Fait.")
    if not answer.ok:
        raise UnknownFamilyError(family, answer.why)


def _said(status: bytes) -> str:
    from releve.apps.guard.show import standing
    from releve.model.lines import Status

    return standing(msgspec.json.decode(status, type=Status))


@guard.command()
@_where
def status(store: str, protect: str, as_json: bool) -> None:
    """What a running guard holds, and whom it stopped."""
    _tell("status", "", store, protect, as_json)


@guard.command()
@click.argument("family")
@_where
def thaw(family: str, store: str, protect: str, as_json: bool) -> None:
    """Let a frozen family go on: you know what it does."""
    _tell("thaw", family, store, protect, as_json)


@guard.command()
@click.argument("family")
@_where
def kill(family: str, store: str, protect: str, as_json: bool) -> None:
    """End a frozen family."""
    _tell("kill", family, store, protect, as_json)


@guard.command()
@click.option("--yes", is_flag=True, help="Do it; without it the plan is shown.")
@_where
def free(yes: bool, store: str, protect: str, as_json: bool) -> None:
    """Give back the room of files that were deleted: their held versions go now."""
    from releve.adapters.control import Ask, ask

    place = _store(store, protect)
    plan = msgspec.json.decode(ask(place, Ask(verb="freeable")).body, type=Freeable)
    if not yes:
        raise NotConfirmedError(plan.files, plan.bytes)
    answer = ask(place, Ask(verb="free"))
    if as_json:
        click.echo(msgspec.json.encode(answer))
    else:
        click.echo(f"{plan.files} fichiers supprimés ne sont plus gardés ({plan.bytes} octets).")


@guard.command("stop-family")
@click.argument("family")
@_where
def stop_family(family: str, store: str, protect: str, as_json: bool) -> None:
    """Stop a family and undo what it did, on a person's order."""
    _tell("stop", family, store, protect, as_json)


@click.command()
@click.option("--user", required=True, help="Who will encrypt (login or uid).")
@click.option(
    "--program",
    required=True,
    metavar="EXE",
    help="The program, by its path; its content is part of the approval.",
)
@click.option("--folder", required=True, metavar="DIR", help="Only below this folder.")
@click.option(
    "--until", required=True, metavar="TIME", help="2026-11-22T18:00, or hours from now such as 2h."
)
@click.option("--reason", default="", help="Why; kept in the log.")
@click.option(
    "--store", default="", metavar="DIR", help="Store of the guard [default: the folder's]."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def approve(
    user: str, program: str, folder: str, until: str, reason: str, store: str, as_json: bool
) -> None:
    """Allow an intended bulk encryption in advance: signed, logged, expiring."""
    from releve.adapters.store.approvals import ApprovalFile, digest
    from releve.model.approval import Approval

    now = dt.datetime.now(dt.UTC)
    path = os.path.realpath(shutil.which(program) or program)
    content = digest(path)
    if not content:
        raise ApprovalError(f"There is no program {program}.")
    place = os.path.realpath(folder)
    approval = Approval(
        user=_uid(user),
        program=path,
        program_sha256=content,
        folder=place,
        until=_until(until, now),
        by=getpass.getuser(),
        made_at=now,
        reason=reason,
    )
    signed = ApprovalFile(_store(store, place)).add(approval)
    if as_json:
        click.echo(msgspec.json.encode(signed))
    else:
        click.echo(
            f"Approuvé : {path} par {user} sous {place} jusqu'au {signed.until:%d/%m/%Y %H:%M} UTC."
        )


def _uid(user: str) -> int:
    if user.isdigit():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise ApprovalError(f"There is no user {user}.") from error


def _until(text: str, now: dt.datetime) -> dt.datetime:
    try:
        if text.endswith("h"):
            end = now + dt.timedelta(hours=float(text[:-1]))
        else:
            end = dt.datetime.fromisoformat(text)
            end = end if end.tzinfo else end.astimezone()
    except ValueError as error:
        raise ApprovalError(f"{text} is no time.") from error
    if not now < end <= now + dt.timedelta(days=31):
        raise ApprovalError("An approval ends in the future, within 31 days.")
    return end.astimezone(dt.UTC)
