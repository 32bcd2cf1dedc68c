"""What lets somebody in ends for what is under way too: what was right a moment ago opens nothing."""

import pytest

from releve.adapters.sql.store import SqlStore
from releve.flow.server import access, own_means, passkeys, sessions, signin
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.identity import links
from releve.flow.server.identity.entering import Refused
from releve.flow.server.ports import Person
from releve.model.access import Grant, Role
from releve.model.identity import Provider, Vouched
from tests.server.authenticator import Authenticator
from tests.server.test_passkeys import SITE, added, enter, new, person_in, session_of
from tests.server.world import T0

OLD, NEW = "une phrase assez longue", "une autre phrase assez longue"
PROVIDER = Provider(
    name="h", title="H", issuer="https://id.exemple", client_id="c", secret="s",
    discovery="https://id.exemple/d", scopes=("openid",), added_at=T0,
)  # fmt: skip


def reset(store: SqlStore, person: Person, *, second: bool = False) -> int:
    return own_means.reset(store, person, NEW, second=second, actor="admin", now=T0)


def left(store: SqlStore, person: Person) -> int:
    with store.unit(person.structure, writes=False) as unit:
        return len(unit.sessions_of(person.id))


def now_of(store: SqlStore, person: Person) -> Person:
    with store.unit(person.structure, writes=False) as unit:
        found = unit.person(person.id)
    assert found is not None
    return found


def test_a_password_that_was_right_before_a_reset_opens_no_session_after_it(
    store: SqlStore,
) -> None:
    person_in(store)
    shown = signin.check_password(store, "claire", OLD)
    assert shown is not None
    reset(store, shown)
    with pytest.raises(signin.WayEnded):
        signin.open_session(store, shown, "password", new, T0)
    assert left(store, shown) == 0


def test_a_second_factor_is_asked_of_a_session_that_did_not_end_meanwhile(store: SqlStore) -> None:
    person = person_in(store)
    first = signin.open_session(store, person, "password", new, T0)
    here, secret = session_of(store, person)
    assert sessions.end(store, here, secret, "others", T0) == 1
    with pytest.raises(signin.WayEnded):  # its code was right a moment ago
        signin.open_session(store, person, "full", new, T0, before=first.secret)
    assert left(store, person) == 1


def test_a_passkey_that_signed_before_a_reset_opens_no_session_after_it(store: SqlStore) -> None:
    person = person_in(store)
    device = added(store, person)
    shown = enter(store, device)
    reset(store, person, second=True)
    with pytest.raises(signin.WayEnded):
        signin.open_session(store, shown, "full", new, T0, by="passkey")


def test_an_account_vouched_for_opens_nothing_once_its_service_is_removed(store: SqlStore) -> None:
    person = person_in(store)
    links.keep_provider(store, PROVIDER, actor="admin", now=T0)
    links.add(store, PROVIDER, Vouched(subject="u1"), session_of(store, person)[0], T0)
    shown = links.person_of(store, PROVIDER, Vouched(subject="u1"), T0)
    links.forget_provider(store, PROVIDER, actor="admin", now=T0)
    how = {"by": "identity", "provider": PROVIDER.name}
    with pytest.raises(signin.WayEnded):
        signin.open_session(store, shown, "full", new, T0, **how)


def test_a_session_that_ended_moves_to_no_other_structure(store: SqlStore) -> None:
    person = person_in(store)
    ensure_structure(store, "Ailleurs", "a9", T0)
    given = Grant(person=person.id, login="claire", role=Role.AUDITOR, is_home=False, by="x", at=T0)
    with store.unit("a9") as unit:
        unit.put_grant(given)
    session, secret = session_of(store, person)
    assert reset(store, person) == 1
    with pytest.raises(signin.WayEnded):
        access.go_to(store, session, secret, "a9", "", new_secret=new, identity="in", now=T0)
    for place in ("s1", "a9"):
        with store.unit(place, writes=False) as unit:
            assert unit.sessions_of(person.id) == []


def test_a_session_that_ended_adds_no_way_in(store: SqlStore) -> None:
    person = person_in(store)
    session, secret = session_of(store, person)
    said = Authenticator().make(
        passkeys.ask_to_add(store, SITE, session, secret, new, T0), SITE.origin
    )
    reset(store, person, second=True)
    with pytest.raises(passkeys.Refused):
        passkeys.add(store, SITE, session, secret, said, "x", T0)
    with pytest.raises(Refused):
        links.add(store, PROVIDER, Vouched(subject="u1"), session, T0)
    with store.unit("s1", writes=False) as unit:
        assert (unit.passkeys_of(person.id), unit.identities(person=person.id)) == ([], [])


def test_a_reset_with_the_second_factor_takes_linked_accounts_too(store: SqlStore) -> None:
    person = person_in(store)
    links.keep_provider(store, PROVIDER, actor="admin", now=T0)
    links.add(store, PROVIDER, Vouched(subject="of a thief"), session_of(store, person)[0], T0)
    reset(store, person)
    assert links.person_of(store, PROVIDER, Vouched(subject="of a thief"), T0).id == person.id
    reset(store, person, second=True)
    with pytest.raises(Refused):
        links.person_of(store, PROVIDER, Vouched(subject="of a thief"), T0)


def test_a_password_alone_sets_up_no_phone_for_who_enters_otherwise(store: SqlStore) -> None:
    person = person_in(store)
    assert not signin.enters_otherwise(store, person)
    added(store, person)
    assert signin.enters_otherwise(store, person)
    assert signin.enters_otherwise(store, person, linked=False)
    reset(store, person, second=True)
    assert not signin.enters_otherwise(store, now_of(store, person))
    links.keep_provider(store, PROVIDER, actor="admin", now=T0)
    after = now_of(store, person)
    links.add(store, PROVIDER, Vouched(subject="u1"), session_of(store, after)[0], T0)
    assert signin.enters_otherwise(store, after)
    assert not signin.enters_otherwise(store, after, linked=False)


def test_the_key_of_a_phone_not_set_up_yet_goes_with_the_password_that_showed_it(
    store: SqlStore,
) -> None:
    person = person_in(store)
    reset(store, person)
    after = now_of(store, person)
    assert after.totp_secret != person.totp_secret
    session, secret = session_of(store, after)
    assert own_means.change_password(store, session, secret, after, OLD, T0)
    assert now_of(store, person).totp_secret != after.totp_secret
