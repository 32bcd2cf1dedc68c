"""Markup in every text that an attacker can choose: nothing runs, nothing breaks, and people still read."""

import msgspec
import pytest
from playwright.sync_api import Browser

from releve.flow.server import casework, profiles
from releve.flow.server.assist.asking import Asked, PhoneRing, ask, take_ring
from releve.flow.server.ingest import take
from releve.model import event as ev
from releve.model.casework import CaseTask, Evidence, RansomDecision
from releve.model.structure import CareService, Contact, DataSetEntry, Profile, StructureKind
from tests.console.test_accessible import busy, follow, watched
from tests.console.test_browser import Watched, set_up
from tests.console.test_light import addresses
from tests.server.world import Running, add_host, batch, rolled_back, stopped

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
BAD = (
    "'\"><img src=x onerror=window.ran=1><script>window.ran=1</script>"
    "<svg onload=window.ran=1>{{7*7}}${7*7}</textarea></title><a href=javascript:window.ran=1>"
)


def seed(served: Running) -> str:
    """A structure, its hosts and its incident, with the markup in each text; the incident's id."""
    store, now = served.store, served.context.clock.now()
    host = add_host(store, BAD[:180], care=True)
    hidden = ev.HiddenPath(token=BAD, extension=BAD, folder=BAD)
    reason = ev.Reason(why=BAD, why_en=BAD, score=5, path=hidden)
    folder = ev.FolderFacts(
        folder=BAD, label=BAD, mode=BAD, attribution=BAD, room_bytes=9, can=(BAD,), cannot=(BAD,)
    )
    stop = msgspec.structs.replace(
        stopped("f1", now), program=BAD, user=BAD, client=BAD, reasons=(reason,)
    )
    undone = msgspec.structs.replace(rolled_back("f1", now, lost=1), lost_paths=(hidden,))
    told: tuple[ev.AnyEvent, ...] = (
        ev.GuardReady(seen_at=now, folders=(folder,), enforce=True),
        stop,
        undone,
        msgspec.structs.replace(stop, family="f2", action="would_stop"),
        msgspec.structs.replace(stop, family="f3", action="none"),
        msgspec.structs.replace(stop, family=BAD, action=BAD),
        ev.GuardAlerted(seen_at=now, alert=BAD, why=BAD, why_en=BAD),
        ev.GuardAlerted(seen_at=now, alert="approved", why=BAD, why_en=BAD),
        ev.BackupRan(seen_at=now, ok=False, ms=1, detail=BAD),
        ev.HostIsolated(seen_at=now, since=now, until=now.replace(year=now.year + 1), by=BAD),
    )
    take(store, host.structure, host.id, batch(*told), now)
    with store.unit(host.structure, writes=False) as unit:
        incident = unit.open_incidents(host.id)[0].id
    recovery = ev.RecoveryTold(
        seen_at=now, recovery=BAD, incident=incident, folder=hidden, label=BAD, snapshot=BAD,
        ordered_at=now, phase=BAD, is_running=True, seconds={"open": 1.0, BAD: 2.0}, files=2,
    )  # fmt: skip
    take(store, host.structure, host.id, batch(recovery, first=90), now)
    follow(served, incident)
    say(served, host.structure, incident)
    return incident


def say(served: Running, structure: str, incident: str) -> None:
    """What people of the practice, a caller, or a thief of one account may write."""
    store, now = served.store, served.context.clock.now()
    profile = Profile(
        kind=StructureKind.PRACTICE, legal_name=BAD, address=BAD, representative=BAD,
        contacts=(Contact(name=BAD, role="lead", phone=BAD, mail=BAD),),
        services=(CareService(id="soins", name=BAD, hosts=(BAD[:180],), consultations_per_hour=2),),
        data_map=(DataSetEntry(name=BAD, hosts=(BAD[:180],), persons={BAD: 2}),),
    )  # fmt: skip
    profiles.put(store, structure, profile, actor=BAD, now=now)
    ask(
        store,
        structure,
        Asked(id="bad", source="console", by=BAD, text=BAD, phone=BAD, at=now),
        now,
    )
    take_ring(store, structure, PhoneRing(call="bad-ring", caller=BAD), now)
    facts = {"incident": incident, "at": now, "by": BAD}
    with store.unit(structure) as unit:
        task = CaseTask(id="bt", incident=incident, title=BAD, who=BAD, made_at=now, made_by=BAD)
        assert casework.add_task(unit, task)
        piece = Evidence(id="be", name=BAD, sha256="a" * 64, size=3, kept=BAD, **facts)
        assert casework.add_record(unit, piece)
        ransom = RansomDecision(id="br", decided="paid", decider=BAD, why=BAD, advice=BAD, **facts)
        assert casework.add_record(unit, ransom)
        unit.record(now, BAD, BAD, BAD, BAD)


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_no_text_of_an_attacker_runs_on_any_page(
    served: Running, chromium: Browser, locale: str
) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, locale)
    page = seen.page
    page.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
    set_up(served, seen)
    busy(served)
    incident = seed(served)
    watched(served)
    declare(page, incident)
    dossier = f"/incidents/{incident}/dossiers/cnil-initial"
    shown = []
    for at in (*addresses(incident), "/help/bad", dossier, f"/incidents/{incident}?skip=1"):
        answer = page.goto(at)
        assert answer is not None
        assert answer.status in (200, 404), at
        page.wait_for_timeout(60)
        assert page.evaluate("window.ran") is None, at
        assert page.locator("main img, main script, [onload], [onerror]").count() == 0, at
        assert page.locator("a[href^='javascript']").count() == 0, at
        text = page.locator("body").inner_text()
        if "<script>window.ran" in text or "onerror=window.ran" in page.content():
            shown.append(at)
    assert {"/", f"/incidents/{incident}", "/help/bad", "/desk", "/health", dossier} <= set(shown)
    assert seen.complaints == []


def declare(page: object, incident: str) -> None:
    page.goto(f"/incidents/{incident}/obligations")
    page.fill("input[name=by]", BAD[:190])
    page.click("section form button.strong")
    page.wait_for_selector("article.clock")
