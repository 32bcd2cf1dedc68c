"""The desk for recoveries: only an opened right, only its own hosts, only what was received."""

import json

import msgspec
import pytest

from releve.adapters.vault import view as viewing
from releve.adapters.vault.asked import AskedDesk, NoViewError, place_of
from releve.adapters.vault.records import Records
from releve.apps.vault.look import sweep_views
from releve.apps.vault.showing import MOST_VIEWS
from releve.flow.backup import VaultRefusedError
from releve.model.vault import CredentialKind, Opening, View, ViewWish
from tests.vault.conftest import STRUCTURE, address, month

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def right(gate, host):
    """A right of this host that is open; (credential, secret, its opening)."""
    vault = gate.vault()
    now = vault.clock.now_ns()
    opening = Opening(
        id=f"o-{host}", structure=STRUCTURE, host=host, incident="i", reason="r", by="A", hours=1,
        asked_ns=now - 9 * 10**9, opened_ns=now - 4 * 10**9, expires_ns=now + HOUR_NS,
    )  # fmt: skip
    Records(vault.layout.openings, Opening).put(opening.id, opening)
    facts = {"kind": CredentialKind.RESTORE, "host": host, "expires_ns": opening.expires_ns}
    return (*gate.credential(opening.id, **facts, opening=opening.id), opening)


def snapshots(gate, host) -> list[str]:
    folder = gate.data / "repos" / STRUCTURE / host / month() / "snapshots"
    return sorted(path.name for path in folder.iterdir())


def test_the_desk_tells_the_right_and_shows_what_was_received_by_then(gate, backed_up, right, host):
    thief, where, documents = backed_up
    wish = ViewWish(host=host, generation=month(), snapshots=tuple(snapshots(gate, host)))
    assert thief.put("index", b"garbage", repository=where) == 200
    desk = AskedDesk(gate.url, right[0], right[1])
    told = desk.right()
    assert (told.to_open_s, told.path) == (5.0, "two_people")
    assert told.since_asked_s >= 9
    made = desk.view(wish)
    assert (made.left_out, made.folder) == (1, "")
    assert desk.view(wish).id == made.id, "asked twice, after a kill perhaps: the same one"
    desk.close()
    client = gate.client(right[:2])
    listed = client.restic(f"/views/{made.id}/", "--no-lock", "ls", "latest", str(documents))
    assert "radio.dcm" in listed.stdout
    vault = gate.vault()
    assert sweep_views(vault) == 0
    over = msgspec.structs.replace(right[2], closed_ns=right[2].opened_ns + 1)
    Records(vault.layout.openings, Opening).put(over.id, over)
    assert sweep_views(vault) == 1
    assert vault.views.get(made.id) is None


def test_nobody_else_is_answered_and_nothing_else_is_shown(gate, host, right):
    ingest = gate.client(gate.credential(f"{host}-in", host=host))
    nobody = gate.client(("nobody", "x"))
    own = gate.client(right[:2])
    wish = json.dumps({"host": host, "generation": month(), "snapshots": ["a" * 64]}).encode()
    other = json.dumps({"host": "another", "generation": month()}).encode()
    table = [
        (nobody, "GET", "/.recover/right", None, 401),
        (ingest, "GET", "/.recover/right", None, 403),
        (ingest, "POST", "/.recover/view", wish, 403),
        (own, "POST", "/.recover/view", other, 403),
        (own, "POST", "/.recover/view", wish, 409),  # never received
        (own, "POST", "/.recover/view", b"{}", 400),
        (
            own,
            "POST",
            "/.recover/view",
            json.dumps({"host": "../x", "generation": ".."}).encode(),
            400,
        ),
        (own, "POST", "/.recover/view", b"x" * 70_000, 413),
        (own, "DELETE", "/.recover/view", None, 404),
        (own, "GET", "/.recover/../journal", None, 404),
    ]
    for client, method, path, body, status in table:
        assert client.ask(method, path, body)[0] == status, (method, path, body and body[:60])
    with pytest.raises(VaultRefusedError):
        AskedDesk(gate.url, ingest.name, ingest.secret).right()
    with pytest.raises(NoViewError, match="no whole repository"):
        AskedDesk(gate.url, own.name, own.secret).view(
            ViewWish(host=host, generation=month(), snapshots=("a" * 64,))
        )


def test_an_opening_has_no_more_views_than_a_recovery_needs(gate, backed_up, right, host):
    vault = gate.vault()
    made = AskedDesk(gate.url, right[0], right[1]).view(ViewWish(host=host, generation=month()))
    kept = vault.views.get(made.id)
    records = Records(vault.layout.views, View)
    for number in range(MOST_VIEWS):
        more = msgspec.structs.replace(kept, id=f"v-{host}{number}", as_of_ns=1)
        records.put(more.id, more)
    wish = ViewWish(host=host, generation=month(), snapshots=tuple(snapshots(gate, host)))
    with pytest.raises(NoViewError, match="too many"):
        AskedDesk(gate.url, right[0], right[1]).view(wish)
    for one in vault.views.all():
        if one.by == right[2].id:
            viewing.remove(vault.layout, one.id)


def test_a_repositorys_address_tells_its_gate():
    assert place_of("rest:https://c:8440/cabinet/srv1/2026-11/") == (
        "https://c:8440/", "srv1", "2026-11",
    )  # fmt: skip
    assert place_of(f"http://c{address('h')}")
    for other in ("rest:https://c/srv1/", "/var/lib/view", "rest:https://c/views/v-1/", "s3:x/y/z"):
        assert place_of(other) is None
