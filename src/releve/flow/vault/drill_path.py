"""A right to read for a restore drill, which the vault opens by itself on a path agreed beforehand. Pure.

The clean room proves its key and names the digest of a secret that it made: who hears the request, or
sends it again, learns nothing that opens anything.
"""

from collections.abc import Iterable

from releve.flow.vault import signoffs
from releve.flow.vault.openings import HOUR_NS, PROOF_NS, OpeningError, check_stands
from releve.model.vault import Agreement, Approver, DrillAsk, Opening

# A weekly drill does not begin at the same minute: who looks hourly when it is due may be so much early.
_EARLY_NS = 2 * HOUR_NS
LONGEST_HOURS = 24.0


def ask_statement(ask: DrillAsk) -> bytes:
    """What the clean room signs; good for minutes."""
    return signoffs.statement(
        "open for a restore drill",
        [
            ("agreement", ask.agreement),
            ("secret's SHA-256", ask.secret_sha256),
            ("asked at ns", str(ask.asked_ns)),
        ],
    )


def check_agreement(agreement: Agreement) -> None:
    """Of an agreement for drills, before anybody signs it. Raises: OpeningError."""
    if not agreement.host or not agreement.read_bytes:
        raise OpeningError("a path for drills names one host, and how much a drill reads (--reads)")
    if agreement.drill_every_days < 1 or agreement.hours > LONGEST_HOURS:
        raise OpeningError(f"a drill is daily at most, and has {LONGEST_HOURS:g} hours")


def is_from_room(ask: DrillAsk, agreement: Agreement | None) -> bool:
    """Whether the clean room of an agreement for drills asks; others are not even told why not."""
    if agreement is None or not agreement.drill_every_days or agreement.name != ask.agreement:
        return False
    return signoffs.is_signed(agreement.room_key, ask_statement(ask), ask.signature)


def opened(
    ask: DrillAsk,
    agreement: Agreement,
    approvers: Iterable[Approver],
    known: Iterable[Opening],
    *,
    name: str,
    now_ns: int,
) -> Opening:
    """The opening, in force at once, for a request that `is_from_room`.

    Args:
        known: the vault's openings; those of this agreement say when the last one was.
        name: of the opening.

    Raises: OpeningError.
    """
    check_stands(agreement, approvers, now_ns)
    if abs(now_ns - ask.asked_ns) > PROOF_NS:
        raise OpeningError("the request is not fresh: compare the clocks")
    last = max((one.opened_ns for one in known if one.agreement == agreement.name), default=0)
    due = last + int(agreement.drill_every_days * 24 * HOUR_NS) - _EARLY_NS
    if last and now_ns < due:
        raise OpeningError(f"the next drill is due in {(due - now_ns) / HOUR_NS:.1f} hours")
    return Opening(
        id=name,
        structure=agreement.structure,
        host=agreement.host,
        incident="drill",
        reason="restore drill",
        by=agreement.name,
        hours=agreement.hours,
        asked_ns=min(ask.asked_ns, now_ns),
        agreement=agreement.name,
        opened_ns=now_ns,
        expires_ns=now_ns + int(agreement.hours * HOUR_NS),
        is_drill=True,
    )
