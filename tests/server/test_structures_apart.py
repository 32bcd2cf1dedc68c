"""Walks every table and every route as another structure: nothing of the first is reached."""

import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pyotp
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters import content
from releve.adapters.sql import tables
from releve.adapters.sql.store import SqlStore
from releve.adapters.sql.unit import SqlUnit
from releve.flow.server import (
    actions,
    break_glass,
    casework,
    circles,
    ordering,
    playbooks,
    signin,
)
from releve.flow.server.assist import answering, asking, rotas
from releve.flow.server.audit import sign_end
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ingest import take
from releve.flow.server.passkeys import credential_digest
from releve.flow.server.ports import Passkey, Structure
from releve.flow.server.signin import digest
from releve.flow.server.tools import tokens, webhooks
from releve.model.access import Admission, Grant, Role
from releve.model.casework import CaseTask, Evidence
from releve.model.circle import Circle, CircleKind, Cohort, Sheet
from releve.model.identity import IdentityInvite, IdentityLink
from releve.model.mail import KeptMail
from releve.model.order import Isolate
from releve.model.posture import Posture
from releve.model.statement import KeptStatement
from releve.model.ticket import Glpi, Ticket
from releve.model.tool import ApiToken, GivenAnswer, Scope
from releve.model.webhook import Delivery, Webhook
from tests.assist import people
from tests.assist.people import always
from tests.server.declared import declare, practice
from tests.server.vaults import add_vault
from tests.server.world import (
    T0,
    EnrolledHost,
    Running,
    add_host,
    batch,
    rolled_back,
    running,
    stopped,
)

FAR = T0.replace(year=2060)
KEY = Ed25519PrivateKey.generate()
PASSWORD = "une phrase assez longue"
SHARED = {
    "structure",
    "attempt",
    "challenge",
    "erasure",
    "mailbox",
    "stray_mail",
    "identity_provider",
}  # tables that belong to no structure


def fill(store: SqlStore, name: str, key: Ed25519PrivateKey = KEY) -> EnrolledHost:
    host = add_host(store, f"serveur de {name}", name)
    events = (stopped(f"famille-{name}"), stopped("w", action="would_stop"), rolled_back("x"))
    with store.unit(host.structure) as unit:  # nothing is to go on by itself while tests look
        quiet = msgspec.structs.replace(practice(f"serveur de {name}"), ring_on_attack=False)
        unit.put_profile(quiet)
    take(store, host.structure, host.id, batch(*events), T0)
    with store.unit(host.structure) as unit:
        identity = f"proposal-{host.id}"
        actions.propose(unit, host.id, Isolate(), actor="a", identity=identity, now=T0)
        unit.take_nonce(host.id, "n", T0)
        (case,) = unit.incidents()
    write_beside(store, host, case.id)
    add_vault(store, host.structure, f"coffre de {name}").tell_head(1)
    declare(store, host.structure, case.id, by=f"Dr {name}", texts={"effects": f"effets-{name}"})
    owner = Structure(id=host.structure, name=name, created_at=T0)
    sign_end(store, host.structure, key, T0)
    person = signin.create_person(store, owner, f"claire-{name}", PASSWORD, f"p{host.id}", T0)
    assert person is not None
    signin.open_session(store, person, "full", lambda: name.encode() * 8, T0)
    codes = break_glass.new_codes(lambda: os.urandom(32))
    break_glass.keep(store, person, f"sheet-{name}", codes, actor="a", now=T0)
    with store.unit(host.structure) as unit:
        assert unit.add_passkey(passkey(host, name))
        assert unit.add_identity(link(host, name))
        unit.put_invite(invitation(host, name))
    call_for_help(store, host, name)
    let_in(store, host, name)
    show_figures(store, host, name)
    connect(store, host, name)
    with store.unit(host.structure) as unit:
        files = {"releve.json": name.encode()}
        kept = KeptStatement(month="2026-11", version=1, made_at=T0, files=files)
        assert unit.add_statement(kept)
    return host


def connect(store: SqlStore, host: EnrolledHost, name: str) -> None:
    """A tool that wrote once, and a webhook that takes nothing any more."""
    token = ApiToken(
        id=f"token-{host.id}", name=f"outil chez {name}", scopes=tuple(Scope), made_by="a",
        made_at=T0, expires_at=T0 + dt.timedelta(days=9),
    )  # fmt: skip
    tokens.make(store, [host.structure], token, f"releve_{name}")
    hook = Webhook(
        id=f"hook-{host.id}", url=f"https://{name}.exemple.fr/", made_by="a", made_at=T0, after=0,
        disabled_at=T0,
    )  # fmt: skip
    message = Delivery(
        id=f"msg-{host.id}", webhook=hook.id, type="help.asked", body=b"{}", made_at=T0, due_at=None
    )
    with store.unit(host.structure) as unit:
        unit.put_api_answer(token.id, "k", GivenAnswer(asked="", status=200, body=b"{}"), FAR)
        unit.add_webhook(hook, b"k" * 32)
        unit.put_delivery(message)


def let_in(store: SqlStore, host: EnrolledHost, name: str) -> None:
    """The operator of this structure came in once."""
    with store.unit(host.structure) as unit:
        unit.put_grant(
            Grant(
                person=f"op{host.id}",
                login=f"op-{name}",
                role=Role.OPERATOR,
                is_home=False,
                by="a",
                at=T0,
            )
        )
        unit.add_admission(
            Admission(
                id=f"adm-{host.id}", person=f"op{host.id}", login=f"op-{name}", role=Role.OPERATOR,
                reason=f"motif chez {name}", since=T0, until=FAR,
            )
        )  # fmt: skip


def show_figures(store: SqlStore, host: EnrolledHost, name: str) -> None:
    """Its days, the group that it is in; and it is an insurer itself, with a sheet."""
    group = Circle(id=f"g{host.id}", name=f"groupe de {name}", kind=CircleKind.GROUP)
    with store.unit(host.structure) as unit:
        assert circles.join(unit, group, actor="a", now=T0)
        unit.put_posture(Posture(day=T0.date(), hosts=1))
        unit.put_circle(CircleKind.INSURER)
        cohort = Cohort(members=(host.structure,), formed=T0.date())
        assert unit.add_sheet(Sheet(week="2026-W47", made_at=T0), (cohort,))


def link(host: EnrolledHost, name: str) -> IdentityLink:
    return IdentityLink(id=digest(f"sub-{name}"), provider="p", person=f"p{host.id}", made_at=T0)


def invitation(host: EnrolledHost, name: str) -> IdentityInvite:
    identity, login = digest(f"mail-{name}"), f"claire-{name}"
    return IdentityInvite(id=identity, provider="p", person=f"p{host.id}", login=login, until=FAR)


def passkey(host: EnrolledHost, name: str) -> Passkey:
    credential = f"credential of {name}".encode()
    return Passkey(
        id=credential_digest(credential), person=f"p{host.id}", credential=credential,
        public_key=b"cose", sign_count=3, name=f"clé de {name}", made_at=T0,
    )  # fmt: skip


def call_for_help(store: SqlStore, host: EnrolledHost, name: str) -> None:
    """Asked, rung, taken and closed; looked at once more in years."""
    rotas.keep(store, host.structure, always(people.person("ali")), actor="a", now=T0)
    asking.make_line(store, host.structure, f"line-{name}", actor="a", now=T0)
    identity = f"help-{host.id}"
    asked = asking.Asked(id=identity, source="console", by=f"claire-{name}", at=T0)
    asking.ask(store, host.structure, asked, T0)
    with store.unit(host.structure) as unit:
        unit.put_help_code(digest(f"code-{name}"), identity, 1, T0)
        assert unit.add_mail(kept_mail(identity, name), T0)
        unit.put_glpi(Glpi(url="http://127.0.0.1:9", app_token=name, user_token=name, since=T0))
        unit.put_ticket(Ticket(request=identity, number=7, due_at=None))
        answering.close(unit, identity, f"fait chez {name}", actor="a", now=T0)
        closed = unit.help_request(identity)
        assert closed is not None
        unit.put_help(closed, FAR)


def kept_mail(request: str, name: str) -> KeptMail:
    return KeptMail(
        id=f"mail-{request}", request=request, arrived_at=T0, taken_at=T0, sender=f"claire@{name}.fr",
        message_id=f"<{name}@x>", received="", text=f"écrit par {name}", attachments=0, is_cut=False,
    )  # fmt: skip


def write_beside(store: SqlStore, host: EnrolledHost, case: str) -> None:
    """A task, evidence and a playbook of the incident."""
    key = Ed25519PrivateKey.generate()
    doer = ordering.Doer(by="a", at=T0, key=key, new_id=lambda: f"run-{host.id}")
    piece = Evidence(
        id=f"e-{host.id}", incident=case, at=T0, by="a", name="n", sha256="0" * 64, size=1, kept="k"
    )
    task = CaseTask(id=f"t-{host.id}", incident=case, title="x", made_at=T0, made_by="a")
    with store.unit(host.structure) as unit:
        assert casework.add_task(unit, task)
        assert casework.add_record(unit, piece)
        assert playbooks.start(unit, case, content.playbooks().playbooks[0], doer)


def test_every_table_of_tenant_data_starts_its_key_with_the_structure() -> None:
    for table in tables.metadata.sorted_tables:
        if table.name not in SHARED:
            assert next(iter(table.primary_key)).name == "structure", table.name


def test_a_unit_reads_and_changes_nothing_of_another_structure(store: SqlStore) -> None:
    mine, theirs = fill(store, "A"), fill(store, "B")
    before = dump(store, theirs.structure)
    assert set(before) == {t.name for t in tables.metadata.sorted_tables} - SHARED
    with store.unit(mine.structure) as unit:
        assert [h.id for h in unit.hosts()] == [mine.id]
        assert unit.host(theirs.id) is None
        assert unit.watermark(theirs.id, "sp") == 0
        assert unit.action(f"proposal-{theirs.id}") is None
        assert unit.person(f"p{theirs.id}") is None
        assert unit.vault(vault_of(store, theirs)) is None
        assert unit.vault_heads(vault_of(store, theirs)) == []
        assert unit.findings_of(theirs.id) == []
        assert [v.structure for v in unit.vaults()] == [mine.structure]
        assert {i.host for i in unit.incidents()} == {mine.id}
        assert {f.host for f in unit.findings("would_stop")} == {mine.id}
        assert {r.action.host for r in unit.actions()} == {mine.id}
        assert all(theirs.id not in e.object for e in unit.trail())
        unit.drop_session(signin.digest("x"))
        unit.drop_sessions_of(f"p{theirs.id}")
        unit.review_findings("would_stop", T0)
        unit.forget_nonces(T0)
        unit.forget_sessions(T0 + dt.timedelta(days=9))
        assert {h.seq for h in unit.audit_heads()} == {1}
        assert {e.object for e in unit.trail_after(0)}.isdisjoint({f"host/{theirs.id}"})
        unit.put_watermark(theirs.id, "sp", 99)
        assert not unit.use_token("x", "h", T0)
    with store.unit(mine.structure) as unit:
        foreign, own = case_of(store, theirs), case_of(store, mine)
        find_no_access(unit, theirs)
        find_no_figures(unit, theirs)
        find_no_help(unit, theirs)
        find_no_casework(unit, foreign, theirs)
        find_no_clock(unit, foreign, own)
        find_no_way_in(unit, theirs)
        find_no_tool(unit, theirs)
    assert dump(store, theirs.structure) == before


def find_no_access(unit: SqlUnit, theirs: EnrolledHost) -> None:
    assert unit.grant(f"op{theirs.id}") is None
    assert {g.login for g in unit.grants()} == {"claire-a", "op-A"}
    assert unit.admission(f"adm-{theirs.id}") is None
    assert [a.login for a in unit.admissions()] == ["op-A"]
    summed = unit.situation()
    assert summed is not None
    assert summed.structure == unit.structure


def find_no_figures(unit: SqlUnit, theirs: EnrolledHost) -> None:
    assert unit.membership(f"g{theirs.id}") is None
    assert [m.circle for m in unit.memberships()] == [f"g{unit.hosts()[0].id}"]
    last = unit.sheet()
    assert last is not None
    assert last[1][0].members == (unit.structure,)
    assert len(unit.postures(T0.date() - dt.timedelta(days=9))) == 1


def find_no_help(unit: SqlUnit, theirs: EnrolledHost) -> None:
    assert unit.help_request(f"help-{theirs.id}") is None
    assert unit.help_steps(f"help-{theirs.id}") == []
    assert unit.help_code(digest("code-B"), T0 - dt.timedelta(hours=1)) is None
    assert not unit.use_help_code(digest("code-B"), T0 - dt.timedelta(hours=1))
    assert {r.structure for r in unit.help_requests()} == {unit.structure}


def find_no_casework(unit: SqlUnit, foreign: str, theirs: EnrolledHost) -> None:
    assert unit.incident(foreign) is None
    assert unit.entries((foreign,)) == []
    assert unit.count_entries((foreign,)) == 0
    assert unit.tasks((foreign,)) == []
    assert unit.task(f"t-{theirs.id}") is None
    assert unit.records((foreign,)) == []
    assert unit.runs((foreign,)) == []
    unit.move_entries((foreign,), (theirs.id,), "mine")


def find_no_clock(unit: SqlUnit, foreign: str, own: str) -> None:
    assert unit.declaration(foreign) is None
    assert unit.declared() == [own]
    assert unit.obligation(foreign, "L1") is None
    assert {o.incident for o in unit.obligations()} == {own}
    assert {t.incident for t in unit.due_timers(FAR)} == {own}
    assert unit.dossier(foreign, "complaint") is None
    unit.set_timers(foreign, "L1", ())


def find_no_way_in(unit: SqlUnit, theirs: EnrolledHost) -> None:
    key = passkey(theirs, "B")
    assert unit.passkey(key.id) is None
    assert unit.passkeys_of(key.person) == []
    assert not unit.add_passkey(key)  # one credential, one person, of all structures
    unit.drop_passkey(key.id)
    their_link = link(theirs, "B")
    assert unit.identity(their_link.id) is None
    assert unit.identities(person=their_link.person) == []
    assert not unit.add_identity(their_link)  # one account, one person, of all structures
    unit.drop_identity(their_link.id)
    assert unit.take_invite(invitation(theirs, "B").id, T0) is None
    unit.drop_invites("p")
    assert unit.sessions_of(key.person) == []
    assert {code.sheet for code in unit.break_glass()} == {"sheet-A"}


def find_no_tool(unit: SqlUnit, theirs: EnrolledHost) -> None:
    token, hook = f"token-{theirs.id}", f"hook-{theirs.id}"
    assert [one.token.name for one in unit.api_tokens()] == ["outil chez A"]
    assert unit.api_token(token) is None
    assert unit.api_answer(token, "k") is None
    assert tokens.revoke(unit, token, actor="a", now=T0) is None
    assert [one.url for one in unit.webhooks()] == ["https://A.exemple.fr/"]
    assert unit.webhook(hook) is None
    assert unit.deliveries(hook) == []
    assert unit.delivery(f"msg-{theirs.id}") is None
    assert not webhooks.remove(unit, hook, actor="a", now=T0)
    unit.drop_webhook(hook)
    unit.use_api_token(token, T0)
    unit.forget_api_answers(FAR + dt.timedelta(days=1))
    unit.forget_deliveries(FAR)
    unit.wake_deliveries(T0)


def case_of(store: SqlStore, host: EnrolledHost) -> str:
    with store.unit(host.structure, writes=False) as unit:
        return unit.incidents()[0].id


def vault_of(store: SqlStore, host: EnrolledHost) -> str:
    with store.unit(host.structure, writes=False) as unit:
        return unit.vaults()[0].id


def kept(store: SqlStore, structure: str) -> dict[str, list[tuple[object, ...]]]:
    """What only people and hosts change: a server that runs wakes calls, signs heads and sums up."""
    own_work = {"help_wake", "audit_head", "situation", "posture", "insurer_sheet"}
    return {name: rows for name, rows in dump(store, structure).items() if name not in own_work}


def dump(store: SqlStore, structure: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of a structure, by table; empty tables are left out."""
    found = {}
    with store.unit(structure, writes=False) as unit:
        for table in tables.metadata.sorted_tables:
            if "structure" in table.c:
                rows = unit._connection.execute(
                    sa.select(table).where(table.c.structure == structure)
                ).all()
                if rows:
                    found[table.name] = sorted(map(tuple, rows), key=repr)
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    """Nothing changes by itself, however long the walk takes."""
    with running(tmp_path / "server", jobs=False) as server:
        yield server


@pytest.fixture
def signed_in(served: Running) -> tuple[Running, httpx.Client, EnrolledHost, EnrolledHost]:
    mine, theirs = fill(served.store, "A"), fill(served.store, "B")
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "A", "x", now)
    person = signin.create_person(served.store, owner, "anne", PASSWORD, "anne", now)
    assert person is not None
    opened = signin.open_session(served.store, person, "full", served.context.new_secret, now)
    client = httpx.Client(
        base_url=served.url, cookies={"releve": opened.secret}, trust_env=False, timeout=20
    )
    client.headers["x-csrf"] = opened.session.csrf
    return served, client, mine, theirs


def test_no_page_shows_another_structure(
    signed_in: tuple[Running, httpx.Client, EnrolledHost, EnrolledHost],
) -> None:
    served, client, mine, theirs = signed_in
    with served.store.unit(theirs.structure, writes=False) as unit:
        incident = unit.incidents()[0].id
    before = kept(served.store, theirs.structure)
    routes = all_routes()
    assert {"/", "/live", "/health", "/incidents/{identity:str}"} <= {r for r, _ in routes}
    for route, method in routes:
        if route in ("/logout", "/static/{digest:str}/{name:path}") or route.startswith("/api"):
            continue
        for identity in (incident, f"proposal-{theirs.id}", f"help-{theirs.id}", theirs.id):
            path = re.sub(r"\{\w+:str\}", identity, route.replace("{decision:str}", "approve"))
            for task in ("isolate", "release") if "ask" in path else ("",):
                form = {"csrf": client.headers["x-csrf"], "task": task}
                text, status = ask(client, method, path, form)
                for secret in (
                    "serveur de B",
                    "famille-B",
                    theirs.id,
                    "claire-B",
                    "coffre de B",
                    "effets-B",
                    "Dr B",
                    "chez B",
                    "op-B",
                    "B.exemple.fr",
                ):
                    assert secret not in text.replace(path, ""), (method, path)
                if identity in path:
                    assert status in (404, 405), (method, path, status)
    assert kept(served.store, theirs.structure) == before
    assert "serveur de A" in client.get("/").text
    assert mine.id in client.get("/").text


def ask(client: httpx.Client, method: str, path: str, form: dict[str, str]) -> tuple[str, int]:
    if method == "POST":
        answer = client.post(path, data=form)
        return answer.text, answer.status_code
    with client.stream("GET", path) as answer:
        if "event-stream" in answer.headers.get("content-type", ""):
            return next(answer.iter_text()), answer.status_code
        return answer.read().decode(), answer.status_code


def all_routes() -> list[tuple[str, str]]:
    from releve.apps.console.app import console_parts
    from releve.apps.server.api import ROUTES

    found = []
    for handler in [*console_parts().routes, *ROUTES]:
        for path in handler.paths:
            found += [(path, m) for m in handler.http_methods if m in ("GET", "POST")]
    return found


def test_an_order_of_one_structure_is_not_told_to_a_host_of_another(tmp_path: Path) -> None:
    from tests.server.world import running

    with running(tmp_path / "s") as served:
        import anyio

        mine, theirs = fill(served.store, "A"), fill(served.store, "B")
        with served.store.unit(mine.structure) as unit:
            now = served.context.clock.now()
            actions.propose(unit, mine.id, Isolate(), actor="a", identity="q", now=now)
            actions.approve(unit, "q", served.context.key, actor="a", now=now)
        assert len(anyio.run(served.client(mine).wait_orders, 0, 0).orders) == 1
        assert anyio.run(served.client(theirs).wait_orders, 0, 0).orders == ()


def test_totp_of_the_library_is_the_one_of_phones() -> None:
    # RFC 6238, appendix B (SHA-1, 8 digits cut to 6): the seed of the standard at 59 s.
    import base64

    seed = base64.b32encode(b"12345678901234567890").decode()
    assert pyotp.TOTP(seed).at(59) == "287082"
