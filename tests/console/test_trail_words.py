"""Every verb that the code writes into the audit trail, and what it writes beside it, has words in both languages."""

import ast
import datetime as dt
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import releve
from releve.adapters.content import forms, law, playbooks
from releve.apps.console.trail_words import Content, row
from releve.apps.console.words import Words
from releve.flow.server.casework import add_record
from releve.flow.server.ports import AuditEntry
from releve.model.access import Role
from releve.model.casework import DECISIONS, Evidence
from releve.model.finding import Severity
from releve.model.obligation import State
from releve.model.order import AnyTask
from tests.console.test_incident_pages import Visitor
from tests.server.world import Running

SRC = Path(releve.__file__).parent
CONTENT = Content(law=law(), forms=forms(), playbooks=playbooks())
TASKS = [kind.__struct_config__.tag for kind in AnyTask.__args__]
# Verbs that are put together, by file and by their words in the code: what can come of them.
COMPOSED = {
    ("flow/server/actions.py", "f'propose_{_verb(task)}'"): [f"propose_{t}" for t in TASKS],
    ("flow/server/actions.py", "f'agree_{_verb(old.task)}'"): [f"agree_{t}" for t in TASKS],
    ("flow/server/actions.py", "_verb(old.task)"): TASKS,
    ("flow/server/casework.py", "f'record_{kind}'"): [
        f"record_{kind}" for kind in ("evidence", "hand_over", "ransom_decided")
    ],
    ("flow/server/casework.py", "verb"): [],  # of `tell`, whose callers are looked at
    ("flow/server/circles.py", "f'make_{kind.value}'"): ["make_group", "make_insurer"],
    ("flow/server/dossiers.py", "f'dossier_{verb}'"): [
        f"dossier_{verb}" for verb in ("make", "edit", "sign", "receipt")
    ],
    ("flow/server/identity/links.py", "verb"): ["add", "change_secret"],
    ("flow/server/incidents.py", "verb"): [
        "merge", "split", "close", "reopen", "care_resumed", "care_stopped",
    ],
    ("flow/server/obligations.py", "decision.state.value"): [state.value for state in State],
    ("flow/server/own_means.py", "verb"): ["reset_second_factor", "reset_password"],
    ("flow/server/playbooks.py", "f'playbook_{word.state}'"): [
        f"playbook_{state}" for state in ("done", "skipped", "undone", "proposed")
    ],
    ("apps/api/writes.py", "kind"): ["note", "acknowledged"],
}  # fmt: skip


def written() -> Iterator[tuple[str, str]]:
    """(file, the words of the verb in the code), of every line that is written into a trail."""
    for file in sorted(SRC.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
                name = call.func.id if isinstance(call.func, ast.Name) else name
                if (name == "record" and len(call.args) >= 4) or (
                    name == "tell" and len(call.args) == 5
                ):
                    yield str(file.relative_to(SRC)), ast.unparse(call.args[3])


def verbs() -> set[str]:
    found: set[str] = set()
    for file, words in written():
        said = ast.literal_eval(words) if words.startswith("'") else None
        found |= {said} if said else set(COMPOSED[file, words])
    return found


def test_what_is_put_together_is_still_written_so() -> None:
    assert COMPOSED.keys() <= set(written())


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_verb_that_the_code_can_write_has_words(language: str) -> None:
    t = Words(language)
    found = verbs()
    assert len(found) > 80
    assert {"playbook_proposed", "BREAK_GLASS_USED", "not-due", "isolate"} <= found
    assert [verb for verb in sorted(found) if not t.has(f"verb.{verb}")] == []


def details() -> Iterator[tuple[str, str, str]]:  # noqa: C901  # a list, kind by kind
    """(object, verb, detail): every detail that is an identifier of ours."""
    for severity in Severity:
        yield "incident/i", "open", severity.value
    for question in CONTENT.law.question:
        for answer in question.answers:
            yield "incident/i", "declare", f"Dr Martin: {question.id}={answer}"
    for playbook in CONTENT.playbooks.playbooks:
        yield "incident/i", "start_playbook", playbook.id
        for step in playbook.steps:
            for state in ("done", "skipped", "undone", "proposed", "refused"):
                yield "incident/i", f"playbook_{state}", f"{playbook.id} {step.id}"
    for role in Role:
        yield "person/p", "create", role.value
        yield "person/p", "grant", f"anne {role.value}"
        yield "person/p", "end_grant", f"anne {role.value}"
        yield "structure", "enter", f"{role.value}: Appel de 3 h"
    for by in ("password", "passkey", "break_glass", "identity sso"):
        yield "console", "sign_in", by
    for source in ("console", "host", "mail", "phone", "clock", "api"):
        yield "help/h", "ask", source
    for mark in ("50", "75", "90", "late", "orange", "red"):
        yield "obligation/i/L1", "remind", mark
    for decided in DECISIONS:
        yield "incident/i", "record_ransom_decided", decided
    yield "incident/i", "record_hand_over", "e1 to police"
    yield "console", "end_sessions", "3 (others)"
    yield "identity/sso", "link", "invited"
    yield "passkey/k", "counter_went_back", "3 after 5"
    yield "server", "restore", "state of 2026-11-22T01:00:00Z"
    yield "incident/i", "care_resumed", "soins 2026-11-22T01:00:00+00:00"
    yield "host/h", "forget", "3 événements / events, 2 constats / findings < 2026-01-01"


def said(object_: str, verb: str, detail: str, language: str) -> str:
    at = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    entry = AuditEntry(
        number=1, at=at, actor="a", object=object_, verb=verb, detail=detail, digest=""
    )
    return row(entry, CONTENT, Words(language)).detail.replace("\xa0", " ")


def test_every_detail_of_ours_is_told_in_words_of_the_reader() -> None:
    alike = (
        "sign_in",
        "grant",
        "end_grant",
        "create",
        "enter",
        "care_resumed",
        "end_sessions",
        "ask",
        "open",
    )
    for object_, verb, detail in details():
        french, english = (said(object_, verb, detail, lang) for lang in ("fr", "en"))
        for told in (french, english):
            assert told
            assert "=" not in told, (verb, told)
            assert not re.search(r"\b(trail_detail|answer|reminder|ransom)\.\w", told), told
        assert french != english or verb in alike, (verb, detail)
    assert said("incident/i", "playbook_done", "ransomware lead", "fr").startswith(
        "Rançongiciel ou effacement, étape 1 : Nommez une personne"
    )
    assert "Responsable" not in said("incident/i", "playbook_done", "ransomware lead", "fr")
    assert said("incident/i", "declare", "Dr M: device=no", "fr") == (
        "Dr M · Un dispositif médical a-t-il failli ? non"
    )
    assert said("person/p", "grant", "anne lead", "fr") == "anne : Responsable"
    assert said("incident/i", "close", "lead", "fr") == "lead"  # what people wrote


def test_the_health_page_tells_a_followed_playbook_in_words(served: Running) -> None:
    visitor = Visitor(served)
    visitor.post("/playbooks", playbook="ransomware")
    visitor.post("/playbooks/ransomware/lead", state="done")
    visitor.post("/playbooks/ransomware/isolate", state="propose")
    visitor.post("/obligations", by="claire", **{"answer.personal_data": "yes"})
    text = html.unescape(visitor.browser.get("/health").text).replace("\xa0", " ")
    trail = text[text.index("Journal d’audit") :]
    for words in (
        "étape de fiche faite", "étape de fiche proposée aux machines",
        "Rançongiciel ou effacement, étape 1 :", "Notification à la CNIL, initiale",
    ):  # fmt: skip
        assert words in trail, words
    for raw in ("playbook_", "personal_data", "ransomware Responsable", "ransomware isolate"):
        assert raw not in trail, raw
    with served.store.unit(visitor.hosts[0].structure) as unit:
        piece = Evidence(
            id="e1", incident=visitor.at.rpartition("/")[2], at=served.context.clock.now(),
            by="c", name="note", sha256="ab" * 32, size=3, kept="coffre",
        )  # fmt: skip
        assert add_record(unit, piece)
    told = html.unescape(visitor.browser.get("/health").text).replace("\xa0", " ")
    assert f'<span class="told">note : sha256 {"ab" * 32}</span>' in told
