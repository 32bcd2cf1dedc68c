"""Settings as people change them, consent, and the pages of a group and an insurer."""

import datetime as dt
import html
import re
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser

from releve.flow.server import access, circles, profiles, situations, sums
from releve.flow.server.tools import tokens
from releve.model.access import Role
from releve.model.circle import Circle, CircleKind
from releve.model.posture import Posture
from releve.model.structure import CareService, Contact, DataSetEntry, Profile, StructureKind
from releve.model.ticket import Glpi
from releve.model.tool import ApiToken, Scope
from tests.console.test_accessible import violations
from tests.server.test_access import browser
from tests.server.world import Running, add_host

IDENTITY = {"kind": "clinic", "legal_name": "Clinique du <b>Parc</b>", "timezone": "Europe/Paris"}


def lead(served: Running, name: str = "A") -> httpx.Client:
    client = browser(served, Role.LEAD, name)
    client.headers["accept-language"] = "fr"
    client.follow_redirects = True
    return client


def send(client: httpx.Client, at: str, **fields: str) -> httpx.Response:
    return client.post(at, data={"csrf": client.headers["x-csrf"], **fields})


def test_how_many_work_there_is_empty_until_somebody_says_it(served: Running) -> None:
    client = lead(served)
    for field in (
        client.get("/settings").text,
        send(client, "/settings/identity", **IDENTITY).text,
    ):
        assert re.search(r'name="staff"[^>]* value=""', field)
    said = send(client, "/settings/identity", **IDENTITY, staff="12").text
    assert re.search(r'name="staff"[^>]* value="12"', said)


def test_a_structure_says_who_it_is_whom_to_call_and_what_comes_back_first(
    served: Running,
) -> None:
    client = lead(served)
    assert 'action="/settings/contacts"' not in client.get("/settings").text
    page = send(client, "/settings/identity", **IDENTITY, staff="12").text
    assert "Clinique du &lt;b&gt;Parc" in page
    contact = {"name-0": "Dr Martin", "role-0": "lead", "phone-0": "02 99 00 00 01", "mail-0": ""}
    assert "02 99 00 00 01" in send(client, "/settings/contacts", **contact).text
    assert "02 99 00 00 01" in client.get("/help").text
    care = {"name-1": "Imagerie médicale", "rank-1": "2", "hosts-1": "pacs, irm", "rate-1": "4,5"}
    assert 'value="pacs, irm"' in send(client, "/settings/services", **care).text
    structure = served.store.person_by_login("walker-lead")
    assert structure is not None
    with served.store.unit(structure.structure, writes=False) as unit:
        profile = unit.profile()
        told = [e for e in unit.trail(most=9) if e.verb == "set_profile"]
    assert profile is not None
    assert (profile.staff, profile.kind.value) == (12, "clinic")
    (service,) = profile.services
    assert (service.id, service.rank, service.consultations_per_hour) == (
        "imagerie-medicale", 2, 4.5,
    )  # fmt: skip
    assert len(told) == 3


def test_the_data_map_stands_in_the_words_of_the_dossiers_and_tools_are_counted(
    served: Running,
) -> None:
    client = lead(served)
    assert "data-map" not in client.get("/settings").text  # nothing is kept yet
    send(client, "/settings/identity", **IDENTITY)
    page = client.get("/settings").text
    assert "n’en a encore donné aucune" in page
    assert "0 jeton ouvre · 0 adresse prévenue · aucun GLPI" in page.replace("\xa0", " ")
    entry = DataSetEntry(
        name="Dossiers <i>patients</i>", hosts=("serveur",), records=2400, leaves_eu=True,
        persons={"patients": 2400, "athletes": 3}, categories=("nir", "health", "genome"),
    )  # fmt: skip
    now = served.context.clock.now()
    (structure,) = (s.id for s in served.store.structures())
    token = ApiToken(
        id="t1", name="n", scopes=(Scope.HOSTS_READ,), made_by="a", made_at=now, person="",
        expires_at=now + dt.timedelta(days=1),
    )  # fmt: skip
    tokens.make(served.store, [structure], token, "secret")
    with served.store.unit(structure) as unit:
        known = unit.profile()
        assert known is not None
        unit.put_profile(msgspec.structs.replace(known, data_map=(entry,)))
        url = "https://user@glpi.example:444/apirest.php"
        unit.put_glpi(Glpi(url=url, app_token="a", user_token="hidden-token", since=now))
    page = client.get("/settings").text.replace("\u202f", " ").replace("\xa0", " ")
    assert "Dossiers &lt;i&gt;patients" in page
    assert "patients : 2 400, athletes : 3" in page
    assert "numéro de sécurité sociale (NIR), santé, genome" in page
    assert "aussi hors de l’Union européenne" in page
    assert "1 jeton ouvre · 0 adresse prévenue · GLPI : glpi.example:444" in page
    assert "hidden-token" not in page
    assert "user@" not in page
    dpo = browser(served, Role.DPO, "A")
    said = dpo.get("/settings?lang=en").text
    assert "social security number (NIR), health, genome" in said
    assert "about" in said
    assert 'href="/tools"' not in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Mars/Phobos"}, {"legal_name": " "}, {"kind": "x"}, {"staff": "-1"},
        {"address": "a" * 301},
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_not_kept(served: Running, wrong: dict[str, str]) -> None:
    client = lead(served)
    refused = send(client, "/settings/identity", **(IDENTITY | wrong))
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert 'action="/settings/contacts"' not in refused.text
    assert send(client, "/settings/contacts", **{"name-0": "x"}).status_code == 422


WHOLE = Profile(
    kind=StructureKind.HOSPITAL,
    legal_name="Hôpital",
    is_ose=True,
    has_nis2_on=True,
    contacts=(Contact(name="Le veilleur", role="veille", phone="02"),),
    services=tuple(
        CareService(
            id=f"s{n}", name=f"Soins {n}", data_sets=("dossiers",),
            hosts=tuple(f"poste-des-soins-{n}-{m}" for m in range(40)),
        )
        for n in range(70)
    ),
    data_map=(DataSetEntry(name="dossiers"),),
)  # fmt: skip


def kept(served: Running) -> tuple[str, Profile]:
    who = served.store.person_by_login("walker-lead")
    assert who is not None
    with served.store.unit(who.structure, writes=False) as unit:
        profile = unit.profile()
    assert profile is not None
    return who.structure, profile


def test_a_page_that_is_saved_as_it_came_loses_nothing_of_what_a_file_said(
    served: Running,
) -> None:
    """More lines and longer ones than a page is made for, and what no page asks."""
    client = lead(served)
    who = served.store.person_by_login("walker-lead")
    assert who is not None
    now = served.context.clock.now()
    profiles.put(served.store, who.structure, WHOLE, actor="admin", now=now)
    for part in ("identity", "contacts", "services"):
        forms = Filled(client.get("/settings").text).forms
        assert send(client, f"/settings/{part}", **forms[f"/settings/{part}"]).status_code == 200
    assert kept(served)[1] == WHOLE


class Filled(HTMLParser):
    """The forms of a page with what a browser would send of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}
        self._select, self._takes_text = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = self.forms.setdefault(facts["action"], {})
        elif tag == "input" and facts["name"] != "csrf":
            self._form[facts["name"]] = facts.get("value", "")
        elif tag == "select":
            self._select = facts["name"]
        elif tag == "option" and "selected" in facts:
            self._form[self._select] = facts.get("value", "")
            self._takes_text = "value" not in facts

    def handle_data(self, data: str) -> None:
        if self._takes_text:
            self._form[self._select], self._takes_text = data, False


def test_of_a_service_what_is_wrong_is_refused_and_what_is_empty_left_out(served: Running) -> None:
    client = lead(served)
    send(client, "/settings/identity", **IDENTITY)
    for wrong in ({"rate-0": "inf"}, {"rate-0": "nan"}, {"rate-0": "-1"}, {"name-1": "soins"}):
        row = {"name-0": "Soins", **wrong}
        assert send(client, "/settings/services", **row).status_code == 422, wrong
    assert kept(served)[1].services == ()
    rows = {"name-0": " ", "rank-0": "1", "name-2": "Soins", "hosts-2": "a,, b ,"}
    assert send(client, "/settings/services", **rows).status_code == 200
    assert [(s.name, s.hosts) for s in kept(served)[1].services] == [("Soins", ("a", "b"))]


def insurer(served: Running) -> Circle:
    now = served.context.clock.now()
    made = circles.make(
        served.store, "Beta", CircleKind.INSURER, identity="beta", actor="admin", now=now
    )
    assert made is not None
    return made


def test_a_lead_consents_sees_who_looked_and_withdraws(served: Running) -> None:
    store, now, beta = served.store, served.context.clock.now(), insurer(served)
    client = lead(served)
    assert "rien n’est montré" in client.get("/settings").text
    assert "Vous y consentez" in send(client, "/settings/circles/beta/join").text
    for number in range(4):
        host = add_host(store, f"poste de {number}", f"Cabinet {number}")
        situations.renew(store, host.structure, now)
        with store.unit(host.structure) as unit:
            circles.join(unit, beta, actor="x", now=now)
    ines = browser(served, Role.INSURER, "Beta")
    ines.headers["accept-language"] = "fr"
    withheld = ines.get("/insurer").text
    assert "Sur 5" not in withheld.replace("\u00a0", " ")
    later = now + dt.timedelta(days=7)  # the server may have drawn this week's already
    sums.release(store, beta.id, later)
    shown = ines.get("/insurer").text.replace("\u00a0", " ")
    assert "Sur 5 structures" in shown
    assert "entre 75 et 100 %" in shown
    year, week, _ = later.astimezone(ZoneInfo("Europe/Paris")).isocalendar()
    assert f"Semaine {week:02} de {year}, tirés le" in shown
    for name in ("Cabinet 0", "poste de", host.structure):
        assert name not in shown
    page = client.get("/settings").text
    assert "walker-insurer" in page
    assert "Beta" in page
    assert f"semaine {week:02} de {year}, 5 structures réunies" in page.replace("\u00a0", " ")
    ended = send(client, "/settings/circles/beta/leave").text
    assert "rien n’est montré" in ended or "retiré le" in ended
    assert "Chiffres retenus" in ines.get("/insurer").text


def test_into_a_group_nobody_goes_by_the_page(served: Running) -> None:
    now = served.context.clock.now()
    circles.make(served.store, "Alpha", CircleKind.GROUP, identity="alpha", actor="admin", now=now)
    client = lead(served)
    assert send(client, "/settings/circles/alpha/join").status_code == 404
    assert send(client, "/settings/circles/nothing/leave").status_code == 404


def test_a_group_that_one_was_never_in_is_not_named(served: Running) -> None:
    now, client = served.context.clock.now(), lead(served)
    circles.make(served.store, "Alpha", CircleKind.GROUP, identity="alpha", actor="admin", now=now)
    assert "Alpha" not in client.get("/settings").text
    insurer(served)
    assert "Beta" in client.get("/settings").text  # there is one to consent to


def compared(served: Running) -> httpx.Client:
    """A group of two with their days; one of its people."""
    store, now = served.store, served.context.clock.now()
    alpha = circles.make(store, "Alpha", CircleKind.GROUP, identity="alpha", actor="admin", now=now)
    assert alpha is not None
    today = now.astimezone(ZoneInfo("Europe/Paris")).date()
    for name in ("Nord", "Sud"):
        host = add_host(store, f"poste de {name}", name)
        situations.renew(store, host.structure, now)
        with store.unit(host.structure) as unit:
            circles.join(unit, alpha, actor="admin", now=now)
            for days in range(30):
                day = today - dt.timedelta(days=days)
                ill = int(name == "Sud" and days < 3)
                unit.put_posture(
                    Posture(
                        day=day, hosts=2, guarded=2 - ill, down=ill, incidents=ill,
                        backup_hours=3 + 40 * ill, drill_days=days % 8, is_backup_late=bool(ill),
                    )
                )  # fmt: skip
    return browser(served, Role.GROUP, "Alpha")


def test_a_group_compares_its_structures_by_figures_alone(served: Running) -> None:
    client = compared(served)
    client.headers["accept-language"] = "fr"
    text = client.get("/group").text.replace("\u00a0", " ")
    assert "27 jours sur 30" in text
    assert "30 jours sur 30" in text
    assert "95 % des jours" in text
    assert "poste de" not in text
    north = lead(served, "Nord")
    assert "walker-group" in north.get("/settings").text
    chart = north.get("/posture").text
    assert chart.count('class="lane"') == 4
    assert chart.count("<tr>") == 31
    assert 'class="lane-down"' not in chart
    go_south(served, north)
    assert 'class="lane-down"' in north.get("/posture").text


def go_south(served: Running, client: httpx.Client) -> None:
    """The same lead, from now on at work in the other structure."""
    who = served.store.person_by_login("walker-lead")
    south = next(s for s in served.store.structures() if s.name == "Sud")
    assert who is not None
    with served.store.unit(south.id) as unit:
        access.give(unit, who, Role.LEAD, actor="admin", now=served.context.clock.now())
    assert send(client, "/structures", structure=south.id, reason="").status_code == 200


def test_the_first_days_say_what_will_stand_there_and_what_can_be_done(served: Running) -> None:
    client, now = lead(served), served.context.clock.now()

    def read() -> str:
        return html.unescape(client.get("/posture").text).replace("\u00a0", " ")

    none = read()
    assert "Aucun jour n’est encore noté" in none
    assert "releve server token create --structure A" in none
    assert "<svg class" not in none
    host = add_host(served.store, "poste", "A")
    there = read()
    assert "Relier une première machine" not in there
    for command in ("--enforce", "releve backup run", "releve drill run"):
        assert command in there
    assert 'href="/vault"' in there
    today = now.astimezone(ZoneInfo("Europe/Paris")).date()
    with served.store.unit(host.structure) as unit:
        unit.put_posture(Posture(day=today, hosts=1, guarded=1, drill_days=0))
    one = read()
    assert "Un seul jour est noté" in one
    assert "Aucune sauvegarde réussie jusqu’ici." in one
    assert "<svg class" not in one
    with served.store.unit(host.structure) as unit:
        unit.put_posture(Posture(day=today - dt.timedelta(days=1), hosts=1, guarded=1))
    two = read()
    assert two.count('<svg class="lane"') == 3
    assert "Aucune sauvegarde réussie jusqu’ici." in two  # instead of an axis without a bar
    staff = browser(served, Role.STAFF, "A")
    assert 'class="command"' not in staff.get("/posture").text


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_the_pages_of_figures_are_accessible(
    served: Running, chromium: Browser, locale: str
) -> None:
    group = compared(served)
    client = lead(served, "Nord")
    send(client, "/settings/identity", **IDENTITY)
    found: list[str] = []
    for who, addresses in ((group, ("/group",)), (client, ("/settings", "/posture"))):
        context = chromium.new_context(locale=locale, base_url=served.url)
        cookies = {"name": "releve", "value": who.cookies["releve"], "url": served.url}
        context.add_cookies([cookies])
        page = context.new_page()
        for address in addresses:
            page.goto(address)
            found += violations(page, address)
        context.close()
    assert found == []
