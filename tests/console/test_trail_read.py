"""The audit trail as the data-protection officer reads it: names, counts and reasons, nobody else's business."""

import datetime as dt
import html
import re

import msgspec
import pytest

from releve.adapters.content import forms, law, playbooks
from releve.apps.console.trail_known import Known, Order
from releve.apps.console.trail_words import Content, row
from releve.apps.console.words import Words
from releve.flow.server import access, actions, circles
from releve.flow.server.ports import AuditEntry
from releve.flow.server.tools import webhooks
from releve.model.access import Role
from releve.model.circle import Circle, CircleKind
from releve.model.order import Isolate
from releve.model.webhook import Webhook
from tests.console.test_incident_pages import Visitor
from tests.server.test_access import browser, person
from tests.server.world import Running

KNOWN = Known(
    objects={"host/h1": "serveur", "host/h2": "accueil"},
    orders={
        "a1": Order(said="Isoler, serveur", why="il envoie tout"),
        "a2": Order(said="x", why=""),
    },
    tasks={"t1": "Changer le mot de passe du routeur"},
    services={"consultation": "Consultations"},
    pieces={"e1": "Disque du serveur", "sha256 " + "ab" * 32: "Disque du serveur"},
    notes={"n1": "Le fournisseur rappelle à 9 h"},
)
CONTENT = Content(law=law(), forms=forms(), playbooks=playbooks(), known=KNOWN)
AT = "2026-11-22T01:00:00+00:00"
HASH = "ab" * 32
# Object, verb, detail as it is kept; then as it reads in French and in English.
LINES = [
    ("structure/s", "onboard", "+10, 5.3 s / 2 structures, 25 min (technicien / technician)",
     "10 étapes faites", "10 steps done"),
    ("structure/s", "onboard", "+10, 5.3 s / 1 structures, 25 min (technicien / technician)",
     "10 étapes faites, 25 min de technicien", "10 steps done, 25 min of a technician"),
    ("structure/s", "onboard", "+1", "1 étape faite", "1 step done"),
    ("structure/s", "onboard", "+3, 12.5 min", "3 étapes faites, 12,5 min de technicien",
     "3 steps done, 12.5 min of a technician"),
    ("structure/s", "set_rota", "1 personnes / people", "1 personne", "1 person"),
    ("structure/s", "set_rota", "3 personnes / people", "3 personnes", "3 people"),
    ("structure", "enter", "operator: Appel de 3 h : serveur", "Infogérant : Appel de 3 h : serveur",
     "Managed provider: Appel de 3 h : serveur"),
    ("obligation/i/L1", "done", "Mme Dupo: ", "Mme Dupo", "Mme Dupo"),
    ("obligation/i/L1", "done", "Mme Dupo", "Mme Dupo", "Mme Dupo"),
    ("obligation/i/L1", "done", "Mme Dupo: CNIL-2026-7", "Mme Dupo : CNIL-2026-7",
     "Mme Dupo: CNIL-2026-7"),
    ("obligation/i/L1", "not-due", "Mme Dupo: données chiffrées", "Mme Dupo : données chiffrées",
     "Mme Dupo: données chiffrées"),
    ("incident/i", "care_resumed", f"consultation {AT}", "Consultations, 22 nov. 2026 02:00",
     "Consultations, 22 Nov 2026 02:00"),
    ("incident/i", "add_task", "t1", "Changer le mot de passe du routeur",
     "Changer le mot de passe du routeur"),
    ("incident/i", "end_task", "gone", "", ""),
    ("incident/i", "note", "n1", "Le fournisseur rappelle à 9 h", "Le fournisseur rappelle à 9 h"),
    ("incident/i", "split", "h1,h2", "serveur, accueil", "serveur, accueil"),
    ("incident/i", "record_evidence", f"sha256 {HASH}", f"Disque du serveur : sha256 {HASH}",
     f"Disque du serveur: sha256 {HASH}"),
    ("incident/i", "record_hand_over", "e1 to Police", "Disque du serveur, à Police",
     "Disque du serveur, to Police"),
    ("host/h1", "propose_isolate", "a1", "Raison : il envoie tout", "Reason: il envoie tout"),
    ("host/h1", "isolate", "a2", "", ""),
    ("action/a1", "refuse", "le fournisseur travaille dessus", "le fournisseur travaille dessus",
     "le fournisseur travaille dessus"),
    ("action/a1", "refuse", "", "sans raison écrite", "with no written reason"),
    ("host/h1", "forget", "1 événements / events, 2 constats / findings < 2026-01-01",
     "1 événement et 2 constats d’avant le 1 janv. 2026",
     "1 event and 2 findings from before 1 Jan 2026"),
    ("identity/sso", "remove", "https://id.example, 1 comptes / accounts",
     "https://id.example, 1 compte", "https://id.example, 1 account"),
    ("identity/sso", "sign_out_there", "2", "2 sessions", "2 sessions"),
    ("break_glass/7", "make", "8 codes, anne", "8 codes imprimés, anne", "8 printed codes, anne"),
    ("break_glass/7", "revoke", "1", "1 code imprimé", "1 printed code"),
    ("break_glass/7", "BREAK_GLASS_USED", "192.0.2.7, 7/8 codes",
     "depuis 192.0.2.7 ; codes qui restent : 7 sur 8", "from 192.0.2.7; codes left: 7 of 8"),
    ("person/p", "use_recovery_code", "9/10", "codes qui restent : 9 sur 10",
     "codes left: 9 of 10"),
    ("findings/would_stop", "review", "1", "1 constat", "1 finding"),
    ("help/h", "acknowledge", "sms", "par le lien reçu par sms", "by the link received by sms"),
    ("api_token/t", "make", "GLPI: hosts:read incidents:write",
     "GLPI : lire les machines, écrire dans les incidents",
     "GLPI: read hosts, write into incidents"),
    ("webhook/w", "disable", "unreachable", "personne ne répond à cette adresse",
     "nobody answers at this address"),
    ("webhook/w", "disable", "status 503", "l’outil a répondu 503", "the tool answered 503"),
    ("vault/coffre", "enrol", "09522f7ac20b4ae4", "clé 09522f7ac20b4ae4", "key 09522f7ac20b4ae4"),
    ("dossier/i/cnil-initial", "dossier_make", "v1", "Version 1", "Version 1"),
    ("dossier/i/cnil-initial", "dossier_sign", f"v2 Mme Dupo, DPO: {HASH}",
     f"Version 2 · Mme Dupo, DPO · SHA-256 {HASH}", f"Version 2 · Mme Dupo, DPO · SHA-256 {HASH}"),
    ("dossier/i/cnil-initial", "dossier_receipt", f"v3 CNIL-77: {HASH}",
     f"Version 3 · CNIL-77 · SHA-256 {HASH}", f"Version 3 · CNIL-77 · SHA-256 {HASH}"),
    ("insurer/a", "see_sums", "2026-W47, 5", "semaine 47 de 2026, 5 structures réunies",
     "week 47 of 2026, 5 structures together"),
]  # fmt: skip


def said(about: str, verb: str, detail: str, language: str) -> str:
    at = dt.datetime.fromisoformat(AT)
    entry = AuditEntry(
        number=1, at=at, actor="a", object=about, verb=verb, detail=detail, digest=""
    )
    return row(entry, CONTENT, Words(language)).detail.replace("\xa0", " ")


@pytest.mark.parametrize(("about", "verb", "detail", "french", "english"), LINES)
def test_a_line_reads_as_a_sentence_of_the_reader(
    about: str, verb: str, detail: str, french: str, english: str
) -> None:
    assert said(about, verb, detail, "fr") == french
    assert said(about, verb, detail, "en") == english


def test_a_step_says_which_and_why_it_was_passed() -> None:
    for verb in ("playbook_skipped", "playbook_refused"):
        told = said("incident/i", verb, "ransomware isolate: le scanner sert: 9 h", "fr")
        assert told.startswith("Rançongiciel ou effacement, étape ")
        assert told.endswith("Raison : le scanner sert: 9 h")
    assert "Raison" not in said("incident/i", "playbook_skipped", "ransomware isolate", "fr")


def trail(text: str) -> str:
    return html.unescape(text[text.index('id="h-trail"') :]).replace("\xa0", " ")


def test_the_officer_reads_the_trail_with_names_and_no_identifier(served: Running) -> None:
    visitor = Visitor(served)
    store, now = served.store, served.context.clock.now()
    host = visitor.hosts[0]
    olga = person(store, "Infogérant", "olga", Role.OPERATOR)
    with store.unit(host.structure) as unit:
        access.give(unit, olga, Role.OPERATOR, actor="admin", now=now)
        for number, why in (("aaaa1111", "il envoie tout"), ("bbbb2222", "")):
            actions.propose(
                unit, host.id, Isolate(), actor="olga", identity=number, now=now, why=why
            )
            actions.refuse(unit, number, actor="claire", now=now, why=why and "il soigne")
    visitor.post("/playbooks", playbook="ransomware")
    visitor.post("/playbooks/ransomware/lead", state="skipped", why="déjà nommée hier")
    visitor.post("/care/soins", back="yes")
    visitor.post("/tasks", title="Changer le mot de passe du routeur")
    with browser(served, Role.DPO, "Cabinet A") as officer:
        home = officer.get("/").text
        assert 'href="/health"' in home
        answer = officer.get("/health")
        assert answer.status_code == 200
        whole = html.unescape(answer.text).replace("\xa0", " ")
        lines = trail(answer.text)
    for words in (
        "compte <strong>olga</strong>", "olga : Infogérant", "ordre <strong>Isoler, serveur</strong>",
        "il soigne", "sans raison écrite", "Raison : il envoie tout", "Raison : déjà nommée hier",
        "Consultations, ", "Changer le mot de passe du routeur",
    ):  # fmt: skip
        assert words in lines, words
    for raw in (olga.id, "aaaa1111", "bbbb2222", "soins 20", host.id):
        assert raw not in lines, raw
    orders = whole[whole.index('id="h-done"') : whole.index('id="h-trail"')]
    assert orders.count('data-label="Poste">serveur<') == 2
    assert "proposé par olga · <q>il envoie tout</q>" in orders
    assert "refusé : <q>il soigne</q>" in orders
    assert "sans raison écrite" in orders
    assert ">—<" not in orders


def test_older_lines_are_reached_and_only_those_of_the_own_structure(served: Running) -> None:
    visitor = Visitor(served)
    now = served.context.clock.now()
    other = person(served.store, "Cabinet B", "bruno", Role.LEAD)
    with served.store.unit(other.structure) as unit:
        for number in range(100):
            unit.record(now, "bruno", "console", "sign_in", f"password chez-b-{number}")
    with served.store.unit(visitor.hosts[0].structure) as unit:
        for number in range(100):
            unit.record(now, "claire", "structure", "enter", f"lead: visite-{number:03}.")
    with browser(served, Role.DPO, "Cabinet A") as officer:
        seen, at, pages = "", "/health", 0
        while at:
            text = officer.get(at).text
            seen, pages = seen + trail(text), pages + 1
            found = re.search(r'href="(/health\?before=\d+)#h-trail"', text)
            at = found[1] if found else ""
        for said in ("x", "-1", "9" * 40, "9" * 5000, "²"):
            assert officer.get("/health", params={"before": said}).status_code == 200
    assert pages > 1
    assert [f"visite-{n:03}." in seen for n in range(100)] == [True] * 100
    assert "chez-b" not in seen
    assert "bruno" not in seen


def test_who_looked_is_named_as_the_group_is(served: Running) -> None:
    visitor = Visitor(served)
    now = served.context.clock.now()
    group = circles.make(
        served.store, "Groupe Alpha", CircleKind.GROUP, actor="admin", identity="gggg9999", now=now
    )
    assert isinstance(group, Circle)
    with served.store.unit(visitor.hosts[0].structure) as unit:
        unit.record(now, "greta", f"group/{group.id}", "see_group")
    lines = trail(visitor.browser.get("/health").text)
    assert "groupe <strong>Groupe Alpha</strong>" in lines
    assert group.id not in lines


def test_who_reads_the_trail_sees_whom_a_tool_is_not_its_secret_address(served: Running) -> None:
    """Many services take messages from whoever knows the address; the tools' page is not the officer's."""
    now = served.context.clock.now()
    officer = browser(served, Role.DPO)
    (structure,) = (one.id for one in served.store.structures())
    made = Webhook(
        id="w1", url="https://hooks.example.org:8443/services/T0/s3cret?key=s3cret", made_by="admin",
        made_at=now, after=0,
    )  # fmt: skip
    with served.store.unit(structure) as unit:
        unit.add_webhook(made, b"k" * 32)
        unit.record(now, "admin", "webhook/w1", "add", made.url)  # as it was kept at first
        webhooks.add(unit, msgspec.structs.replace(made, id="w2"), b"k" * 32)
        assert unit.trail(most=1)[0].detail == "https://hooks.example.org:8443"
    for page in (officer, browser(served, Role.AUDITOR)):
        told = page.get("/health").text
        assert "https://hooks.example.org:8443" in told
        assert "s3cret" not in told
