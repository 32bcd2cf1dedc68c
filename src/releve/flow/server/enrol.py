"""Tokens and enrolment: a secret works once, and only its hash is kept."""

import datetime as dt
import hashlib

from releve.flow.server.ports import HostRecord, Store, Structure
from releve.flow.wire import EnrolReply, EnrolRequest
from releve.model.host import Host


def digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def ensure_structure(store: Store, name: str, identity: str, now: dt.datetime) -> Structure:
    """The structure of that name, made when there is none."""
    for structure in store.structures():
        if structure.name == name:
            return structure
    made = Structure(id=identity, name=name, created_at=now)
    store.put_structure(made)
    return made


def make_token(
    store: Store, structure: str, secret: bytes, now: dt.datetime, until: dt.datetime
) -> None:
    with store.unit(structure) as unit:
        unit.put_token(digest(secret), now, until)
        unit.record(now, "admin", f"token/{digest(secret)[:8]}", "create")


def enrol(
    store: Store, request: EnrolRequest, identity: str, now: dt.datetime
) -> EnrolReply | None:
    """The new host's place; None for a token that is unknown, used or expired (they look alike).

    Whom the token enrolled, by its key, is told its place again: the answer may have been lost.
    """
    structure = store.structure_of_token(digest(request.secret))
    if structure is None:
        return None
    names = {s.id: s.name for s in store.structures()}
    with store.unit(structure) as unit:
        if not unit.use_token(digest(request.secret), identity, now):
            known = unit.host(unit.host_of_token(digest(request.secret)))
            if known is None or known.public_key != request.public_key:
                return None
            return EnrolReply(
                structure=structure,
                structure_name=names[structure],
                host=known.host.id,
                server_time=now,
            )
        host = Host(
            id=identity,
            structure=structure,
            name=request.name[:100],
            enrolled_at=now,
            carries_care=request.carries_care,
            care_role=request.care_role[:100],
        )
        unit.put_host(HostRecord(host=host, public_key=request.public_key))
        unit.record(now, f"token/{digest(request.secret)[:8]}", f"host/{identity}", "enrol")
    return EnrolReply(
        structure=structure, structure_name=names[structure], host=identity, server_time=now
    )
