"""The right to restore: asked for an incident, opened by two people or on an agreed path. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from releve.flow.vault import signoffs
from releve.model.errors import ReleveError
from releve.model.vault import Agreement, Approver, Opening, Right, Signoff

HOUR_NS = 3_600_000_000_000
LONGEST_HOURS = 72.0
_ASKED_FOR_NS = 24 * HOUR_NS  # a request that found no two people within a day is over
PROOF_NS = 5 * 60_000_000_000


class OpeningError(ReleveError):
    """The restore right cannot be opened so."""

    status = 114
    remedy = "Ask again with `releve vault credential open`; see docs/vault.md, section 4."

    def __init__(self, why: str) -> None:
        super().__init__(f"The restore right is not opened: {why}.")
        self.why = why


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """How long an opening took, in seconds; None: not yet."""

    to_first_signature_s: float | None
    to_open_s: float | None
    to_first_read_s: float | None


def opening_statement(opening: Opening) -> bytes:
    """What the approvers sign."""
    return signoffs.statement(
        "open the right to restore",
        [
            ("opening", opening.id),
            ("structure", opening.structure),
            ("host", opening.host or "every host"),
            ("incident", opening.incident),
            ("reason", opening.reason),
            ("asked by", opening.by),
            ("hours", f"{opening.hours:g}"),
            ("asked at ns", str(opening.asked_ns)),
        ],
    )


def agreement_statement(agreement: Agreement) -> bytes:
    """What the approvers sign beforehand."""
    facts = [
        ("agreement", agreement.name),
        ("structure", agreement.structure),
        ("host", agreement.host or "every host"),
        ("clean room's key", agreement.room_key),
        ("hours", f"{agreement.hours:g}"),
        ("until ns", str(agreement.until_ns)),
        ("made at ns", str(agreement.made_ns)),
    ]
    if not agreement.drill_every_days:
        return signoffs.statement("agree on a path to restore", facts)
    facts.append(("once in days", f"{agreement.drill_every_days:g}"))
    facts.append(("bytes read at most", str(agreement.read_bytes)))
    return signoffs.statement("agree on a path for restore drills only", facts)


def room_statement(opening: Opening) -> bytes:
    """What the clean room signs to open on the agreed path; good for minutes, once."""
    return signoffs.statement(
        "open on the agreed path",
        [
            ("agreement", opening.agreement),
            ("opening", opening.id),
            ("incident", opening.incident),
            ("asked at ns", str(opening.asked_ns)),
        ],
    )


def check_request(opening: Opening) -> None:
    """Raises: OpeningError."""
    if not opening.incident.strip() or not opening.reason.strip() or not opening.by.strip():
        raise OpeningError("incident, reason and name must be told")
    if not 0 < opening.hours <= LONGEST_HOURS:
        raise OpeningError(f"it may last {LONGEST_HOURS:g} hours at most")


def signed(
    opening: Opening, signoff: Signoff, approvers: Sequence[Approver], now_ns: int
) -> Opening:
    """The opening with one signature more; the second person's opens it.

    Raises: OpeningError.
    """
    if opening.closed_ns or opening.opened_ns:
        raise OpeningError("it is open already" if opening.opened_ns else "it was closed")
    if opening.agreement:
        raise OpeningError("it is on an agreed path and needs the clean room's signature")
    if now_ns - opening.asked_ns > _ASKED_FOR_NS:
        raise OpeningError("it was asked for more than a day ago")
    others = tuple(kept for kept in opening.signoffs if kept.approver != signoff.approver)
    more = msgspec.structs.replace(opening, signoffs=(*others, signoff))
    if not signoffs.is_enough(more.signoffs, approvers, opening_statement(more)):
        return more
    return _opened(more, more.hours, now_ns)


def opened_on_path(
    opening: Opening,
    agreement: Agreement | None,
    approvers: Iterable[Approver],
    room_signature: str,
    now_ns: int,
) -> Opening:
    """The opening, in force at once, when the agreement stands and the clean room proved its key.

    Raises: OpeningError.
    """
    if agreement is None or agreement.name != opening.agreement:
        raise OpeningError("there is no such agreement")
    if agreement.drill_every_days:
        raise OpeningError("the agreement is for restore drills only")
    check_stands(agreement, approvers, now_ns)
    if opening.structure != agreement.structure or agreement.host not in {"", opening.host}:
        raise OpeningError("the agreement is about other hosts")
    if abs(now_ns - opening.asked_ns) > PROOF_NS or opening.opened_ns or opening.closed_ns:
        raise OpeningError("the request is not fresh")
    if not signoffs.is_signed(agreement.room_key, room_statement(opening), room_signature):
        raise OpeningError("the clean room's signature does not fit")
    return _opened(opening, min(opening.hours, agreement.hours), now_ns)


def check_stands(agreement: Agreement, approvers: Iterable[Approver], now_ns: int) -> None:
    """Raises: OpeningError."""
    if agreement.ended_ns or now_ns >= agreement.until_ns:
        raise OpeningError("the agreement has ended")
    if not signoffs.is_enough(agreement.signoffs, approvers, agreement_statement(agreement)):
        raise OpeningError("the agreement is not signed by two approvers")


def stands(agreement: Agreement, approvers: Iterable[Approver], now_ns: int) -> bool:
    """Whether a request on it would be opened now."""
    try:
        check_stands(agreement, approvers, now_ns)
    except OpeningError:
        return False
    return True


def path_of(opening: Opening) -> str:
    """By which way it was opened."""
    if not opening.agreement:
        return "two_people"
    return f"{'drill' if opening.is_drill else 'agreed'}:{opening.agreement}"


def steps(opening: Opening) -> Steps:
    first = min((signoff.at_ns for signoff in opening.signoffs), default=0)

    def since(at_ns: int) -> float | None:
        return round((at_ns - opening.asked_ns) / 1e9, 3) if at_ns else None

    return Steps(
        to_first_signature_s=since(first),
        to_open_s=since(opening.opened_ns),
        to_first_read_s=since(opening.first_read_ns),
    )


def is_standing(opening: Opening, now_ns: int) -> bool:
    """Whether it waits for its second signature, or is in force."""
    if opening.closed_ns:
        return False
    if opening.opened_ns:
        return now_ns < opening.expires_ns
    return now_ns - opening.asked_ns <= _ASKED_FOR_NS


def right(opening: Opening, now_ns: int) -> Right:
    """What whoever holds the right may know of it."""
    taken = steps(opening)
    return Right(
        opening=opening.id,
        incident=opening.incident,
        path=path_of(opening),
        to_first_signature_s=taken.to_first_signature_s,
        to_open_s=taken.to_open_s,
        to_first_read_s=taken.to_first_read_s,
        since_asked_s=round((now_ns - opening.asked_ns) / 1e9, 3),
        expires_ns=opening.expires_ns,
    )


def _opened(opening: Opening, hours: float, now_ns: int) -> Opening:
    return msgspec.structs.replace(
        opening, opened_ns=now_ns, expires_ns=now_ns + int(hours * HOUR_NS)
    )
