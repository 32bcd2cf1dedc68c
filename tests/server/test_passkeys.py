import datetime as dt
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.adapters.sql.store import SqlStore
from releve.flow.server import passkeys, signin
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.passkeys import Refused, Site
from releve.flow.server.ports import Person, Session
from tests.server.authenticator import PRESENT, Authenticator, b64
from tests.server.world import T0

SITE = Site(host="releve.cabinet.fr", origin="https://releve.cabinet.fr:8443")
MINUTE = dt.timedelta(minutes=1)


def new() -> bytes:
    return os.urandom(32)


def person_in(store: SqlStore, login: str = "claire", structure: str = "s1") -> Person:
    owner = ensure_structure(store, structure, structure, T0)
    person = signin.create_person(store, owner, login, "une phrase assez longue", login, T0)
    assert person is not None
    return person


def session_of(store: SqlStore, person: Person, by: str = "password") -> tuple[Session, str]:
    opened = signin.open_session(store, person, "full", new, T0, by=by)
    return opened.session, opened.secret


def added(store: SqlStore, person: Person) -> Authenticator:
    session, secret = session_of(store, person)
    device = Authenticator()
    asked = passkeys.ask_to_add(store, SITE, session, secret, new, T0)
    said = device.make(asked, SITE.origin)
    passkeys.add(store, SITE, session, secret, said, "Téléphone", T0)
    return device


def enter(store: SqlStore, device: Authenticator, browser: str = "cookie") -> Person:
    asked = passkeys.ask_to_enter(store, SITE, browser, new, T0)
    return passkeys.check(store, SITE, browser, device.sign(asked, SITE.origin), T0)


def refused(store: SqlStore, said: str, *, browser: str = "cookie", at: dt.datetime = T0) -> str:
    with pytest.raises(Refused) as error:
        passkeys.check(store, SITE, browser, said, at)
    return error.value.why


def test_a_passkey_opens_for_the_person_who_made_it(store: SqlStore) -> None:
    person = person_in(store)
    device = added(store, person)
    assert enter(store, device).id == person.id
    with store.unit(person.structure, writes=False) as unit:
        (key,) = unit.passkeys_of(person.id)
    assert (key.name, key.transports, key.used_at) == ("Téléphone", ("internal",), T0)
    assert key.sign_count == device.count


def test_what_was_signed_once_opens_nothing_again(store: SqlStore) -> None:
    device = added(store, person_in(store))
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    said = device.sign(asked, SITE.origin)
    passkeys.check(store, SITE, "cookie", said, T0)
    assert refused(store, said) == "passkey"
    passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, said) == "passkey"


def test_what_another_browser_was_asked_or_too_long_ago_opens_nothing(store: SqlStore) -> None:
    device = added(store, person_in(store))
    asked = passkeys.ask_to_enter(store, SITE, "other", new, T0)
    assert refused(store, device.sign(asked, SITE.origin)) == "passkey"
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    later = T0 + passkeys.ASKED_FOR
    assert refused(store, device.sign(asked, SITE.origin), at=later) == "passkey"


@pytest.mark.parametrize("origin", ["https://releve.cabinet.fr", "https://releve-cabinet.fr:8443"])
def test_what_was_signed_for_another_page_opens_nothing(store: SqlStore, origin: str) -> None:
    device = added(store, person_in(store))
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, device.sign(asked, origin)) == "passkey"
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, device.sign(asked, SITE.origin, host="cabinet.fr")) == "passkey"


def test_a_passkey_whose_holder_was_not_verified_is_half_a_sign_in_and_opens_nothing(
    store: SqlStore,
) -> None:
    device = added(store, person_in(store))
    device.flags = PRESENT
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, device.sign(asked, SITE.origin)) == "passkey"


def test_another_key_under_its_name_opens_nothing(store: SqlStore) -> None:
    device, thief = added(store, person_in(store)), Authenticator()
    thief.id, thief.user, thief.count = device.id, device.user, 50
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, thief.sign(asked, SITE.origin)) == "passkey"


@pytest.mark.parametrize("back", [0, 1])
def test_a_counter_that_goes_back_or_stands_still_is_refused_and_recorded(
    store: SqlStore, back: int
) -> None:
    person = person_in(store)
    device = added(store, person)
    enter(store, device)
    device.count -= 1 + back
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, device.sign(asked, SITE.origin)) == "cloned"
    with store.unit(person.structure, writes=False) as unit:
        assert "counter_went_back" in [entry.verb for entry in unit.trail()]
    device.count += 5
    assert enter(store, device).id == person.id


def test_a_removed_passkey_opens_nothing_and_the_last_way_in_stays(store: SqlStore) -> None:
    person = person_in(store)
    device = added(store, person)
    session, _ = session_of(store, person)
    identity = passkeys.credential_digest(device.id)
    with pytest.raises(Refused, match="last"):  # the second factor was never shown to work
        passkeys.remove(store, session, identity, T0)
    second = added(store, person)
    assert passkeys.remove(store, session, identity, T0)
    asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    assert refused(store, device.sign(asked, SITE.origin)) == "passkey"
    assert enter(store, second).id == person.id


def test_a_passkey_of_another_person_cannot_be_removed_nor_taken(store: SqlStore) -> None:
    device = added(store, person_in(store))
    other = person_in(store, "bea", "s2")
    session, secret = session_of(store, other)
    assert not passkeys.remove(store, session, passkeys.credential_digest(device.id), T0)
    asked = passkeys.ask_to_add(store, SITE, session, secret, new, T0)
    with pytest.raises(Refused, match="known"):
        passkeys.add(store, SITE, session, secret, device.make(asked, SITE.origin), "x", T0)
    device.user = b"claire"
    assert enter(store, device).login == "claire"


def test_a_passkey_is_made_only_from_what_this_session_was_asked_and_once(store: SqlStore) -> None:
    person = person_in(store)
    session, secret = session_of(store, person)
    asked = passkeys.ask_to_add(store, SITE, session, secret, new, T0)
    said = Authenticator().make(asked, SITE.origin)
    for other in ("another session", secret[:-1]):
        with pytest.raises(Refused, match="passkey"):
            passkeys.add(store, SITE, session, other, said, "x", T0)
    passkeys.add(store, SITE, session, secret, said, "x", T0)
    with pytest.raises(Refused, match="passkey"):
        passkeys.add(store, SITE, session, secret, said, "x", T0)


def test_who_came_in_by_a_printed_code_makes_no_lasting_way_in(store: SqlStore) -> None:
    session, secret = session_of(store, person_in(store), by="break_glass")
    asked = passkeys.ask_to_add(store, SITE, session, secret, new, T0)
    said = Authenticator().make(asked, SITE.origin)
    with pytest.raises(Refused, match="break_glass"):
        passkeys.add(store, SITE, session, secret, said, "x", T0)


def test_ten_passkeys_are_enough(store: SqlStore) -> None:
    person = person_in(store)
    for _ in range(passkeys.MOST):
        added(store, person)
    with pytest.raises(Refused, match="many"):
        added(store, person)


def test_ended_challenges_are_forgotten(store: SqlStore) -> None:
    passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
    store.forget_old(T0 + passkeys.ASKED_FOR + MINUTE)
    device = added(store, person_in(store))
    assert refused(store, device.sign('{"challenge": "AA", "rpId": "x"}', SITE.origin)) == "passkey"


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://srv.cabinet.fr:8443", Site(host="srv.cabinet.fr", origin="https://srv.cabinet.fr:8443")),
        ("https://srv.cabinet.fr", Site(host="srv.cabinet.fr", origin="https://srv.cabinet.fr")),
        ("http://127.0.0.1:8443", Site(host="localhost", origin="http://localhost:8443")),
        ("https://192.168.1.5:8443", None),
        ("https://[2001:db8::1]:8443", None),
    ],
)  # fmt: skip
def test_passkeys_are_made_for_the_server_s_own_name(url: str, site: Site | None) -> None:
    assert passkeys.site_of(url) == site


def test_what_no_authenticator_says_is_refused_and_no_error(store: SqlStore) -> None:
    device = added(store, person_in(store))
    names = ("clientDataJSON", "authenticatorData", "signature", "userHandle")
    noise = st.one_of(st.text(), st.binary().map(b64), st.none(), st.integers())

    @given(said=noise, part=st.integers(0, len(names)))
    @settings(max_examples=100, deadline=None, database=None)
    def say(said: object, part: int) -> None:
        asked = passkeys.ask_to_enter(store, SITE, "cookie", new, T0)
        if part == len(names):
            assert refused(store, json.dumps(said)) == "passkey"
            return
        whole = json.loads(device.sign(asked, SITE.origin))
        was = whole["response"][names[part]]
        whole["response"][names[part]] = said
        if said not in (None, was):
            assert refused(store, json.dumps(whole)) == "passkey"

    say()


def test_what_no_authenticator_makes_is_refused_and_no_error(store: SqlStore) -> None:
    session, secret = session_of(store, person_in(store))

    @given(said=st.binary().map(b64), part=st.sampled_from(("clientDataJSON", "attestationObject")))
    @settings(max_examples=100, deadline=None, database=None)
    def say(said: str, part: str) -> None:
        asked = passkeys.ask_to_add(store, SITE, session, secret, new, T0)
        whole = json.loads(Authenticator().make(asked, SITE.origin))
        whole["response"][part] = said
        with pytest.raises(Refused, match="passkey"):
            passkeys.add(store, SITE, session, secret, json.dumps(whole), "x", T0)

    say()
