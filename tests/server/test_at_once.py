"""What strangers send at the same moment counts as if one had come after the other; on both databases."""

import datetime as dt
import os
from pathlib import Path

import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.flow.server import break_glass, profiles, signin
from releve.flow.server.assist import mailing
from releve.flow.server.assist.asking import PhoneRing, TooManyRings, take_ring
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.mail_ports import Arrived
from releve.model.access import Role
from releve.model.mail import Letter
from releve.model.structure import Profile, StructureKind
from tests.server.test_access import browser
from tests.server.test_signin import PASSWORD, at_once, new_secret, person_in
from tests.server.world import T0, running


def test_an_exchange_gone_mad_on_all_its_lines_at_once_rings_twenty_times(store: SqlStore) -> None:
    owner = ensure_structure(store, "Cabinet", "s1", T0)

    def call(number: int) -> bool:
        ring = PhoneRing(call=f"c{number}", caller=f"02990000{number:02d}")
        try:
            take_ring(store, owner.id, ring, T0)
        except TooManyRings:
            return False
        return True

    assert at_once(14, call).count(True) == 14
    assert at_once(14, lambda number: call(number + 14)).count(True) == 6


def test_a_caller_on_two_lines_at_once_is_one_call(store: SqlStore) -> None:
    owner = ensure_structure(store, "Cabinet", "s1", T0)

    def call(number: int) -> str:
        return take_ring(store, owner.id, PhoneRing(call=f"c{number}", caller="0299000001"), T0).id

    assert len(set(at_once(8, call))) == 1


def test_mails_that_are_read_at_once_ring_twenty_times(store: SqlStore) -> None:
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    arrived = Arrived(uid=1, raw=b"", at=T0, size=100)

    def take(number: int) -> bool:
        letter = Letter(
            fingerprint=f"f{number}",
            sender="claire@cabinet.example",
            subject="À l'aide",
            text="Plus rien ne marche.",
            message_id=f"<{number}@cabinet.example>",
            thread=(),
            attachments=0,
            received="",
            is_automatic=False,
            is_forged=False,
        )
        try:
            mailing.keep(store, owner.id, letter, arrived, T0)
        except TooManyRings:
            return False
        return True

    assert at_once(14, take).count(True) == 14
    assert at_once(14, lambda number: take(number + 14)).count(True) == 6


def test_of_those_who_set_up_at_once_one_is_the_first(store: SqlStore) -> None:
    owner = ensure_structure(store, "Cabinet", "s1", T0)

    def begin(number: int) -> bool:
        if not signin.may_be_first(store, T0):
            return False
        login, identity = f"claire{number}", f"p{number}"
        signin.create_person(store, owner, login, PASSWORD, identity, T0)
        return True

    assert at_once(4, begin).count(True) == 1
    later = T0 + dt.timedelta(minutes=3)
    assert not signin.may_be_first(store, later)  # somebody is there


def test_one_who_was_killed_at_the_set_up_keeps_nobody_out_for_long(store: SqlStore) -> None:
    assert signin.may_be_first(store, T0)
    assert not signin.may_be_first(store, T0 + dt.timedelta(minutes=1))
    assert signin.may_be_first(store, T0 + dt.timedelta(minutes=3))


def test_a_sheet_that_is_revoked_between_a_code_and_its_session_opens_none(
    store: SqlStore,
) -> None:
    person = person_in(store)
    codes = break_glass.new_codes(lambda: os.urandom(32))
    for sheet, own in (("one", codes[:3]), ("two", codes[3:])):
        break_glass.keep(store, person, sheet, own, actor="admin", now=T0)
    keys = signin.try_keys("claire", "10.0.0.7")
    used, other = (
        break_glass.try_code(store, "claire", code, keys, "10.0.0.7", T0)
        for code in (codes[0], codes[3])
    )
    assert used is not None
    assert other is not None
    home = person.structure
    assert break_glass.revoke(store, home, used.sheet, actor="admin", now=T0) == 2
    how = {"by": "break_glass"}
    with pytest.raises(signin.SheetRevoked):
        signin.open_session(store, person, "full", new_secret, T0, **how, sheet=used.sheet)
    with store.unit(person.structure, writes=False) as unit:
        assert unit.sessions_of(person.id) == []
        assert len(unit.break_glass_unseen()) == 2  # what was used stays told
    opened = signin.open_session(
        store, person, "full", new_secret, T0, **how, sheet=other.sheet
    ).session
    assert msgspec.structs.asdict(opened)["by"] == "break_glass"


def test_two_who_change_what_the_structure_says_do_not_undo_each_other(
    store: SqlStore, tmp_path: Path
) -> None:
    """Each changes another part of the same profile, by the page of settings."""
    with running(tmp_path / "server", store, jobs=False) as served:
        clients = [browser(served, Role.LEAD), browser(served, Role.OPERATOR)]
        owner = ensure_structure(store, "A", "s1", T0)
        profile = Profile(kind=StructureKind.CLINIC, legal_name="Clinique")
        profiles.put(store, owner.id, profile, actor="admin", now=T0)

        def change(number: int) -> int:
            part, name = (("contacts", "Dr"), ("services", "Soins"))[number]
            form = {"name-0": f"{name} {turn}", "csrf": clients[number].headers["x-csrf"]}
            return clients[number].post(f"/settings/{part}", data=form).status_code

        for turn in range(12):
            assert at_once(2, change) == [303, 303]
            with store.unit(owner.id, writes=False) as unit:
                kept = unit.profile()
            assert kept is not None
            told = [one.name for one in (*kept.contacts, *kept.services)]
            assert told == [f"Dr {turn}", f"Soins {turn}"]
