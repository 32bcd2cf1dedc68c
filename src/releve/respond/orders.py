"""Orders: what may be sent at once, what waits for a decision, and what a host may obey."""

import datetime as dt

import msgspec

from releve.model.host import Host
from releve.model.order import (
    Action,
    AnyTask,
    Isolate,
    Order,
    Release,
    RestoreFile,
    StopFamily,
    ThawFamily,
)

# How long an order stays good: a host that was away must not act on yesterday's reasons.
_LIFETIMES: dict[type, dt.timedelta] = {
    Isolate: dt.timedelta(minutes=15),
    Release: dt.timedelta(hours=24),  # coming back to care is always wanted
    StopFamily: dt.timedelta(minutes=15),
    ThawFamily: dt.timedelta(minutes=15),
    RestoreFile: dt.timedelta(hours=24),
}


def lifetime(task: AnyTask) -> dt.timedelta:
    return _LIFETIMES[type(task)]


def needs_decision(task: AnyTask, host: Host) -> bool:
    """Care first: cutting a host that carries care is a proposal with its undo, never an effect."""
    return isinstance(task, Isolate) and host.carries_care


def people_needed(hosts: int) -> int:
    """More than one host at once is a mass action: a second person looks."""
    return 2 if hosts > 1 else 1


def agree(action: Action, actor: str) -> Action:
    """The action with one more agreement; the same person counts once."""
    agreed = action.agreed_by if actor in action.agreed_by else (*action.agreed_by, actor)
    return msgspec.structs.replace(action, agreed_by=agreed)


def is_agreed(action: Action) -> bool:
    return len(action.agreed_by) >= action.people


def undo(task: AnyTask) -> AnyTask | None:
    return Release() if isinstance(task, Isolate) else None


def next_number(last: int, now: dt.datetime) -> int:
    """Grows also when the server's state comes back from an older backup: it follows the clock."""
    return max(last + 1, int(now.timestamp() * 1_000_000))


def why_refused(
    order: Order, *, structure: str, host: str, last_number: int, now: dt.datetime
) -> str:
    """Why the host does not obey; empty when it does. The signature was checked before."""
    if (order.structure, order.host) != (structure, host):
        return "not_for_this_host"
    if order.number <= last_number:
        return "replayed"
    if now >= order.expires_at:
        return "expired"
    if order.issued_at - now > dt.timedelta(minutes=10):
        return "from_the_future"
    return ""
