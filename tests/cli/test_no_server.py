"""Every command that works on a server's home, named one that is not there: refused, and nothing made."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from releve.adapters.server_archive import StateFileError
from releve.adapters.sql.engine import sqlite_path
from releve.adapters.sql.whose import Whose, whose
from releve.apps.cli import main
from releve.apps.cli.called import in_french, to_type
from releve.apps.cli.french import FRENCH
from releve.apps.guard.wiring import FolderError
from releve.apps.server.home import Home
from releve.apps.server.mailbox_cli import MailboxMissingError
from releve.apps.server.opening import DatabaseMissingError, make_store
from releve.apps.server.state import HomeTakenError
from releve.apps.server.statement_cli import StatementBadError
from releve.apps.server.trusted_key import no_key
from releve.model.errors import ReleveError

# These may be the first command of a server: they make it.
MAKES = ("server run", "server token create", "server user create", "server vault add", "onboard")


def _commands(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from _commands(inner, f"{words} {name}".strip())
    elif "RELEVE_SERVER_HOME" in [option.envvar for option in command.params]:
        yield words, command


COMMANDS = dict(_commands(main.cli, ""))
SAID = {
    "url": "https://example.fr/hook",
    "imap": "imaps://u@mail.example.fr",
    "smtp": "smtps://u@mail.example.fr",
    "address": "aide@example.fr",
    "month": "2026-10",
    "client_id": "releve",
    "hosts": "a",
}
KIND = 'kind = "practice"\nlegal_name = "Cabinet"'
MORE = {
    "server identity add": ["--issuer", "https://id.example.fr", "--secret-file", __file__],
    "leave": ["--structure", "Cabinet", "--out", "out", "--by", "Claire"],
    "audit verify": ["--key", "00" * 32],
    "host order restore": ["--as-of", "2026-11-22T03:10:00+01:00"],
}
# What these need first is another thing than the server: a file that is good, a mailbox, a key.
OTHERS = {
    "server restore": StateFileError,
    "statement verify": StatementBadError,
    "server mailbox remove": MailboxMissingError,
    "server mailbox test": MailboxMissingError,
    "server mailbox show": MailboxMissingError,
    "audit key": no_key(Path("nowhere"), can_name=False),
}


def words_of(words: str, command: click.Command, folder: Path) -> list[str]:
    """The command with all that it needs, on the home that is not there."""
    said = words.split()
    for param in command.params:
        if not param.required or param.name == "home":
            continue
        value = SAID.get(param.name or "", "cabinet")
        if isinstance(param.type, click.Choice):
            value = str(param.type.choices[0])
        elif isinstance(param.type, click.Path):
            value = str(folder / (param.name or ""))
            if param.name not in ("out", "target"):
                Path(value).write_text(KIND if words == "structure set" else "{}")
        said += [param.opts[0], value] if isinstance(param, click.Option) else [value]
    return [*said, *MORE.get(words, []), "--home", str(folder / "nowhere")]


def remedy_of(error: ReleveError | type[ReleveError]) -> str:
    """What is to be done, in French: where it is always the same, the table says it."""
    if isinstance(error, ReleveError):
        return to_type(in_french(error)[1])
    return to_type(FRENCH[error.__name__][1] if error.__name__ in FRENCH else error.remedy)


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - set(MAKES)))
def test_it_says_that_no_server_is_there(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = OTHERS.get(words, DatabaseMissingError)
    assert main.run(words_of(words, COMMANDS[words], tmp_path)) == error.status
    said = capsys.readouterr()
    assert said.out == ""
    assert remedy_of(error) in said.err
    assert not (tmp_path / "nowhere").exists()


class Foreign(msgspec.Struct, frozen=True):
    """Another program's database under the server's name."""

    home: Path

    def bytes(self) -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(self.home.rglob("*")) if p.is_file()}


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    home = tmp_path / "nowhere"
    home.mkdir()
    with contextlib.closing(sqlite3.connect(sqlite_path(home))) as other:
        other.execute("CREATE TABLE structure (text)")
        other.execute("CREATE TABLE audit (text)")
    return Foreign(home)


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - {"onboard"}))
def test_another_programs_database_is_none_of_a_server_and_not_a_byte_of_it_changes(
    words: str,
    foreign: Foreign,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = foreign.bytes()
    taken = {"server restore": HomeTakenError}
    error = {**OTHERS, **taken}.get(words, DatabaseMissingError)
    assert main.run(words_of(words, COMMANDS[words], tmp_path)) == error.status
    assert remedy_of(error) in capsys.readouterr().err
    assert foreign.bytes() == before
    assert list(foreign.home.iterdir()) == [sqlite_path(foreign.home)]


@pytest.mark.parametrize("mode", ["DELETE", "WAL", "WAL, in use", "no database", "empty"])
@pytest.mark.parametrize("words", ["audit show", "server user list", "server token create"])
def test_nor_of_a_file_that_is_named_with_db(
    words: str, mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, place = tmp_path / "home", tmp_path / "other" / "photos #é.db"
    make_store(Home(home)).close()
    place.parent.mkdir()
    with contextlib.closing(sqlite3.connect(place)) as other:
        if mode == "no database":
            place.write_bytes(b"SQLite format 4 " * 600)
        elif mode != "empty":
            other.execute(f"PRAGMA journal_mode={mode.partition(',')[0]}")
            other.execute("CREATE TABLE note (text)")
            other.execute("INSERT INTO note VALUES ('CREATE TABLE water')")
        if mode == "WAL, in use":
            refused(words, home, place)
    if not (mode == "empty" and words == "server token create"):
        refused(words, home, place)
        assert "holds no database of a server" in capsys.readouterr().err
    assert main.run(["audit", "show", "--home", str(home)]) == 0


def refused(words: str, home: Path, place: Path) -> None:
    before = Foreign(place.parent).bytes()
    said = [*words.split(), "--home", str(home), "--db", f"sqlite:///{place}"]
    said += ["--structure", "Cabinet"] if words == "server token create" else []
    assert main.run(said) == DatabaseMissingError.status
    assert Foreign(place.parent).bytes() == before


def test_looking_at_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "photos.db"
    make_store(Home(home)).close()
    for words in (["audit", "show"], ["server", "user", "list"]):
        said = [*words, "--home", str(home), "--db", f"sqlite:///{place}"]
        assert main.run(said) == DatabaseMissingError.status
    assert not place.exists()


def test_a_servers_own_is_known_while_all_of_it_is_in_sqlites_log(tmp_path: Path) -> None:
    store = make_store(Home(tmp_path))
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("releve.db", "releve.db-wal"):
        shutil.copyfile(tmp_path / name, copied / name)  # as a server that was killed left it
    assert whose(f"sqlite:///{tmp_path / 'releve.db'}") is Whose.OURS
    assert whose(f"sqlite:///{copied / 'releve.db'}") is Whose.OURS
    (copied / "releve.db-wal").unlink()
    assert whose(f"sqlite:///{copied / 'releve.db'}") is not Whose.OURS
    store.close()
    assert whose(f"sqlite:///{tmp_path / 'releve.db'}") is Whose.OURS


@pytest.mark.parametrize(
    "made",
    [
        "TABLE 'factures du mois'(a)",
        "TABLE [factures](a)",
        "TABLE `factures`(a)",
        'TABLE "dossiers patients"(a)',
        "TABLE été(a)",
        "VIRTUAL TABLE notes USING fts5(a)",
        "TABLE person(a); CREATE TABLE 'person '(a)",
    ],
)
def test_another_s_tables_are_seen_in_its_log_however_they_are_named(
    made: str, tmp_path: Path
) -> None:
    file = tmp_path / "autre.db"
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.executescript(f"CREATE {made}")
        beside = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert whose(f"sqlite:///{file}") is Whose.OTHERS
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == beside


def test_those_that_make_a_server_are_commands_too() -> None:
    assert set(MAKES) < set(COMMANDS)


@pytest.mark.parametrize("verb", ["status", "thaw 1", "kill 1", "free", "stop-family 1"])
def test_a_guard_of_no_folder_is_refused_as_guard_run_refuses_it(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nope = str(tmp_path / "nope")
    assert main.run(["guard", *verb.split(), "--protect", nope]) == FolderError.status
    assert f"{nope} is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run --json", "run --portable", "status"])
@pytest.mark.parametrize("is_behind_a_link", [False, True])
def test_a_folder_whose_name_is_no_utf8_is_refused_with_a_remedy(
    command: str, tmp_path: Path, *, is_behind_a_link: bool
) -> None:
    """In a process of its own: `guard run` becomes the guard."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    if is_behind_a_link:
        (tmp_path / "link").symlink_to(os.fsdecode(folder))
        folder = os.fsencode(tmp_path / "link")
    words = ["guard", *command.split(), "--protect", folder, "--store", tmp_path / "store"]
    if command == "status":
        words = words[:-2]
    done = subprocess.run(
        [sys.executable, "-m", "releve.apps.cli.main", *words], capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == FolderError.status, done.stderr
    said = done.stderr.decode()
    assert "Traceback" not in said
    assert "caf\\xe9 is not UTF-8" in said.replace("\\\\", "\\"), said
    assert "Rename the folder" in said
    assert not (tmp_path / "store").exists()


def test_an_empty_home_has_no_start_behind_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    assert main.run(["server", "setup-code", *home]) == DatabaseMissingError.status
    assert list(tmp_path.iterdir()) == []
    capsys.readouterr()
    assert main.run(["server", "token", "create", "--structure", "Cabinet", *home]) == 0
    capsys.readouterr()
    assert main.run(["server", "setup-code", *home]) == 0
    code = capsys.readouterr().out.strip()
    assert code == Home(tmp_path).setup_code() != ""
    (tmp_path / "password").write_text("une phrase assez longue")
    create = ["server", "user", "create", "--structure", "Cabinet", "--login", "claire", *home]
    assert main.run([*create, "--password-file", str(tmp_path / "password")]) == 0
    capsys.readouterr()
    assert main.run(["server", "setup-code", *home]) == 0
    assert "déjà faite" in capsys.readouterr().out
