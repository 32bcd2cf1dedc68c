"""Proposals, decisions and signed orders. Nothing that can stop care happens without a person."""

import datetime as dt

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.envelope import seal_order
from releve.flow.server.ports import ActionRecord, Unit
from releve.model.order import Action, AnyTask, Order
from releve.respond import orders


def propose(
    unit: Unit,
    host: str,
    task: AnyTask,
    *,
    actor: str,
    identity: str,
    now: dt.datetime,
    people: int = 1,
    why: str = "",
) -> Action | None:
    """The new action, still undecided; None when the structure has no such host.

    `people`: how many different ones must agree. `why`: for those who decide.
    """
    unit.hold()
    record = unit.host(host, lock=True)
    if record is None:
        return None
    action = Action(
        id=identity,
        structure=unit.structure,
        host=host,
        number=orders.next_number(unit.last_number(host), now),
        task=task,
        state="proposed",
        proposed_at=now,
        proposed_by=actor,
        expires_at=now + orders.lifetime(task),
        people=people,
        why=why,
    )
    unit.put_action(ActionRecord(action=action))
    unit.record(now, actor, f"host/{host}", f"propose_{_verb(task)}", identity)
    return action


def approve(
    unit: Unit, action: str, key: Ed25519PrivateKey, *, actor: str, now: dt.datetime
) -> bool:
    """Agree; with the last one that is needed, sign the order and let it go out.

    False when it is no longer waiting.
    """
    unit.hold()
    record = unit.action(action)
    if record is None or record.action.state != "proposed":
        return False
    unit.host(record.action.host, lock=True)
    old = orders.agree(record.action, actor)
    if not orders.is_agreed(old):
        unit.put_action(ActionRecord(action=old))
        unit.record(now, actor, f"host/{old.host}", f"agree_{_verb(old.task)}", old.id)
        return True
    # A new number: orders that were approved meanwhile must not make this one look replayed.
    number = orders.next_number(unit.last_number(old.host), now)
    until = now + orders.lifetime(old.task)
    order = Order(
        id=old.id,
        number=number,
        structure=unit.structure,
        host=old.host,
        issued_at=now,
        expires_at=until,
        actor=actor,
        task=old.task,
    )
    decided = msgspec.structs.replace(
        old, state="sent", number=number, expires_at=until, decided_by=", ".join(old.agreed_by)
    )
    unit.put_action(ActionRecord(action=decided, signed=seal_order(key, order)))
    unit.record(now, actor, f"host/{old.host}", _verb(old.task), old.id)
    return True


def refuse(unit: Unit, action: str, *, actor: str, now: dt.datetime, why: str = "") -> bool:
    """False when it is no longer waiting."""
    unit.hold()
    record = unit.action(action)
    if record is None or record.action.state != "proposed":
        return False
    refused = msgspec.structs.replace(
        record.action, state="refused", decided_by=actor, ended_at=now, refused_why=why
    )
    unit.put_action(ActionRecord(action=refused))
    unit.record(now, actor, f"action/{action}", "refuse", why)
    return True


def expire(unit: Unit, now: dt.datetime) -> None:
    """Say so of every action whose time is over; a late host answers nothing that can help."""
    unit.hold()
    for state in ("proposed", "sent"):
        for record in unit.actions(state=state, most=1000):
            if record.action.expires_at <= now:
                over = msgspec.structs.replace(record.action, state="expired", ended_at=now)
                unit.put_action(msgspec.structs.replace(record, action=over))


def _verb(task: AnyTask) -> str:
    return str(msgspec.to_builtins(task)["task"])
