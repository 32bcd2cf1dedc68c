"""Where a legal clock runs, told on /structures to whoever answers for several structures, and to nobody else."""

import datetime as dt
import html
import re

import httpx

from releve.adapters.content import law
from releve.flow.server import access, duties, obligations, profiles, situations
from releve.flow.server.ingest import take
from releve.model.access import Role
from releve.model.obligation import State
from tests.server.declared import practice
from tests.server.test_access import browser
from tests.server.world import Running, add_host, batch, rolled_back, stopped


def attacked(served: Running, name: str) -> str:
    """The structure, with an incident of now that nobody declared."""
    host, now = add_host(served.store, "serveur", name), served.context.clock.now()
    profiles.put(served.store, host.structure, practice("serveur"), actor="a", now=now)
    told = batch(stopped("f1", now), rolled_back("f1", now))
    take(served.store, host.structure, host.id, told, now)
    return host.structure


def declare(served: Running, structure: str, aware_at: dt.datetime) -> None:
    now = served.context.clock.now()
    with served.store.unit(structure) as unit:
        (incident,) = unit.open_incidents()
        said = obligations.Said(
            by="Mme Dupo",
            first_signal=aware_at,
            aware_at=aware_at,
            answers={"malicious": "yes", "personal_data": "yes"},
        )
        obligations.declare(unit, law(), incident.id, said, login="dpo", now=now)


def shown(client: httpx.Client, language: str = "fr") -> dict[str, str]:
    """Of each structure its line; "" for the quiet ones."""
    page = client.get(f"/structures?lang={language}")
    assert page.status_code == 200
    if 'id="sums-title"' not in page.text:
        return {}
    text = page.text[page.text.index('id="sums-title"') :].replace("\xa0", " ")
    lines = re.findall(r"<li>(.*?)</li>", text, re.DOTALL)
    plain = [html.unescape(re.sub(r"<[^>]*>", "", line)) for line in lines]
    return {line.partition(" · ")[0]: line.partition(" · ")[2] for line in plain} | {
        "": html.unescape(text[text.index("</ul>") :] if lines else text)
    }


def test_an_officer_of_several_structures_sees_where_a_clock_runs_without_going_in(
    served: Running,
) -> None:
    store, now = served.store, served.context.clock.now()
    officer = browser(served, Role.DPO, "Cabinet A")
    dpo = store.person_by_login("walker-dpo")
    assert dpo is not None
    told, late, mute, foreign, staff_only = (
        attacked(served, f"Clinique {name}") for name in ("B", "C", "D", "E", "F")
    )
    declare(served, told, now - dt.timedelta(hours=1))
    declare(served, late, now - dt.timedelta(hours=90))
    for structure, role in (
        (told, Role.DPO), (late, Role.DPO), (mute, Role.DPO), (staff_only, Role.STAFF),
    ):  # fmt: skip
        with store.unit(structure) as unit:
            access.give(unit, dpo, role, actor="admin", now=now)
    for one in store.structures():
        situations.renew(store, one.id, now)
    rows = shown(officer)
    assert list(rows) == ["Clinique C", "Clinique B", "Clinique D", ""]
    with store.unit(told, writes=False) as unit:
        looks = duties.looks(unit, law(), now)
    running = sum(look.obligation.state is State.RUNNING for look in looks)
    assert running > 1
    assert f"{running} délais courent" in rows["Clinique B"]
    assert "prochain terme :" in rows["Clinique B"]
    assert "dépassé" not in rows["Clinique B"]
    assert "délais dépassés" in rows["Clinique C"] or "1 délai dépassé" in rows["Clinique C"]
    assert rows["Clinique D"] == "1 incident à déclarer ou à écarter"
    assert "rien n’est à déclarer : Cabinet A" in rows[""]
    english = shown(officer, "en")
    assert f"{running} delays run" in english["Clinique B"]
    assert english["Clinique D"] == "1 incident to declare or set aside"
    # Nothing was entered for it: no admission, no line in anybody's trail.
    with store.unit(late, writes=False) as unit:
        assert unit.admissions() == []
        assert unit.trail_of(("enter",), most=9) == []
    page = officer.get("/structures").text
    assert "Clinique E" not in page
    assert foreign not in page
    with store.unit(late) as unit:
        access.end(unit, dpo.id, actor="admin", now=now)
    assert "Clinique C" not in shown(officer)


def test_who_may_not_read_clocks_sees_none(served: Running) -> None:
    structure = attacked(served, "Clinique B")
    situations.renew(served.store, structure, served.context.clock.now())
    for role in (Role.STAFF, Role.GROUP, Role.INSURER):
        assert shown(browser(served, role, "Clinique B")) == {}, role


def test_an_operator_sees_them_too_and_a_person_of_before_those_of_the_own_structure(
    served: Running,
) -> None:
    store, now = served.store, served.context.clock.now()
    structure = attacked(served, "Clinique B")
    operator, lead = browser(served, Role.OPERATOR), browser(served, Role.LEAD, "Clinique B")
    olga = store.person_by_login("walker-operator")
    assert olga is not None
    with store.unit(structure) as unit:
        access.give(unit, olga, Role.OPERATOR, actor="admin", now=now)
    situations.renew(store, structure, now)
    for client in (operator, lead):
        assert shown(client)["Clinique B"] == "1 incident à déclarer ou à écarter"
