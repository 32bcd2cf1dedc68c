"""The right to restore: two different people, or a path that two agreed on; timed, and it ends."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.vault import openings, rules, signoffs
from releve.flow.vault.openings import HOUR_NS, OpeningError
from releve.flow.vault.signoffs import ApproverUnknownError, SignatureError
from releve.model.vault import Agreement, Approver, Credential, CredentialKind, Opening, Signoff

MARTIN, DURAND, ROOM = (Ed25519PrivateKey.generate() for _ in range(3))
NOW = 1_700_000_000_000_000_000
APPROVERS = [
    Approver(name="martin", public_key=signoffs.public_hex(MARTIN), enrolled_ns=1),
    Approver(name="durand", public_key=signoffs.public_hex(DURAND), enrolled_ns=1),
]
ASKED = Opening(
    id="o-1",
    structure="cabinet",
    host="srv",
    incident="i42",
    reason="rançongiciel",
    by="A. Martin",
    hours=8,
    asked_ns=NOW,
)


def signed(opening, person, key, at_ns=NOW + 10**9, approvers=APPROVERS):
    text = openings.opening_statement(opening)
    [approver] = [a for a in approvers if a.name == person]
    signoff = signoffs.accept(approver, person, text, signoffs.sign(key, text), at_ns)
    return openings.signed(opening, signoff, approvers, at_ns)


def agreement(**facts):
    known = {"name": "nuit", "structure": "cabinet", "host": "srv", "hours": 4.0} | facts
    made = Agreement(
        room_key=signoffs.public_hex(ROOM), until_ns=NOW + 1000 * HOUR_NS, made_ns=1, **known
    )
    text = openings.agreement_statement(made)
    both = tuple(
        Signoff(approver=a.name, signature=signoffs.sign(k, text), at_ns=2)
        for a, k in zip(APPROVERS, (MARTIN, DURAND), strict=True)
    )
    return msgspec.structs.replace(made, signoffs=both)


def on_path(opening, held, key=ROOM, now_ns=NOW + 10**9):
    proof = signoffs.sign(key, openings.room_statement(opening))
    return openings.opened_on_path(opening, held, APPROVERS, proof, now_ns)


def test_two_people_open_and_each_step_is_timed():
    one = signed(ASKED, "martin", MARTIN)
    assert not one.opened_ns
    both = signed(one, "durand", DURAND, NOW + 5 * 10**9)
    assert both.expires_ns - both.opened_ns == 8 * HOUR_NS
    taken = openings.steps(both)
    assert (taken.to_first_signature_s, taken.to_open_s, taken.to_first_read_s) == (1.0, 5.0, None)


def test_one_person_twice_or_under_two_names_does_not_open():
    one = signed(ASKED, "martin", MARTIN)
    assert not signed(one, "martin", MARTIN).opened_ns
    twin = Approver(name="twin", public_key=APPROVERS[0].public_key, enrolled_ns=1)
    assert not signed(one, "twin", MARTIN, approvers=[*APPROVERS, twin]).opened_ns


def test_a_signature_of_somebody_else_or_under_something_else_is_refused():
    text = openings.opening_statement(ASKED)
    with pytest.raises(SignatureError):
        signoffs.accept(APPROVERS[0], "martin", text, signoffs.sign(DURAND, text), NOW)
    longer = openings.opening_statement(msgspec.structs.replace(ASKED, hours=72))
    with pytest.raises(SignatureError):
        signoffs.accept(APPROVERS[0], "martin", longer, signoffs.sign(MARTIN, text), NOW)
    gone = msgspec.structs.replace(APPROVERS[0], removed_ns=NOW)
    for nobody in (None, gone):
        with pytest.raises(ApproverUnknownError):
            signoffs.accept(nobody, "martin", text, signoffs.sign(MARTIN, text), NOW)


def test_a_removed_approvers_earlier_signature_ends_to_count():
    one = signed(ASKED, "martin", MARTIN)
    left = [msgspec.structs.replace(APPROVERS[0], removed_ns=NOW), APPROVERS[1]]
    assert not signed(one, "durand", DURAND, approvers=left).opened_ns


def test_an_old_a_closed_and_an_open_request_take_no_signature():
    with pytest.raises(OpeningError):
        signed(ASKED, "martin", MARTIN, NOW + 25 * HOUR_NS)
    with pytest.raises(OpeningError):
        signed(msgspec.structs.replace(ASKED, closed_ns=NOW), "martin", MARTIN)
    with pytest.raises(OpeningError):
        signed(msgspec.structs.replace(ASKED, opened_ns=NOW), "martin", MARTIN)


def test_the_agreed_path_opens_at_once_for_as_long_as_agreed():
    asked = msgspec.structs.replace(ASKED, agreement="nuit")
    opened = on_path(asked, agreement())
    assert opened.expires_ns - opened.opened_ns == 4 * HOUR_NS


@pytest.mark.parametrize(
    "held",
    [
        None,
        agreement(ended_ns=1),
        agreement(host="autre"),
        agreement(structure="clinique"),
        agreement(name="jour"),
        msgspec.structs.replace(agreement(), signoffs=agreement().signoffs[:1]),
        msgspec.structs.replace(agreement(), hours=72.0),
        msgspec.structs.replace(agreement(), until_ns=NOW),
    ],
)
def test_a_path_that_does_not_stand_opens_nothing(held):
    with pytest.raises(OpeningError):
        on_path(msgspec.structs.replace(ASKED, agreement="nuit"), held)


def test_a_path_for_every_host_opens_one_of_them_and_never_the_other_way():
    asked = msgspec.structs.replace(ASKED, agreement="nuit", host="srv1")
    assert on_path(asked, agreement(host="")).opened_ns
    for host in ("", "srv2"):
        with pytest.raises(OpeningError):
            on_path(msgspec.structs.replace(asked, host=host), agreement(host="srv1"))


def test_the_clean_rooms_proof_is_its_own_fresh_and_for_this_opening():
    asked = msgspec.structs.replace(ASKED, agreement="nuit")
    with pytest.raises(OpeningError):
        on_path(asked, agreement(), key=MARTIN)
    with pytest.raises(OpeningError):
        on_path(asked, agreement(), now_ns=NOW + HOUR_NS)
    proof = signoffs.sign(ROOM, openings.room_statement(asked))
    other = msgspec.structs.replace(asked, id="o-2")
    with pytest.raises(OpeningError):
        openings.opened_on_path(other, agreement(), APPROVERS, proof, NOW)


def test_requests_name_incident_reason_person_and_end():
    for facts in ({"incident": " "}, {"reason": ""}, {"by": ""}, {"hours": 0}, {"hours": 1000}):
        with pytest.raises(OpeningError):
            openings.check_request(msgspec.structs.replace(ASKED, **facts))


def test_a_restore_credential_is_in_force_only_while_open():
    held = Credential(
        id="o-1",
        kind=CredentialKind.RESTORE,
        structure="cabinet",
        host="",
        secret_sha256="",
        made_ns=1,
        opening="o-1",
    )
    assert not rules.in_force(held, NOW)
    opened = msgspec.structs.replace(held, expires_ns=NOW + 1)
    assert rules.in_force(opened, NOW)
    assert not rules.in_force(opened, NOW + 1)
    assert not rules.in_force(msgspec.structs.replace(opened, closed_ns=NOW), NOW)
