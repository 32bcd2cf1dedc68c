"""`releve server grant`: given, listed, ended; the account's own role."""

import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from releve.apps.server.cli import server
from releve.apps.server.grant_cli import NothingGrantedError, PersonUnknownError
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.server.structure_cli import StructureUnknownError
from releve.flow.server import access, signin


def run(home: Path, *words: str, typed: str = "") -> list[dict[str, object]]:
    done = CliRunner().invoke(
        server, [*words, "--home", str(home), "--json"], input=typed, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def user(home: Path, structure: str, login: str, *words: str) -> dict[str, object]:
    words = ("user", "create", "--structure", structure, "--login", login, *words)
    (made,) = run(home, *words, typed="une phrase assez longue\n")
    return made


def test_a_grant_is_given_listed_and_ended(tmp_path: Path) -> None:
    assert user(tmp_path, "Cabinet", "claire")["role"] == "lead"
    assert user(tmp_path, "Infogérant", "olga", "--role", "operator")["role"] == "operator"
    (given,) = run(
        tmp_path, "grant", "add", "--structure", "Cabinet", "--login", "olga", "--role", "operator"
    )
    assert (given["structure"], given["home"], given["ended_at"]) == ("Cabinet", False, None)
    shown = run(tmp_path, "grant", "list")
    assert [(g["structure"], g["login"], g["role"]) for g in shown] == [
        ("Cabinet", "claire", "lead"),
        ("Cabinet", "olga", "operator"),
        ("Infogérant", "olga", "operator"),
    ]
    (ended,) = run(tmp_path, "grant", "remove", "--structure", "Cabinet", "--login", "olga")
    assert ended["ended_at"]
    assert [g["login"] for g in run(tmp_path, "grant", "list", "--structure", "Cabinet")] == [
        "claire"
    ]
    with pytest.raises(NothingGrantedError):
        run(tmp_path, "grant", "remove", "--structure", "Cabinet", "--login", "olga")


def test_an_account_that_the_server_s_administrator_made_is_not_told_as_the_person_s_own_doing(
    tmp_path: Path,
) -> None:
    user(tmp_path, "Cabinet", "claire")
    store = make_store(Home(tmp_path))
    (owner,) = store.structures()
    with store.unit(owner.id, writes=False) as unit:
        (made,) = unit.trail_of(("create",), most=9)
        (grant,) = unit.grants()
    store.close()
    assert (made.actor, made.detail, grant.by) == ("admin", "lead", "admin")


def test_who_and_where_must_be_known(tmp_path: Path) -> None:
    user(tmp_path, "Cabinet", "claire")
    with pytest.raises(PersonUnknownError):
        run(tmp_path, "grant", "add", "--structure", "Cabinet", "--login", "nul")
    with pytest.raises(StructureUnknownError):
        run(tmp_path, "grant", "add", "--structure", "Nulle part", "--login", "claire")


def test_who_came_in_is_listed_with_the_reason_as_the_structure_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user(tmp_path, "Cabinet", "claire")
    user(tmp_path, "Infogérant", "olga", "--role", "operator")
    words = ("--structure", "Cabinet", "--login", "olga", "--role", "operator")
    run(tmp_path, "grant", "add", *words)
    store = make_store(Home(tmp_path))
    person = store.person_by_login("olga")
    assert person is not None
    at = dt.datetime(2026, 11, 22, 22, 5, tzinfo=dt.UTC)
    opened = signin.open_session(store, person, "full", lambda: b"a" * 32, at, by="passkey")
    (cabinet,) = (one for one in store.structures() if one.name == "Cabinet")
    access.go_to(
        store,
        opened.session,
        opened.secret,
        cabinet.id,
        "appel du cabinet : écran bleu",
        new_secret=lambda: b"b" * 32,
        identity="a1",
        now=at,
    )
    store.close()
    (came,) = run(tmp_path, "grant", "admissions")
    assert came == {
        "structure": "Cabinet",
        "login": "olga",
        "role": "operator",
        "reason": "appel du cabinet : écran bleu",
        "since": at.isoformat(),
        "until": (at + access.STAY.longest).isoformat(),
    }
    assert run(tmp_path, "grant", "admissions", "--structure", "Infogérant") == []
    for language, role, since in (
        ("fr_FR.UTF-8", "infogérant", "22 nov. 2026 23:05"),
        ("en_GB.UTF-8", "managed provider", "22 Nov 2026 23:05"),
    ):
        monkeypatch.setenv("LC_ALL", language)
        said = CliRunner().invoke(server, ["grant", "admissions", "--home", str(tmp_path)]).stdout
        line = said.replace("\u00a0", " ").casefold()
        assert line.startswith(f"cabinet  olga  {role}  {since} → ".casefold())
        assert line.endswith("appel du cabinet : écran bleu\n")
