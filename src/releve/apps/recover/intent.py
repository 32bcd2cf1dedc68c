"""From the words of `recover start` to its order: which plan, whose key, by what right, which view.

At three in the morning one command must do: the plan is looked up, the lent key is taken out of its
envelope, the gate is asked for the repository as it was when the wanted snapshots were received.
Secrets are written beside the order, for root alone, and go when the recovery is finished.
What only some words need is imported by them: a practice waits for its files.
"""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from releve.adapters.durable import half_written, write
from releve.adapters.restic.lent import Lent
from releve.apps.recover.state import RecoveryHome
from releve.flow.backup import WrongPasswordError
from releve.flow.keys import EnvelopeError, open_envelope
from releve.model.clean import Plan
from releve.model.errors import ReleveError, UsageError
from releve.model.keys import Envelope
from releve.model.vault import Right, ViewWish
from releve.recover.course import MOST_BYTES, Course, NoCleanPointError, course

if TYPE_CHECKING:  # an HTTP client: imported by those who ask
    from releve.adapters.vault.asked import AskedDesk

SECRETS = ("password", "http-password")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What `recover start` and `drill run` may be told of plan, key and right."""

    incident: str = ""
    first_write: str = ""
    plan: str = ""
    server_home: str = ""
    state: str = ""
    no_newer: bool = False
    lost: bool = False
    right: str = ""
    envelope: tuple[str, ...] = ()  # one for each generation that is needed
    private_key: str = ""
    repository: str = ""
    password_file: str = ""
    user: str = ""
    http_password_file: str = ""
    ca_file: str = ""
    cache: str = ""
    judge_minutes: float = 0.0  # for judging, when no clean point is known; 0: nothing is judged
    as_json: bool = False

    @property
    def has_plan(self) -> bool:
        return bool(self.plan or self.incident or self.first_write)

    @property
    def begins(self) -> bool:
        """Whether they name something to recover; without, what stands goes on."""
        return bool(self.repository or self.envelope or self.has_plan)


class RightFileError(ReleveError):
    """The file is not what `releve vault credential open --out` wrote, or what `recover plan` said."""

    status = 36
    remedy = "Give --right the file of `releve vault credential open --out`, --plan that of `recover plan --json`."

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}.")


class GrantedRight(msgspec.Struct, frozen=True):
    """What the file of a right says; more may be in it."""

    credential: str
    secret: str


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is read from, and by what right."""

    lent: Lent
    right: Right | None = None
    view: str = ""
    repository: str = ""  # of which that is a view
    host: str = ""  # whose backups they are, if key or address say it


def course_of(
    words: Words,
    folder: str,
    secrets: Path,
    apart: Callable[[Course], Collection[str]] = lambda _: (),
    *,
    target: str = "",
) -> Course | None:
    """How the plan brings the folder back; None when no plan was named.

    Args:
        apart: which of a course's snapshots lie in another generation than the one below.
        target: where it comes back to, which names the folder where none is named.

    Raises: NoCleanPointError, UsageError, IncidentUnknownError, RightFileError, CatalogueError, and those of
    `source_of` for a machine that is lost.
    """
    if not words.has_plan:
        return None
    most = 0 if words.no_newer else MOST_BYTES
    made = _plan_of_lost(words, secrets) if words.lost else _plan(words, secrets)
    way = course(made, folder, target=target, most_bytes=most)
    if not (away := apart(way)):
        return way
    return course(made, folder, target=target, most_bytes=most, apart=away)


def _plan_of_lost(words: Words, secrets: Path) -> Plan:
    """From the catalogue that the last backup before the first malicious write took along.

    Of when is the vault's own time of receipt: what came later, whatever it says of itself, and a
    catalogue that the attacker could write to, has no part in it. So nothing newer is known either.
    """
    from releve.adapters.restic.fingerprints import FOLDER
    from releve.adapters.restic.lent import LentRepository
    from releve.adapters.scan.catalogue import SqliteCatalogue
    from releve.apps.backup.judging import CATALOGUE
    from releve.apps.recover.planning import cut_of, plan_of

    cut = cut_of(words.incident, words.first_write, words.server_home)
    if words.plan or cut is None:
        raise UsageError(
            "--lost needs --incident or --first-write", "--lost demande --incident ou --first-write"
        )
    source = source_of(words, secrets, (), "recover start: plan", as_of=cut)
    repository = LentRepository(source.lent, str(secrets))
    for snapshot in reversed(repository.snapshots()):
        place = next((f for f in snapshot.folders if f.rpartition("/")[2] == FOLDER), "")
        ended = snapshot.ended_at or snapshot.at
        if not place or ended >= cut:
            continue
        found = [node.path for node in repository.entries(snapshot.id, place)]
        if f"{place}/{CATALOGUE}" in found:
            with tempfile.TemporaryDirectory(dir=secrets, prefix="plan-") as folder:
                repository.restore(snapshot.id, f"{place}/{CATALOGUE}", folder)
                with contextlib.closing(SqliteCatalogue(Path(folder, CATALOGUE))) as kept:
                    return plan_of(kept, cut)
    raise NoCleanPointError(
        "the recovery",
        "no backup before the first write holds a catalogue",
        "aucune sauvegarde d'avant la première écriture ne contient de catalogue",
    )


def _plan(words: Words, secrets: Path) -> Plan:
    if words.plan:
        try:
            return msgspec.json.decode(Path(words.plan).read_bytes(), type=Plan)
        except (OSError, msgspec.DecodeError) as error:
            raise RightFileError(words.plan, str(error)) from error
    # What judges snapshots is imported only by those who have no plan yet.
    from releve.apps.backup.state import State
    from releve.apps.recover.planning import cut_of, known_plan

    cut = cut_of(words.incident, words.first_write, words.server_home)
    state = State(words.state or None)
    made = known_plan(state, cut)
    is_known = bool(made.sets) and all(one.snapshot for one in made.sets)
    if is_known or not words.judge_minutes or not state.is_configured():
        return made
    from releve.apps.recover.judging import judge_first

    user, secret = reader_of(words, secrets)
    judge_first(state, words.judge_minutes, user, secret, as_json=words.as_json)
    return known_plan(state, cut)


def source_of(
    words: Words,
    secrets: Path,
    snapshots: tuple[str, ...],
    why: str,
    *,
    wants_view: bool = False,
    as_of: dt.datetime | None = None,
) -> Source:
    """What is opened, with which key.

    Args:
        secrets: a folder of root's for what may not lie open.
        snapshots: those that must be in the view; none: the repository itself is read.
        why: for the log of the envelope.
        wants_view: a view of what is there now, when no snapshots are named.
        as_of: or of what was there then, by the vault's clock.

    Raises: RightFileError, EnvelopeError, EscrowKeyError, UsageError, and those of the vault's desk.
    """
    repository, password, host = words.repository, words.password_file, ""
    if words.envelope:
        envelope = newest_envelope(words)
        repository, host = repository or envelope.url, envelope.host
        password = _lend(words, envelope, secrets, why)
    user, secret = reader_of(words, secrets)
    ca_file = words.ca_file
    if not repository:
        repository, password, user, secret, ca_file = _own(words, password, user, secret)
    if not password:
        raise UsageError(
            "--repository needs --password-file, or --envelope with --private-key",
            "--repository demande --password-file, ou --envelope avec --private-key",
        )
    lent = Lent(
        repository=_for_restic(repository),
        password_file=str(Path(password).absolute()),
        user=user,
        http_password_file=secret,
        ca_file=ca_file,
        cache=words.cache,
    )
    if not (snapshots or wants_view or as_of) or not lent.user or lent.repository.startswith("/"):
        return Source(lent=lent, host=host)
    shown = shown_to(lent, snapshots, int(as_of.timestamp() * 1e9) if as_of else 0)
    return msgspec.structs.replace(shown, host=host or shown.host)


def reader_of(words: Words, secrets: Path) -> tuple[str, str]:
    """Who reads, and the file of the secret: by the right, else as told. Raises: RightFileError."""
    if not words.right:
        return words.user, words.http_password_file
    granted = _granted(words.right)
    write(secrets / "http-password", granted.secret.encode())
    return granted.credential, str(secrets / "http-password")


@contextlib.contextmanager
def asking(url: str, user: str, secret_file: str, ca_file: str) -> "Iterator[AskedDesk]":
    """The desk of the gate that a repository lies behind. Raises: UsageError."""
    from releve.adapters.vault.asked import AskedDesk, place_of

    place = place_of(url)
    if place is None or not user:
        raise UsageError(
            f"{url} is not behind a vault's gate that a right opens (--right)",
            f"{url} n'est pas derrière la porte d'un coffre qu'un droit ouvre (--right)",
        )
    secret = Path(secret_file).read_text(encoding="utf-8").strip()
    with contextlib.closing(AskedDesk(place[0], user, secret, ca_file)) as desk:
        yield desk


def shown_to(lent: Lent, snapshots: tuple[str, ...], as_of_ns: int = 0) -> Source:
    """The gate's view that holds these snapshots, and nothing that was received after them."""
    from releve.adapters.vault.asked import place_of

    place = place_of(lent.repository)
    if place is None:
        return Source(lent=lent)
    base, host, generation = place
    with asking(lent.repository, lent.user, lent.http_password_file, lent.ca_file) as desk:
        right = desk.right()
        if right is None:  # a plain server: its repository as it stands
            return Source(lent=lent)
        wish = ViewWish(host=host, generation=generation, snapshots=snapshots, as_of_ns=as_of_ns)
        made = desk.view(wish)
    shown = msgspec.structs.replace(lent, repository=f"rest:{base}views/{made.id}/")
    return Source(lent=shown, right=right, view=made.id, repository=lent.repository, host=host)


def _for_restic(repository: str) -> str:
    return f"rest:{repository}" if repository.startswith(("http://", "https://")) else repository


def _own(words: Words, password: str, user: str, secret: str) -> tuple[str, str, str, str, str]:
    """This machine's own repository, by the state of its backups. Raises: BackupNotSetUpError."""
    from releve.apps.backup.state import State

    held = State(words.state or None).repository()
    return (
        held.url,
        password or held.password_file,
        user or held.user,
        secret or held.http_password_file,
        words.ca_file or held.ca_file,
    )


@contextlib.contextmanager
def of_its_time(words: Words) -> "Iterator[None]":
    """A lent key that does not open what is shown as of then. Raises: EnvelopeError."""
    try:
        yield
    except WrongPasswordError as error:
        if not words.envelope:
            raise
        raise EnvelopeError(
            newest_envelope(words).id,
            "opens nothing of the repository as it was at the clean point: its key was added later",
            "Give an envelope made before, or instead of --envelope the recovery key from paper in a"
            " file of root's, with --password-file.",
        ) from error


def newest_envelope(words: Words) -> Envelope:
    """Of several generations'. Raises: EnvelopeError."""
    return max(map(envelope_of, words.envelope), key=lambda one: one.generation)


def envelope_of(file: str) -> Envelope:
    """Raises: EnvelopeError."""
    try:
        return msgspec.json.decode(Path(file).read_bytes(), type=Envelope)
    except (OSError, msgspec.DecodeError) as error:
        raise EnvelopeError(file, f"cannot be read: {error}") from error


def _lend(words: Words, envelope: Envelope, secrets: Path, why: str) -> str:
    """Take the key out of its envelope; noted in the clean room's own log."""
    from releve.adapters.keys.escrow import PrivateKey
    from releve.apps.backup.state import State
    from releve.apps.key.wiring import books_of

    if not words.private_key:
        raise UsageError(
            "--envelope needs --private-key: the clean room's",
            "--envelope demande --private-key : celle de la salle propre",
        )
    secret = open_envelope(envelope, PrivateKey(Path(words.private_key)), dt.datetime.now(dt.UTC))
    state = State(words.state or None)
    state.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    books_of(state).note("key:escrow:opened", envelope=envelope.id, host=envelope.host, why=why)
    write(secrets / "password", secret.encode())
    return str(secrets / "password")


def _granted(file: str) -> GrantedRight:
    try:
        return msgspec.json.decode(Path(file).read_bytes(), type=GrantedRight)
    except (OSError, msgspec.DecodeError) as error:
        raise RightFileError(file, str(error)) from error


@contextlib.contextmanager
def forgetting(home: RecoveryHome) -> Iterator[None]:
    """What was lent for an order that was not given in the end does not stay."""
    try:
        yield
    finally:
        if not (home.path / "asked.json").exists():
            forget_secrets(home)


def forget_secrets(home: RecoveryHome) -> None:
    """What was lent for this recovery goes with its end."""
    for place in (home.path, *home.path.glob("generation-*")):
        for name in SECRETS:
            (place / name).unlink(missing_ok=True)
            for half in half_written(place / name):
                half.unlink(missing_ok=True)
