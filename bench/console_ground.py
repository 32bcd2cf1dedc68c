"""What the bench of the console fills a server with, and who looks at it."""

import datetime as dt

import httpx

from releve.flow.server import access, signin, situations
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import HostRecord
from releve.model.access import Role
from releve.model.host import BackupState, Host, HostState
from tests.server.world import EnrolledHost, Running, add_host


def fill(served: Running, structures: int, hosts: int) -> list[EnrolledHost]:
    """One enrolled host per structure that can post; the others are there with their state."""
    now, store = served.context.clock.now(), served.store
    provider = ensure_structure(store, "Infogérant", "provider", now)
    olga = signin.create_person(
        store, provider, "olga", "une phrase assez longue", "olga", now, role=Role.OPERATOR
    )
    assert olga is not None
    posting = []
    for number in range(structures):
        one = add_host(store, f"poste-{number}-0", f"Cabinet {number:04d}")
        posting.append(one)
        more = hosts // structures + (number < hosts % structures) - 1
        with store.unit(one.structure) as unit:
            access.give(unit, olga, Role.OPERATOR, actor="admin", now=now)
            for place in range(more):
                unit.put_host(
                    HostRecord(host=host(one.structure, number, place, now), public_key=b"")
                )
            situations.keep(unit, now)
    return posting


def host(structure: str, number: int, place: int, now: dt.datetime) -> Host:
    state = HostState(
        guard="enforcing", backup=BackupState(at=now, ok=True, ms=9.0, last_good_at=now)
    )
    return Host(
        id=f"h{number}-{place}",
        structure=structure,
        name=f"poste-{number}-{place + 1}",
        enrolled_at=now,
        carries_care=False,
        last_seen_at=now,
        state=state,
    )


def operator(served: Running) -> httpx.Client:
    """The operator's browser as far as a client is one."""
    cookies = {"releve": session(served)}
    return httpx.Client(base_url=served.url, cookies=cookies, trust_env=False, timeout=60)


def session(served: Running) -> str:
    now = served.context.clock.now()
    olga = served.store.person_by_login("olga")
    assert olga is not None
    opened = signin.open_session(served.store, olga, "full", served.context.new_secret, now)
    return opened.secret
