"""One's own password, recovery codes and phone, over HTTP; and an account that is let in again."""

import contextlib
import datetime as dt
import os
import pty
import sys

import httpx
import msgspec
import pyotp
import pytest
from click.testing import CliRunner

from releve.adapters.sql.store import SqlStore
from releve.apps.server.cli import server
from releve.apps.server.user_cli import WeakPasswordError
from releve.flow.server import access, own_means, sessions, signin
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import Person
from releve.model.access import Grant, Role
from tests.console.story import RELEVE
from tests.console.test_pages import PASSWORD, sign_in
from tests.console.test_ways_in import account_of
from tests.server.test_access import grant
from tests.server.test_break_glass import sheet_of
from tests.server.test_passkeys import added
from tests.server.world import T0, Running

NEW = "une autre phrase assez longue"


def claire(served: Running) -> Person:
    person = served.store.person_by_login("claire")
    assert person is not None
    return person


def told(csrf: str, old: str = PASSWORD, new: str = NEW, again: str = NEW) -> dict[str, str]:
    return {"csrf": csrf, "old": old, "password": new, "again": again}


def other_session(served: Running) -> str:
    now, new = served.context.clock.now(), served.context.new_secret
    return signin.open_session(served.store, claire(served), "full", new, now).secret


def is_open(served: Running, secret: str) -> bool:
    return signin.session_of(served.store, secret, served.context.clock.now()) is not None


def shown_key(browser: httpx.Client, csrf: str) -> tuple[str, str]:
    """The key of another phone, and the proof that the password was shown for it."""
    page = browser.post("/account/phone", data={"csrf": csrf, "old": PASSWORD}).text
    key = page.partition('id="totp-secret" class="token">')[2].partition("<")[0].replace(" ", "")
    return key, page.partition('name="proof" value="')[2].partition('"')[0]


def verbs(served: Running) -> list[str]:
    with served.store.unit(claire(served).structure, writes=False) as unit:
        return [entry.verb for entry in unit.trail(most=20)]


def test_a_new_password_lets_in_the_old_one_does_not_and_other_sessions_end(
    served: Running, browser: httpx.Client
) -> None:
    csrf, elsewhere = sign_in(served, browser), other_session(served)
    answer = browser.post("/account/password", data=told(csrf))
    assert answer.status_code == 200
    assert "Le mot de passe est changé" in answer.text
    assert signin.check_password(served.store, "claire", PASSWORD) is None
    assert signin.check_password(served.store, "claire", NEW) is not None
    assert not is_open(served, elsewhere)
    assert browser.get("/account", follow_redirects=False).status_code == 200
    assert "change_password" in verbs(served)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"old": "pas celui-là du tout"}, "n’est pas celui-là"),
        ({"new": "court", "again": "court"}, "12 caractères"),
        ({"again": NEW + "x"}, "diffèrent"),
    ],
)
def test_a_password_that_is_not_shown_or_not_fit_changes_nothing(
    served: Running, browser: httpx.Client, fields: dict[str, str], said: str
) -> None:
    csrf, elsewhere = sign_in(served, browser), other_session(served)
    answer = browser.post("/account/password", data=told(csrf, **fields))
    assert answer.status_code == 422
    assert said in answer.text
    assert signin.check_password(served.store, "claire", PASSWORD) is not None
    assert is_open(served, elsewhere)
    assert "change_password" not in verbs(served)


def test_wrong_passwords_of_a_stolen_session_have_to_wait(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    for _ in range(6):
        answer = browser.post("/account/codes", data={"csrf": csrf, "old": "une phrase devinée"})
    assert "Trop d’essais" in answer.text
    right = browser.post("/account/codes", data={"csrf": csrf, "old": PASSWORD})
    assert "Trop d’essais" in right.text


def test_new_recovery_codes_take_the_place_of_the_old(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    account_of(served)
    before = claire(served).recovery_hashes
    answer = browser.post("/account/codes", data={"csrf": csrf, "old": PASSWORD})
    assert answer.text.count("<li><code>") == signin.RECOVERY_CODES
    after = claire(served).recovery_hashes
    assert len(after) == signin.RECOVERY_CODES
    assert not set(after) & set(before)
    code = answer.text.partition("<li><code>")[2].partition("<")[0]
    session = signin.session_of(served.store, other_session(served), served.context.clock.now())
    assert session is not None
    assert signin.check_second(served.store, session, code, served.context.clock.now()) is not None


def test_another_phone_is_taken_when_it_shows_a_right_code_and_not_before(
    served: Running, browser: httpx.Client
) -> None:
    csrf, before = sign_in(served, browser), claire(served)
    key, proof = shown_key(browser, csrf)
    assert key != before.totp_secret
    wrong = {"csrf": csrf, "proof": proof, "code": "000000"}
    assert "l’ancien reste" in browser.post("/account/phone", data=wrong).text
    code = pyotp.TOTP(key).at(served.context.clock.now())
    for forged in ("", "0" * 64, "é"):
        unshown = {"csrf": csrf, "proof": forged, "code": code}
        assert browser.post("/account/phone", data=unshown).status_code == 422
    assert claire(served).totp_secret == before.totp_secret
    answer = browser.post("/account/phone", data={"csrf": csrf, "proof": proof, "code": code})
    assert answer.text.count("<li><code>") == signin.RECOVERY_CODES
    assert claire(served).totp_secret == key
    assert claire(served).totp_confirmed
    again = browser.post("/account/phone", data={"csrf": csrf, "proof": proof, "code": code})
    assert again.status_code == 422
    assert shown_key(browser, csrf)[0] != key


def test_who_has_only_the_session_never_sees_the_key_of_the_next_phone(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    assert "totp-secret" not in browser.get("/account/phone").text
    guessed = {"csrf": csrf, "old": "une phrase devinée"}
    assert "totp-secret" not in browser.post("/account/phone", data=guessed).text
    key, _ = shown_key(browser, csrf)
    secret, person = browser.cookies["releve"], claire(served)
    # Nobody who reads cookies, or the database, has both halves.
    unlike = msgspec.structs.replace(person, totp_secret=pyotp.random_base32())
    assert own_means.pending_totp(person, secret) == key
    assert own_means.pending_totp(unlike, secret) != key
    assert own_means.pending_totp(person, "another session") != key


def test_a_printed_code_does_not_change_how_its_person_enters(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    person = claire(served)
    code = sheet_of(served.store, person, "one")[0]
    came = httpx.Client(base_url=served.url, trust_env=False, timeout=60, follow_redirects=True)
    with came:
        came.post("/login/break-glass", data={"login": "claire", "code": code})
        page = came.get("/account").text
        assert 'action="/account/password"' not in page
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        assert came.post("/account/password", data=told(csrf)).status_code == 403
        for phone in ({"old": PASSWORD}, {"proof": "0" * 64, "code": "000000"}):
            told_ = {"csrf": csrf, **phone}
            assert came.post("/account/phone", data=told_).status_code == 403
    assert claire(served).password_hash == person.password_hash


def test_who_was_reset_enters_by_the_new_password_and_sets_up_a_phone(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    secret, before = other_session(served), claire(served)
    home = ["--home", str(served.home.path)]
    words = ["user", "reset", *home, "--login", "Claire", "--second-factor", "--json"]
    short = CliRunner().invoke(server, words, input="court\n")
    assert isinstance(short.exception, WeakPasswordError)
    assert is_open(served, secret)
    done = CliRunner().invoke(server, words, input=f"{NEW}\n")
    assert done.exit_code == 0, done.output
    assert '"sessions_ended": 2' in done.output
    assert not is_open(served, secret)
    after = claire(served)
    assert (after.totp_confirmed, after.recovery_hashes) == (False, ())
    assert after.totp_secret != before.totp_secret
    listed = CliRunner().invoke(server, ["user", "list", *home, "--json"])
    assert '"login": "claire"' in listed.output
    assert '"second_factor": false' in listed.output
    answer = browser.post("/login", data={"login": "claire", "password": NEW})
    assert answer.url.path == "/enrol"
    assert "reset_second_factor" in verbs(served)


def test_who_learnt_the_password_of_a_person_with_a_passkey_shows_no_phone_of_his_own(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, httpx.Client())
    assert csrf
    added(served.store, claire(served))
    answer = browser.post("/login", data={"login": "claire", "password": PASSWORD})
    assert answer.status_code == 422
    assert "clé d’accès" in answer.text
    assert browser.get("/enrol").url.path == "/login"
    assert "releve" not in browser.cookies


def test_sessions_end_in_whatever_structure_they_act(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    store, person = served.store, claire(served)
    now, new = served.context.clock.now(), served.context.new_secret
    _another(store, person, now)
    mine = signin.open_session(store, person, "full", new, now)
    away = signin.open_session(store, person, "full", new, now)
    secret, _ = access.go_to(
        store, away.session, away.secret, "a9", "appelé pour une panne",
        new_secret=new, identity="adm1", now=now,
    )  # fmt: skip
    listed = sessions.own_sessions(store, mine.session, mine.secret, now)
    assert sorted(own.elsewhere for own in listed) == ["", "", "Ailleurs"]
    assert sessions.end(store, mine.session, mine.secret, "others", now) == 2
    assert signin.session_of(store, secret, now) is None
    assert own_means.reset(store, person, NEW, second=False, actor="admin", now=now) == 1
    assert signin.session_of(store, mine.secret, now) is None


def _another(store: SqlStore, person: Person, now: dt.datetime) -> None:
    ensure_structure(store, "Ailleurs", "a9", T0)
    with store.unit("a9") as unit:
        given = Grant(
            person=person.id, login=person.login, role=Role.OPERATOR, is_home=False, by="x", at=now
        )
        unit.put_grant(given)


@pytest.mark.parametrize("where", ["codes", "password"])
def test_a_wrong_password_leaves_the_form_open_that_it_was_given_in(
    served: Running, browser: httpx.Client, where: str
) -> None:
    csrf = sign_in(served, browser)
    account_of(served)
    page = browser.post(f"/account/{where}", data=told(csrf, old="une phrase tout autre"))
    _, *opened = page.text.split("<details open>")
    assert len(opened) == 1
    assert f'action="/account/{where}"' in opened[0].partition("</details>")[0]


def test_whoever_is_elsewhere_is_told_where_the_own_account_is(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    clinic = ensure_structure(served.store, "Clinique", "clinique", T0)
    grant(served.store, clinic.id, claire(served), Role.AUDITOR)
    said = "Votre compte se gère dans votre propre structure"
    assert said not in browser.get("/structures?for=account").text
    browser.post("/structures", data={"csrf": csrf, "structure": clinic.id, "reason": ""})
    assert said in browser.get("/account").text


def test_a_password_is_asked_for_at_a_terminal_unseen_and_twice(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    words = ("--home", str(served.home.path), "--login", "claire")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*RELEVE, "server", "user", "reset", *words])
    shown = b""
    for prompt in (b"new password: ", b"again: "):
        while not shown.endswith(prompt):
            shown += os.read(terminal, 4096)
        os.write(terminal, NEW.encode() + b"\n")
    with contextlib.suppress(OSError):  # the other end is closed: the program ended
        while more := os.read(terminal, 4096):
            shown += more
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert NEW.encode() not in shown
    assert signin.check_password(served.store, "claire", NEW) is not None
