"""Every page and report stands up to axe-core (WCAG 2.2, A and AA) in a real Chromium."""

import datetime as dt
import hashlib
from pathlib import Path

import msgspec
import pyotp
import pytest
from playwright.sync_api import Browser, Page

from releve.apps.console.web import assets
from releve.assist.escalation import Acknowledged
from releve.flow.server import access, actions, casework, ordering, playbooks, situations
from releve.flow.server.assist import answering, rotas
from releve.flow.server.assist.asking import Asked, ask
from releve.flow.server.ingest import take
from releve.flow.server.signin import digest
from releve.model import event as ev
from releve.model.access import Admission, Grant, Role
from releve.model.casework import CaseTask, Evidence, HandOver, RansomDecision
from releve.model.help import Shift
from releve.model.order import Isolate
from releve.model.playbook import StepWord
from releve.model.structure import CareService, Contact, Profile, StructureKind
from releve.report.incident import incident_html
from tests.assist.people import always, person
from tests.report.incidents import incident, stop
from tests.report.test_incident_report import PLACE
from tests.server.help_world import dead_port
from tests.server.vaults import busy_vault
from tests.server.world import Running, add_host, batch, rolled_back, stopped

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "vendor" / "axe-core"
GOLDEN = Path(__file__).parents[1] / "report" / "golden"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PASSWORD = "une phrase assez longue"
WIDTHS = (390, 1280)


def violations(page: Page, at: str) -> list[str]:
    """What axe finds wrong, at both widths, with everything unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate((AXE / "axe.min.js").read_text(encoding="utf-8"))
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        result = page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS
        )
        assert len(result["passes"]) > 5, f"axe looked at nothing of {at}"
        found += [
            f"{at} ({width}): {v['id']}: {v['help']}: {node['html'][:160]}"
            for v in result["violations"]
            for node in v["nodes"][:3]
        ]
    return found


def test_axe_is_the_one_that_was_reviewed_and_is_never_served() -> None:
    rows = (AXE / "SHA256SUMS").read_text().splitlines()
    assert len(rows) == 3
    for row in rows:
        digest, _, name = row.partition("  ")
        assert hashlib.sha256((AXE / name).read_bytes()).hexdigest() == digest
    assert not [name for name in assets() if "axe" in name]


def busy(served: Running) -> str:
    """A structure in which everything that a page can show is shown; the id of a case."""
    host = add_host(served.store, "serveur-fichiers", care=True)
    other = add_host(served.store, "accueil", care=False)
    now = served.context.clock.now()
    folder = ev.FolderFacts(
        folder="k1:a", label="1", mode="copy", attribution="exact", room_bytes=10**9, files=200,
        held_bytes=10**8, can=("Annuler.",), cannot=("Nommer l’auteur.",),
    )  # fmt: skip
    hidden = ev.HiddenPath(token="k1:9f2c", extension="docx", folder="documents")
    told = (
        ev.GuardReady(seen_at=now, folders=(folder,), enforce=True),
        ev.BaselineAdvanced(seen_at=now, folder="k1:b", phase="baseline", files=10, percent=40),
        ev.WindowMeasured(
            seen_at=now, folder="k1:a", saves=9, p50_ms=3, p99_ms=9, worst_ms=20, held_bytes=10**8,
            room_bytes=10**9,
        ),
        ev.BackupRan(seen_at=now, ok=True, ms=900),
        ev.BackupRan(seen_at=now, ok=False, ms=900, status=85),
        ev.EventsDropped(seen_at=now, count=3),
        ev.HostIsolated(seen_at=now, since=now, until=now.replace(year=now.year + 1), by="dr"),
        stopped("f1", now),
        rolled_back("f1", now),
        stopped("f2", now, "frozen"),
        stopped("f3", now, "none"),
        msgspec.structs.replace(rolled_back("f3", now, lost=1), lost_paths=(hidden,)),
        stopped("f4", now, "would_stop"),
        ev.GuardAlerted(seen_at=now, alert="approved", why="Autorisé.", why_en="Allowed."),
        ev.GuardAlerted(seen_at=now, alert="store_full", why="Plein.", why_en="Full."),
    )  # fmt: skip
    take(served.store, host.structure, host.id, batch(*told), now)
    down = ev.GuardWentDown(seen_at=now, status=-9, restarts=1)
    take(served.store, other.structure, other.id, batch(down), now)
    with served.store.unit(host.structure) as unit:
        for n, place in enumerate((host, other)):
            task = Isolate()
            actions.propose(unit, place.id, task, actor="c", identity=f"a{n}", now=now)
        actions.approve(unit, "a1", served.context.key, actor="c", now=now)
    busy_vault(served.store, host, now)
    busy_desk(served, host.structure, now)
    with served.store.unit(host.structure) as unit:
        return unit.open_incidents(host.id)[0].id


def busy_desk(served: Running, structure: str, now: dt.datetime) -> None:
    """A call that nobody took, one that somebody took, one that is over; a rota with a hole."""
    known = always(person("ali", url=f"json://127.0.0.1:{dead_port()}/"))
    shifts = (Shift(person="ali", hours="00:00-23:00"),)
    rotas.keep(
        served.store, structure, msgspec.structs.replace(known, shifts=shifts), actor="a", now=now
    )
    for number in range(3):
        earlier = now - dt.timedelta(minutes=5)
        asked = Asked(
            id=f"help{number}", source="phone", by="0299000001", phone="0299000001",
            is_blocked=number == 0, text="L’imprimante fume.", at=earlier,
        )  # fmt: skip
        ask(served.store, structure, asked, now)
    with served.store.unit(structure) as unit:
        answering.acknowledge(unit, "help1", Acknowledged(now, "bea", "Bea"))
        answering.close(unit, "help2", "Éteinte.", actor="bea", now=now)
        unit.put_help_code(digest("code0"), "help0", 1, now + dt.timedelta(hours=1))
        unit.put_help_code(digest("code1"), "help1", 1, now + dt.timedelta(hours=1))


def watched(served: Running) -> None:
    """Claire is the operator of two more structures; somebody of elsewhere came into hers."""
    store, now = served.store, served.context.clock.now()
    claire = store.person_by_login("claire")
    assert claire is not None
    for name in ("Cabinet B", "Cabinet C"):
        there = add_host(store, "poste", name)
        with store.unit(there.structure) as unit:
            access.give(unit, claire, Role.OPERATOR, actor="admin", now=now)
            situations.keep(unit, now)
    take(store, there.structure, there.id, batch(stopped("f1", now)), now)
    with store.unit(claire.structure) as unit:
        unit.put_grant(
            Grant(person="o", login="olga", role=Role.OPERATOR, is_home=False, by="claire", at=now)
        )
        unit.add_admission(
            Admission(
                id="in", person="o", login="olga", role=Role.OPERATOR, reason="Poste muet",
                since=now, until=now + dt.timedelta(hours=8),
            )
        )  # fmt: skip


def follow(served: Running, case: str) -> None:
    """A playbook, tasks, evidence, care and a decision on the incident: its page shows all it can."""
    context, now = served.context, served.context.clock.now()
    structure = served.store.structures()[0].id
    doer = ordering.Doer(by="c", at=now, key=context.key, new_id=context.new_id)
    playbook = context.playbooks.named("ransomware")
    assert playbook is not None
    service = CareService(id="soins", name="Consultations", hosts=("serveur-fichiers",))
    lead = Contact(name="Dr M", role="lead", phone="02 99 00 00 01")
    told = Profile(
        kind=StructureKind.PRACTICE, legal_name="Cabinet", services=(service,), contacts=(lead,)
    )
    facts = {"incident": case, "at": now, "by": "c"}
    with served.store.unit(structure) as unit:
        unit.put_profile(told)
        run = playbooks.start(unit, case, playbook, doer)
        assert run is not None
        word = StepWord(step="lead", state="done", by="c", at=now)
        run = playbooks.say(unit, run, playbook, word, doer)
        word = StepWord(step="call", state="skipped", by="c", at=now, why="appelé avant")
        run = playbooks.say(unit, run, playbook, word, doer)
        playbooks.act(unit, run, playbook, "stop", doer)
        task = CaseTask(
            id="t1", incident=case, title="Changer", made_at=now, made_by="c", due_at=now
        )
        assert casework.add_task(unit, task)
        piece = Evidence(id="e1", name="note", sha256="a" * 64, size=3, kept="coffre", **facts)
        assert casework.add_record(unit, piece)
        hand = HandOver(id="h1", evidence="e1", giver="A", receiver="B", kept="police", **facts)
        assert casework.add_record(unit, hand)
        ransom = RansomDecision(
            id="r1", decided="not_paid", decider="Dr M", why="x", advice="y", **facts
        )
        assert casework.add_record(unit, ransom)


def sign_up(page: Page, served: Running, found: list[str]) -> None:
    """The pages that are seen once, each looked at on the way."""
    page.goto("/setup")
    found += violations(page, "/setup")
    page.fill("input[name=code]", "WRONG")
    page.fill("input[name=structure]", "Cabinet A")
    page.fill("input[name=login]", "claire")
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("main button[type=submit]")
    found += violations(page, "/setup with a wrong code")
    page.fill("input[name=code]", served.home.setup_code())
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector(".qr")
    found += violations(page, "/enrol")
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    page.fill("input[name=code]", pyotp.TOTP(secret).now())
    page.click("main button[type=submit]")
    page.wait_for_selector(".codes li")
    found += violations(page, "recovery codes")
    page.click("main a.strong")


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_every_page_of_the_console_is_accessible(
    served: Running, chromium: Browser, locale: str
) -> None:
    served.home.make_setup_code()
    context = chromium.new_context(locale=locale, base_url=served.url)
    page, found = context.new_page(), []
    sign_up(page, served, found)
    found += violations(page, "/ without any host")
    page.goto("/vault")
    found += violations(page, "/vault without any")
    page.goto("/desk")
    found += violations(page, "/desk without a rota")
    case = busy(served)
    follow(served, case)
    cases = ("/incidents", f"/incidents/{case}", f"/incidents/{case}?skip=3")
    calls = ("/help", "/help/help0", "/help/help1", "/help/help2", "/desk")
    links = ("/a/code0", "/a/code1", "/a/over")
    rest = ("/playbooks", "/playbooks/ransomware", "/vault", "/health", "/nothing")
    offices = (
        "/people",
        "/tools",
        "/structures",
        "/situation",
        "/situation/wall",
        "/posture",
        "/settings",
        "/papers",
    )
    watched(served)
    for address in ("/", *cases, *calls, *links, *rest, *offices):
        page.goto(address)
        found += violations(page, address)
    page.goto("/tools")
    page.fill("input[name=name]", "Tickets")
    page.check("input[name='scope-incidents:read']")
    page.click("main form.fields button")
    page.wait_for_selector("#new-token")
    found += violations(page, "/tools with a new token")
    page.goto("/")
    page.click("header form button")
    page.wait_for_url("**/login")
    found += violations(page, "/login")
    page.fill("input[name=login]", "claire")
    page.fill("input[name=password]", "wrong")
    page.click("main button[type=submit]")
    found += violations(page, "/login with a wrong password")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/login/second")
    found += violations(page, "/login/second")
    context.close()
    assert found == []


def test_the_check_finds_what_is_wrong(chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.set_content(
        "<!doctype html><html><head><title>x</title></head><body><main><h1>x</h1>"
        "<ul><li>a</li></ul><a href='/'>b</a><img src='x.png'>"
        "<p style='color:#ccc;background:#fff'>pale</p></main></body></html>"
    )
    found = " ".join(violations(page, "bad"))
    page.context.close()
    assert all(rule in found for rule in ("image-alt", "color-contrast", "html-has-lang"))


def test_every_report_is_accessible(chromium: Browser) -> None:
    """Those of simulations as they are kept golden, and one of an incident."""
    page, found = chromium.new_context().new_page(), []
    reports = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.html")}
    assert len(reports) >= 6
    for lang in ("fr", "en"):
        reports[f"incident.{lang}"] = incident_html(
            incident(stop(), stop(restored=None)), PLACE, lang
        )
    for name, text in reports.items():
        page.set_content(text)
        found += violations(page, name)
    page.context.close()
    assert found == []
