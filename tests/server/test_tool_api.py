"""The API for tools on a real server: tokens, scopes, pages, writes that are done once, and strangers."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.api.call import Operation
from releve.apps.api.document import document
from releve.apps.api.operations import OPERATIONS
from releve.apps.api.pace import Pace
from releve.flow.server import access, ordering, playbooks
from releve.flow.server.ingest import take
from releve.flow.server.tools import tokens
from releve.model.access import Role
from releve.model.playbook import Playbook
from releve.model.structure import CareService
from releve.model.tool import Scope
from tests.server.api_world import ALL, Tool, make_token, tool
from tests.server.declared import practice
from tests.server.test_access import person
from tests.server.test_structures_apart import case_of, fill, kept
from tests.server.world import EnrolledHost, Running, batch, running, stopped


class Two(msgspec.Struct, frozen=True):
    served: Running
    mine: EnrolledHost
    theirs: EnrolledHost


@pytest.fixture
def two(store: SqlStore, tmp_path: Path) -> Iterator[Two]:
    with running(tmp_path / "server", store) as served:
        yield Two(served, fill(store, "A"), fill(store, "B"))


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code
    assert set(said) == {"type", "title", "status", "detail"}
    assert said["detail"] or said["status"] != 401, "who has no good token is told how to get one"
    return answer.status_code, said["type"].removeprefix("urn:releve:problem:")


def test_a_tool_reads_the_nouns_of_its_structure(two: Two) -> None:
    one, case = tool(two.served, two.mine.structure), case_of(two.served.store, two.mine)
    imaging = CareService(id="imagerie", name="Imagerie", hosts=("serveur de A",))
    with two.served.store.unit(two.mine.structure) as unit:
        unit.put_profile(msgspec.structs.replace(practice("serveur de A"), services=(imaging,)))
    (there,) = one.get("structures").json()["items"]
    assert (there["id"], there["name"]) == (two.mine.structure, "A")
    assert set(there["scopes"]) == set(ALL)
    (host,) = one.get("/hosts").json()["items"]
    assert (host["id"], host["name"]) == (two.mine.id, "serveur de A")
    assert one.get(f"/hosts/{host['id']}").json() == host
    (incident,) = one.get("/incidents").json()["items"]
    found = one.get(f"/incidents/{case}").json()
    assert found["incident"] == incident
    assert [clock["service"] for clock in found["care"]] == ["imagerie"]
    assert [task["title"] for task in found["tasks"]] == ["x"]
    lines = one.get(f"/incidents/{case}/timeline").json()["items"]
    assert len(lines) == found["timeline_entries"] >= 5
    calls = one.get("/help").json()["items"]  # a legal clock may ring meanwhile
    (call,) = (c for c in calls if c["source"] != "clock")
    assert call["incidents"] == []
    assert call["phase"] == "closed"
    assert one.get(f"/help/{call['id']}").json() == call
    assert {o["incident"] for o in one.get("/obligations").json()["items"]} == {case}
    assert [s["month"] for s in one.get("/statements").json()["items"]] == ["2026-11"]
    assert [v["name"] for v in one.get("/vaults").json()["items"]] == ["coffre de A"]


def test_an_incident_tells_the_playbook_that_its_findings_speak_for_until_it_is_started(
    two: Two,
) -> None:
    served, mine = two.served, two.mine
    one, case = tool(served, mine.structure), case_of(served.store, mine)
    found = one.get(f"/incidents/{case}").json()["proposed_playbook"]
    ransomware = served.context.playbooks.named("ransomware")
    assert ransomware is not None
    title = ransomware.title
    assert found == {
        "id": "ransomware", "title": title.fr, "title_en": title.en, "dated": ransomware.dated,
    }  # fmt: skip
    start_it(served, mine, case, ransomware)
    assert one.get(f"/incidents/{case}").json()["proposed_playbook"] is None


def start_it(served: Running, mine: EnrolledHost, case: str, playbook: Playbook) -> None:
    context = served.context
    doer = ordering.Doer(by="dr", at=context.clock.now(), key=context.key, new_id=context.new_id)
    with served.store.unit(mine.structure) as unit:
        assert playbooks.start(unit, case, playbook, doer) is not None


def test_what_a_caller_wrote_and_where_to_ring_back_is_not_told(two: Two) -> None:
    one = tool(two.served, two.mine.structure)
    made = one.post("/help", {"text": "Mme Durand attend", "phone": "06 01 02 03 04"})
    assert made.status_code == 201
    told = made.text + one.get("/help").text + one.get(f"/help/{made.json()['id']}").text
    assert "Durand" not in told
    assert "06 01" not in told
    with two.served.store.unit(two.mine.structure, writes=False) as unit:
        request = unit.help_request(made.json()["id"])
    assert request is not None
    assert (request.text, request.phone) == ("Mme Durand attend", "06 01 02 03 04")
    assert request.source == "api"


def test_a_tool_acknowledges_notes_and_ends_tasks_in_the_timeline_and_the_trail(two: Two) -> None:
    one, case = tool(two.served, two.mine.structure), case_of(two.served.store, two.mine)
    seen = one.post(f"/incidents/{case}/acknowledgements", {"who": "Ali, astreinte"})
    assert (seen.status_code, seen.json()["kind"]) == (201, "acknowledged")
    assert one.post(f"/incidents/{case}/notes", {"text": "ticket 42"}).status_code == 201
    task = one.post(f"/incidents/{case}/tasks", {"title": "Appeler", "due_in_days": 2}).json()
    done = one.post(f"/incidents/{case}/tasks/{task['id']}/done")
    assert done.status_code == 200
    assert problem(one.post(f"/incidents/{case}/tasks/{task['id']}/done")) == (409, "task-over")
    lines = one.get(f"/incidents/{case}/timeline", limit=200).json()["items"]
    told = {(line["kind"], line["why"], line["by"]) for line in lines}
    assert ("acknowledged", "Ali, astreinte", "outil (API)") in told
    assert ("note", "ticket 42", "outil (API)") in told
    with two.served.store.unit(two.mine.structure, writes=False) as unit:
        verbs = {(e.actor, e.verb) for e in unit.trail()}
        assert unit.trail_is_whole()
    assert {("outil (API)", verb) for verb in ("acknowledged", "note", "add_task", "end_task")} <= (
        verbs
    )


def test_pages_follow_each_other_and_leave_nothing_out(two: Two) -> None:
    store, host = two.served.store, two.mine
    case = case_of(store, host)
    told = [stopped(f"f{n}") for n in range(40)]
    take(store, host.structure, host.id, batch(*told, spool="more"), two.served.context.clock.now())
    one = tool(two.served, host.structure)
    whole = [e["id"] for e in one.get(f"/incidents/{case}/timeline", limit=200).json()["items"]]
    assert len(whole) > 40
    found, cursor = [], ""
    while True:
        query = {"limit": 7} | ({"cursor": cursor} if cursor else {})
        page = one.get(f"/incidents/{case}/timeline", **query).json()
        found += [e["id"] for e in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["items"]) == 7
    assert found == whole
    duties = one.get("/obligations").json()["items"]
    first = one.get("/obligations", limit=1).json()
    rest = one.get("/obligations", limit=200, cursor=first["next"]).json()
    assert first["items"] + rest["items"] == duties
    assert len(duties) > 1


def test_limits_and_cursors_that_cannot_be_are_refused(two: Two) -> None:
    one = tool(two.served, two.mine.structure)
    for limit in ("0", "201", "x", "-1", "1.5", ""):
        assert problem(one.get("/incidents", limit=limit)) == (400, "limit")
    early = "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwieCJd"  # ["0001-01-01T00:00:00+14:00","x"]
    for cursor in ("x", "é", "bnVsbA", early, "IgAi"):
        assert problem(one.get("/incidents", cursor=cursor)) == (422, "cursor")


def test_a_write_asked_again_is_answered_the_same_and_not_done_again(two: Two) -> None:
    one, case = tool(two.served, two.mine.structure), case_of(two.served.store, two.mine)
    path = f"/incidents/{case}/notes"
    first = one.post(path, {"text": "une fois"}, key="k1")
    again = one.post(path, {"text": "une fois"}, key="k1")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert problem(one.post(path, {"text": "autre"}, key="k1")) == (422, "idempotency-key-reused")
    assert problem(one.post(f"/incidents/{case}/tasks", {"title": "x"}, key="k1")) == (
        422, "idempotency-key-reused",
    )  # fmt: skip
    assert problem(one.post(path, {"text": "x"}, key="")) == (400, "idempotency-key")
    lines = one.get(f"/incidents/{case}/timeline", limit=200).json()["items"]
    assert [line["why"] for line in lines if line["kind"] == "note"] == ["une fois"]
    hook = one.post("/webhooks", {"url": "https://outils.exemple.fr/"}, key="k2")
    assert one.post("/webhooks", {"url": "https://outils.exemple.fr/"}, key="k2").content == (
        hook.content
    )
    assert len(one.get("/webhooks").json()["items"]) == 2  # with the one that was there
    other = tool(two.served, two.mine.structure)
    assert other.post(path, {"text": "autre outil"}, key="k1").status_code == 201


def test_an_answer_is_kept_sealed_and_for_a_day(two: Two) -> None:
    one, store = tool(two.served, two.mine.structure), two.served.store
    secret = one.post("/webhooks", {"url": "https://outils.exemple.fr/"}, key="k").json()["secret"]
    with store.unit(two.mine.structure) as unit:
        from releve.adapters.sql import tables as t

        rows = unit._connection.execute(t.api_answer.select()).all()
        hooks = unit._connection.execute(t.webhook.select()).all()
        assert len(rows) > 0
        assert secret.encode() not in repr((rows, hooks)).encode()
    store.forget_old(two.served.context.clock.now() + dt.timedelta(hours=25))
    with store.unit(two.mine.structure, writes=False) as unit:
        left = unit._connection.execute(t.api_answer.select()).all()
        assert {row.made_at[:4] for row in left} == {"2060"}  # those that were there before


def test_without_a_good_token_nothing_is_told(two: Two) -> None:
    served, structure = two.served, two.mine.structure
    token, secret = make_token(served, structure)
    assert problem(Tool(served, "releve_x", structure).get("/hosts")) == (401, "token")
    bare = httpx.get(f"{served.url}/api/v1/structures", trust_env=False)
    assert problem(bare) == (401, "token")
    short, old = make_token(served, structure)
    with served.store.unit(structure) as unit:
        now = served.context.clock.now()
        unit.change_api_token(msgspec.structs.replace(short, expires_at=now))
        assert tokens.revoke(unit, token.id, actor="a", now=now) is not None
        assert tokens.revoke(unit, token.id, actor="a", now=now) is None
    assert problem(Tool(served, old, structure).get("/hosts")) == (401, "token")
    assert problem(Tool(served, secret, structure).get("/hosts")) == (401, "token")


def test_only_the_digest_of_a_token_is_kept_and_its_use_is_told(two: Two) -> None:
    served, structure = two.served, two.mine.structure
    token, secret = make_token(served, structure)
    Tool(served, secret, structure).get("/hosts")
    with served.store.unit(structure, writes=False) as unit:
        used = {one.token.id: one for one in unit.api_tokens()}[token.id]
        from releve.adapters.sql import tables as t

        rows = unit._connection.execute(t.api_token.select()).all()
    assert secret not in repr(rows)
    assert used.used_at is not None
    assert abs(used.used_at - served.context.clock.now()) < dt.timedelta(minutes=1)


def test_a_token_does_what_its_scopes_say_and_nothing_else(served: Running) -> None:
    host = fill(served.store, "A")
    body = {"text": "x", "who": "x", "title": "x", "url": "https://x.fr"}
    for scope in Scope:
        others = tuple(other for other in Scope if other is not scope)
        one = tool(served, host.structure, scopes=others)
        for operation in OPERATIONS:
            if operation.scope is not scope:
                continue
            path = one.at + re.sub(r"{(\w+)}", "x", operation.path)
            wanted = {k: v for k, v in body.items() if k in _fields(operation)}
            key = {"idempotency-key": "k"}
            answer = one._http.request(operation.method, path, headers=key, json=wanted)
            assert problem(answer) == (403, "scope"), operation.name


def _fields(operation: Operation) -> tuple[str, ...]:
    return operation.body.__struct_fields__ if operation.body else ()


def test_a_token_never_does_more_than_who_made_it_may_now(two: Two) -> None:
    served, structure = two.served, two.mine.structure
    anne = person(served.store, "A", "anne", Role.LEAD)
    one = tool(served, structure, person=anne.id)
    assert one.get("/incidents").status_code == 200
    with served.store.unit(structure) as unit:
        access.give(unit, anne, Role.STAFF, actor="a", now=served.context.clock.now())
    assert problem(one.get("/incidents")) == (403, "scope")
    assert one.get("/hosts").status_code == 200
    with served.store.unit(structure) as unit:
        access.end(unit, anne.id, actor="a", now=served.context.clock.now())
    assert problem(one.get("/hosts")) == (403, "scope")


def test_an_operators_token_opens_several_and_each_can_end_it_for_itself(two: Two) -> None:
    served, mine, theirs = two.served, two.mine.structure, two.theirs.structure
    token, secret = make_token(served, mine, theirs)
    one = Tool(served, secret, theirs)
    assert {s["id"] for s in one.get("structures").json()["items"]} == {mine, theirs}
    assert one.get("/hosts").json()["items"][0]["id"] == two.theirs.id
    with served.store.unit(theirs) as unit:
        assert tokens.revoke(unit, token.id, actor="b", now=served.context.clock.now())
    assert problem(one.get("/hosts")) == (404, "missing")
    assert Tool(served, secret, mine).get("/hosts").status_code == 200


def test_every_route_with_the_ids_of_another_structure_reaches_nothing(two: Two) -> None:
    """Under the own structure with foreign ids, and under the foreign structure."""
    served, store = two.served, two.served.store
    ids = {
        "host": two.theirs.id,
        "incident": case_of(store, two.theirs),
        "task": f"t-{two.theirs.id}",
        "help": f"help-{two.theirs.id}",
        "webhook": f"hook-{two.theirs.id}",
    }
    one, before = tool(served, two.mine.structure), kept(store, two.theirs.structure)
    bodies = {"text": "x", "who": "x", "title": "x", "url": "https://x.fr"}
    for operation in OPERATIONS:
        fields = _fields(operation)
        body = {k: v for k, v in bodies.items() if k in fields}
        for at in (f"/structures/{two.mine.structure}", f"/structures/{two.theirs.structure}"):
            path = at + operation.path.format_map(ids)
            answer = one._http.request(
                operation.method, path, json=body, headers={"idempotency-key": path}
            )
            for secret in ("serveur de B", "famille-B", "chez B", "Dr B", "B.exemple.fr"):
                assert secret not in answer.text, path
            is_foreign = at.endswith(two.theirs.structure) or "{" in operation.path
            assert (answer.status_code == 404) is is_foreign, (path, answer.text)
    assert kept(store, two.theirs.structure) == before


def test_wrong_bodies_paths_and_methods_are_problems(two: Two) -> None:
    one, case = tool(two.served, two.mine.structure), case_of(two.served.store, two.mine)
    notes = f"/incidents/{case}/notes"
    assert problem(one.post(notes, {"text": "x", "wider": 1})) == (400, "body")
    assert problem(one.post(notes, {"text": " "})) == (400, "body")
    assert problem(one.post(notes, {"text": "a\x00b"})) == (400, "body")
    assert problem(one.post(notes, {"text": "x" * 301})) == (400, "body")
    assert problem(one.post(notes, {"text": "x" * 70_000})) == (413, "body-too-long")
    key = {"idempotency-key": "k"}
    raw = one._http.post(one.at + notes, content=b"x", headers=key)
    assert problem(raw) == (415, "media-type")
    assert problem(one.get("/hosts/%00")) == (404, "missing")
    assert problem(one.get("/nothing/there")) == (404, "missing")
    assert problem(one._http.put(one.at + "/hosts")) == (405, "method")
    assert problem(one.post("/webhooks", {"url": "ftp://x.fr"})) == (422, "url")
    assert problem(one.post("/webhooks", {"url": "https://u:p@x.fr"})) == (422, "url")
    assert problem(one.post("/webhooks", {"url": "https://x.fr", "events": ["all"]})) == (
        422, "events",
    )  # fmt: skip
    assert problem(one.post("/help", {"text": "x", "host": two.theirs.id})) == (422, "host")


def test_a_token_that_asks_too_much_waits_and_others_do_not(tmp_path: Path) -> None:
    with running(tmp_path / "s", pace=Pace(5)) as served:
        host = fill(served.store, "A")
        one, other = tool(served, host.structure), tool(served, host.structure)
        answers = [one.get("/hosts") for _ in range(11)]  # the minute may turn once
        late = [answer for answer in answers if answer.status_code == 429]
        assert late
        assert problem(late[0]) == (429, "rate")
        assert 0 < int(late[0].headers["retry-after"]) <= 60
        assert other.get("/hosts").status_code == 200


def test_a_tool_that_asks_for_help_like_mad_is_held_back(two: Two) -> None:
    one = tool(two.served, two.mine.structure)
    codes = [one.post("/help", {"text": f"{n}"}).status_code for n in range(22)]
    assert codes[:20] == [201] * 20
    assert set(codes[20:]) == {429}


def test_the_document_is_of_these_operations_and_needs_no_token(served: Running) -> None:
    answer = httpx.get(f"{served.url}/api/v1/openapi.json", trust_env=False)
    assert answer.content == document()
    told = answer.json()
    assert told["openapi"] == "3.1.0"
    names = {one["operationId"] for path in told["paths"].values() for one in path.values()}
    assert names == {"list_structures", *(operation.name for operation in OPERATIONS)}
    text = answer.text
    for ref in re.findall(r"#/components/schemas/([^\"]+)", text):
        assert ref in told["components"]["schemas"]
