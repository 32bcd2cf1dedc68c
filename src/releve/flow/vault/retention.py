"""Retention as the chain tells it: requests, signatures, holds; and what two people sign. Pure.

Nothing here is read from a file that somebody may edit: the deeds of the chain are the record.
"""

from collections.abc import Iterable, Sequence

import msgspec

from releve.flow.vault import signoffs
from releve.flow.vault.book import Book
from releve.model.errors import ReleveError
from releve.model.retention import Planned, Policy, Release, Removal
from releve.model.vault import (
    AnyEntry,
    Approver,
    Deed,
    Generation,
    Hold,
    ObjectKind,
    Repository,
    Signoff,
)
from releve.recover.generations import DAY_NS
from releve.recover.witness import Witness

HOLD_SET, HOLD_LIFTED = "person:hold:set", "vault:hold:lifted"
ASKED, SIGNED, ENDED = (
    "person:retention:asked",
    "person:retention:signed",
    "vault:retention:ended",
)
RELEASE_ASKED, RELEASE_SIGNED = "person:hold:release_asked", "person:hold:release_signed"
LEAVING = "vault:generation:leaving"
_SHORTEST_WAIT_DAYS = 1.0


class RequestUnknownError(ReleveError):
    """There is no such standing request, hold or approver."""

    status = 124
    remedy = (
        "See `releve vault retention plan` for requests and holds, `releve vault approver list`."
    )

    def __init__(self, name: str) -> None:
        super().__init__(f"Nothing stands under the name {name!r}.")


class NotYetError(ReleveError):
    """The request has not waited long enough, or two people have not signed it."""

    status = 125
    remedy = "Bring the missing approvals with `releve vault retention approve`, and wait."

    def __init__(self, why: str) -> None:
        super().__init__(f"Nothing was removed: {why}.")


class RetentionPolicyError(ReleveError):
    """The policy or the words of a request cannot be."""

    status = 121
    remedy = "Months >= 1, a wait of at least one day, and who asks and why must be told."

    def __init__(self, why: str) -> None:
        super().__init__(f"It cannot be asked so: {why}.")


class Retained(msgspec.Struct, kw_only=True):
    """What the chain says about retention, up to now."""

    approvers: dict[str, Approver] = {}
    holds: dict[str, Hold] = {}
    removals: dict[str, Removal] = {}
    releases: dict[str, Release] = {}
    taken: dict[str, int] = {}  # when the chain took each request in: the wait begins there
    leaving: dict[Repository, str] = {}  # by request; gone from here once dropped
    stepped_ns: int = 0


def read(entries: Iterable[AnyEntry]) -> Retained:
    """Fold the chain. The times are the chain's, whatever the records in it say."""
    told = Retained()
    for entry in entries:
        if isinstance(entry, Deed):
            _apply(told, entry)
    for release in told.releases.values():
        _lift(told, release)
    return told


def _lift(told: Retained, release: Release) -> None:
    """A hold ends by the signatures under its release, whatever else the chain says."""
    signed = count(
        release.signoffs, told, told.taken.get(release.id, 0), release_statement(release)
    )
    hold = told.holds.get(release.hold)
    if hold is not None and signed >= signoffs.NEEDED:
        at_ns = max(signoff.at_ns for signoff in release.signoffs)
        told.holds[release.hold] = msgspec.structs.replace(hold, lifted_ns=at_ns)


def _apply(told: Retained, deed: Deed) -> None:
    record, name, at_ns = deed.about.get("record", "{}"), deed.about.get("id", ""), deed.received_ns
    match deed.what:
        case "person:approver:enrolled":
            key = deed.about.get("public_key", "")
            person = Approver(name=deed.by, public_key=key, enrolled_ns=at_ns)
            told.approvers[person.name] = person
        case "person:approver:removed" if deed.by in told.approvers:
            gone = msgspec.structs.replace(told.approvers[deed.by], removed_ns=at_ns)
            told.approvers[deed.by] = gone
        case "person:hold:set":
            hold = msgspec.json.decode(record, type=Hold)
            told.holds[hold.id] = msgspec.structs.replace(hold, since_ns=at_ns)
        case "person:retention:asked":
            removal = msgspec.json.decode(record, type=Removal)
            told.removals[removal.id] = msgspec.structs.replace(removal, signoffs=())
            told.taken[removal.id] = at_ns
        case "person:hold:release_asked":
            release = msgspec.json.decode(record, type=Release)
            told.releases[release.id] = msgspec.structs.replace(release, signoffs=())
            told.taken[release.id] = at_ns
        case "vault:clock:stepped":
            told.stepped_ns = at_ns
        case _:
            _apply_step(told, deed, name)


def _apply_step(told: Retained, deed: Deed, name: str) -> None:
    where = Repository(structure=deed.structure, host=deed.host, generation=deed.generation)
    signoff = Signoff(
        approver=deed.by, signature=deed.about.get("signature", ""), at_ns=deed.received_ns
    )
    match deed.what:
        case "person:retention:signed" if name in told.removals:
            asked = told.removals[name]
            told.removals[name] = msgspec.structs.replace(
                asked, signoffs=(*asked.signoffs, signoff)
            )
        case "person:hold:release_signed" if name in told.releases:
            wanted = told.releases[name]
            told.releases[name] = msgspec.structs.replace(
                wanted, signoffs=(*wanted.signoffs, signoff)
            )
        case "vault:retention:ended" if name in told.removals:
            told.removals[name] = msgspec.structs.replace(
                told.removals[name], ended_ns=deed.received_ns
            )
        case "vault:generation:leaving":
            told.leaving[where] = name
        case "vault:generation:dropped":
            told.leaving.pop(where, None)
        case _:
            pass


def removal_statement(removal: Removal) -> bytes:
    """What the approvers sign: every generation with its size, and the policy."""
    days = f"{removal.policy.wait_days:g}"
    facts = [
        ("vault", removal.vault),
        ("request", removal.id),
        ("asked by", removal.by),
        ("asked at ns", str(removal.asked_ns)),
        ("policy", f"older than {removal.policy.months} months, {days} days of waiting"),
    ]
    facts += [("silence that counts", f"{removal.policy.longest_silence_h:g} h")]
    facts += [("remove", _told(each)) for each in removal.generations]
    return signoffs.statement("remove generations for good", facts)


def _told(each: Planned) -> str:
    times = f"first {each.first_ns} last {each.last_ns}"
    return f"{each.repository} {times} objects {each.objects} bytes {each.bytes}"


def release_statement(release: Release) -> bytes:
    return signoffs.statement(
        "end a legal hold",
        [
            ("vault", release.vault),
            ("request", release.id),
            ("hold", release.hold),
            ("covers", release.covers),
            ("reason", release.reason),
            ("asked by", release.by),
            ("asked at ns", str(release.asked_ns)),
        ],
    )


def check_policy(policy: Policy) -> None:
    """Raises: RetentionPolicyError."""
    if policy.months < 1:
        raise RetentionPolicyError("less than a month is no retention")
    if policy.wait_days < _SHORTEST_WAIT_DAYS:
        raise RetentionPolicyError("the wait is at least a day")
    if policy.every_months < 0 or policy.longest_silence_h <= 0 or policy.live_days < 0:
        raise RetentionPolicyError("a figure of the policy is below zero")


def check_removal(
    removal: Removal, told: Retained, taken_ns: int, seen: Witness, statement: bytes
) -> None:
    """Whether it may run now. `taken_ns`: when the chain took it in. Raises: NotYetError."""
    if removal.ended_ns:
        raise NotYetError("this request is done")
    check_policy(removal.policy)
    waited, wanted = seen.since(taken_ns), int(removal.policy.wait_days * DAY_NS)
    if waited < wanted:
        left = (wanted - waited) / DAY_NS
        raise NotYetError(f"the wait lasts {left:.1f} more days of the vault's time")
    if (signed := count(removal.signoffs, told, taken_ns, statement)) < signoffs.NEEDED:
        raise NotYetError(f"{signed} of {signoffs.NEEDED} people have signed")


def count(given: Sequence[Signoff], told: Retained, taken_ns: int, statement: bytes) -> int:
    """Distinct people whose signature counts: those enrolled before it was asked."""
    known = [person for person in told.approvers.values() if person.enrolled_ns < taken_ns]
    return signoffs.count(given, known, statement)


def still_as_asked(generation: Generation, planned: Planned) -> bool:
    return planned == as_planned(generation)


def as_planned(generation: Generation) -> Planned:
    return Planned(
        repository=generation.repository,
        first_ns=generation.first_ns,
        last_ns=generation.last_ns,
        objects=generation.objects,
        bytes=generation.bytes,
    )


_WHOLE = {ObjectKind.CONFIG, ObjectKind.KEYS, ObjectKind.INDEX, ObjectKind.SNAPSHOTS}


def complete(book: Book) -> set[Repository]:
    """The repositories that hold what a restore needs, as far as names tell."""
    return {
        where
        for where in book.repositories()
        if {kind for kind, _, _ in book.names(where)} >= _WHOLE
    }
