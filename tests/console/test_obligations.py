"""Legal clocks and dossiers as a person meets them: pages, forms, files, and axe in a real Chromium."""

import hashlib
import html
import io
import re

import docx
import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, expect

from releve.flow.server import profiles
from releve.flow.server.ingest import take
from releve.model.access import Role
from releve.model.structure import StructureKind
from tests.console.test_accessible import violations
from tests.console.test_browser import Watched, set_up
from tests.console.test_pages import sign_in
from tests.server.declared import practice
from tests.server.test_access import browser as as_role
from tests.server.world import Running, add_host, batch, rolled_back, stopped


def attacked(served: Running, kind: StructureKind = StructureKind.CLINIC) -> str:
    """An incident of now in the Cabinet A."""
    now = served.context.clock.now()
    host = add_host(served.store, "serveur-fichiers")
    profiles.put(
        served.store, host.structure, practice("serveur-fichiers", kind), actor="a", now=now
    )
    take(
        served.store,
        host.structure,
        host.id,
        batch(stopped("f1", now), rolled_back("f1", now)),
        now,
    )
    with served.store.unit(host.structure, writes=False) as unit:
        return unit.open_incidents(host.id)[0].id


def test_a_time_to_type_says_whose_clock_it_is_where_the_page_shows_another(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    of_incident, said = f"/incidents/{incident}/obligations", "à l’heure de Pacific/Noumea"
    browser.post(of_incident, data={"csrf": csrf, "by": "Dr Martin"})
    pages = (of_incident, "/obligations")
    assert not any("à l’heure de" in browser.get(at).text for at in pages)
    structure, now = served.store.structures()[0].id, served.context.clock.now()
    far = msgspec.structs.replace(practice("serveur-fichiers"), timezone="Pacific/Noumea")
    profiles.put(served.store, structure, far, actor="a", now=now)
    for at in pages:
        text = browser.get(at).text
        assert text.count(said) == text.count('type="datetime-local"') > 0


def test_the_register_s_clock_says_what_its_entry_lacks_and_stops_when_it_is_whole(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    of_incident = f"/incidents/{incident}/obligations"
    form = {"csrf": csrf, "by": "Dr Martin", "effects": "Attente."}
    said = html.unescape(browser.post(of_incident, data=form).text)
    assert "s’arrête quand elle est entière. Il y manque" in said
    assert "</a> Mesures prises ou prévues." in said
    assert "sans délai, depuis" in said
    said = browser.post(of_incident, data=form | {"measures": "Coupé."}).text
    (entry,) = [part for part in said.split("<article") if "Inscrire au registre" in part]
    assert "Inscrit au registre" in entry
    assert "sans délai, depuis" not in entry
    assert "Inscrit au registre · Dr Martin" in browser.get("/obligations/register").text


def test_from_the_declaration_to_the_attached_receipt(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    of_incident = f"/incidents/{incident}/obligations"
    assert of_incident in browser.get(f"/incidents/{incident}").text
    assert "Aucune horloge" in browser.get("/obligations").text
    form = {"csrf": csrf, "by": "Dr Martin", "role": "gérante", "answer.risk": "high"}
    said = browser.post(of_incident, data=form | {"effects": "Attente <b>longue</b>."}).text
    for duty in (
        "Notifier la violation à la CNIL",
        "portail des signalements",
        "Déposer plainte",
        "Prévenir les personnes",
    ):
        assert duty in said
    assert re.search(r"reste\s71\sh\s59|reste\s72\sh\s00", said)
    assert "source vérifiée" in said
    assert "<b>longue" not in said
    assert "&lt;b&gt;longue" in said
    here = f"/incidents/{incident}/dossiers/cnil-initial"
    page = browser.get(here).text
    assert "patients : environ 900" in page
    assert "[À compléter]" in page
    page = browser.post(
        f"{here}/edit", data={"csrf": csrf, "version": "1", "field.end": "22/11 à midi"}
    ).text
    assert "écrit par une personne" in page
    late = browser.post(f"{here}/edit", data={"csrf": csrf, "version": "1", "field.end": "jamais"})
    assert "version plus récente" in late.text
    assert (
        "Il manque" in browser.post(f"{here}/sign", data={"csrf": csrf, "name": "Dr Martin"}).text
    )
    page = browser.post(
        f"{here}/sign", data={"csrf": csrf, "name": "Dr Martin", "role": "gérante", "version": "2"}
    ).text
    assert "Signé par Dr Martin, gérante" in page
    digest = re.search(r"SHA-256 <code class=\"token\">(\w{64})", page)
    file = {"file": ("recepisse.pdf", b"%PDF-recepisse", "application/pdf")}
    page = browser.post(
        f"{here}/receipt", data={"csrf": csrf, "reference": "CNIL-77"}, files=file
    ).text
    assert hashlib.sha256(b"%PDF-recepisse").hexdigest() in page
    assert browser.get(f"{here}/pdf").content.startswith(b"%PDF")
    assert browser.get(f"{here}/json").json()["sha256"] == digest[1]
    answer = browser.get(f"{here}/docx")
    assert answer.headers["content-disposition"].endswith('-v4.docx"')
    word = docx.Document(io.BytesIO(answer.content))
    assert "22/11 à midi" in [c.text for t in word.tables for r in t.rows for c in r.cells]
    forge(served, incident)
    page = browser.get(here).text
    assert "jamais" in page
    assert "Signé par" not in page
    assert "Modifié depuis la signature" in page
    assert browser.get(f"{here}/json").json()["modified_since_signature"]


def signed(served: Running, browser: httpx.Client, csrf: str, incident: str, kind: str) -> str:
    """The page of a dossier that Dr Martin signed."""
    here = f"/incidents/{incident}/dossiers/{kind}"
    browser.post(f"/incidents/{incident}/obligations", data={"csrf": csrf, "by": "Dr Martin"})
    browser.post(f"{here}/sign", data={"csrf": csrf, "name": "Dr Martin", "role": "gérante"})
    return here


def clock_of(text: str, name: str) -> str:
    (found,) = [part for part in text.split("<article") if f"<h3>{name}" in part]
    return html.unescape(found).replace("\xa0", " ")


def attach(browser: httpx.Client, here: str, csrf: str, **said: str) -> str:
    file = {"file": ("recepisse.pdf", b"%PDF", "application/pdf")}
    return browser.post(f"{here}/receipt", data={"csrf": csrf, **said}, files=file).text


def test_a_receipt_s_number_is_typed_once_and_stands_at_the_clock_and_in_the_register(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    here = signed(served, browser, csrf, incident, "complaint")
    assert "il n’est pas à redire" in browser.get(here).text
    attach(browser, here, csrf, reference="PV-2026-118")
    clock = clock_of(browser.get(f"/incidents/{incident}/obligations").text, "Déposer plainte")
    assert "envoyé" in clock
    assert "· PV-2026-118</p>" in clock
    assert 'name="reference"' not in clock
    register = browser.get("/obligations/register").text
    (line,) = [one for one in html.unescape(register).split("<li>") if "PV-2026-118" in one]
    assert "Déposer plainte" in line
    assert "· Dr Martin · PV-2026-118" in line


def test_what_was_sent_in_part_stays_so_and_the_completion_begins(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    here = signed(served, browser, csrf, incident, "cnil-initial")
    assert 'name="partial" value="yes" checked' in browser.get(here).text  # blanks are left
    attach(browser, here, csrf, reference="CNIL-77", partial="yes")
    text = browser.get(f"/incidents/{incident}/obligations").text
    assert "envoyé en partie" in clock_of(text, "Notifier la violation à la CNIL")
    assert "CNIL-77" in clock_of(text, "Notifier la violation à la CNIL")
    assert "CNIL-77" not in clock_of(text, "Compléter la notification")


def test_an_operator_s_receipt_waits_for_who_answers_with_its_number_filled_in(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    here = signed(served, browser, csrf, incident, "complaint")
    with as_role(served, Role.OPERATOR, "Cabinet A") as operator:
        file = {"file": ("recepisse.pdf", b"%PDF", "application/pdf")}
        form = {"csrf": operator.headers["x-csrf"], "reference": "PV-9"}
        assert "qui répond pour la structure" in operator.get(here).text
        operator.post(f"{here}/receipt", data=form, files=file)
    clock = clock_of(browser.get(f"/incidents/{incident}/obligations").text, "Déposer plainte")
    assert 'name="reference" maxlength="200" value="PV-9"' in clock
    with served.store.unit(served.store.structures()[0].id, writes=False) as unit:
        (plaint,) = [o for o in unit.obligations(incident) if o.duty == "L13"]
    assert plaint.decisions == ()


def forge(served: Running, incident: str) -> None:
    """What somebody does who writes into the database: other contents under the same signature."""
    with served.store.unit(served.store.structures()[0].id) as unit:
        made = unit.dossier(incident, "cnil-initial")
        assert made is not None
        values = made.values | {"end": "jamais"}
        unit.add_dossier(msgspec.structs.replace(made, version=5, values=values))


def test_sent_and_not_due_are_decided_from_the_page_of_all_clocks(
    served: Running, browser: httpx.Client
) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    here = f"/incidents/{incident}/obligations"
    browser.post(here, data={"csrf": csrf, "by": "Dr Martin"})
    decide = {"csrf": csrf, "by": "Anne", "back": "all"}
    page = browser.post(f"{here}/L1/sent", data=decide | {"reference": "CNIL-1", "partial": "yes"})
    assert str(page.url).endswith("/obligations")
    assert "Envoyé, à compléter" in page.text
    assert "dans le délai" in page.text
    assert "Compléter la notification" in page.text
    page = browser.post(f"{here}/L13/not-due", data=decide)
    assert "Il manque un nom ou un motif" in page.text
    page = browser.post(f"{here}/L13/not-due", data=decide | {"reason": "simple panne"})
    assert "simple panne" in page.text
    register = browser.get("/obligations/register").text
    assert "simple panne" in register
    assert "patients : environ 900" in register
    assert browser.post(f"{here}/L9/sent", data=decide).status_code == 404
    assert browser.post(f"{here}/L1/sent", data=decide | {"csrf": "x"}).status_code == 403


def test_the_clocks_are_read_in_english_too(served: Running, browser: httpx.Client) -> None:
    csrf, incident = sign_in(served, browser), attacked(served)
    browser.post(f"/incidents/{incident}/obligations", data={"csrf": csrf, "by": "Dr Martin"})
    for path in (
        "/obligations",
        f"/incidents/{incident}/obligations",
        "/obligations/register",
        f"/incidents/{incident}/dossiers/psig",
    ):
        page = browser.get(f"{path}?lang=en").text
        assert "obligation." not in page
        assert "register." not in page
        assert "dossier." not in page
    assert "Notify the breach to the CNIL" in browser.get("/obligations?lang=en").text


def test_a_structure_that_said_nothing_of_itself_is_told_so(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    now = served.context.clock.now()
    host = add_host(served.store, "seul")
    take(served.store, host.structure, host.id, batch(stopped("f1", now)), now)
    with served.store.unit(host.structure, writes=False) as unit:
        incident = unit.open_incidents(host.id)[0].id
    here = f"/incidents/{incident}/obligations"
    page = browser.post(here, data={"csrf": csrf, "by": "Dr Martin"}).text
    assert "La structure n’a pas encore dit ce qu’elle est" in page
    assert 'href="/settings#identity"' in page
    assert "Notifier la violation à la CNIL" in page
    assert "portail des signalements" not in page


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_a_person_declares_decides_and_signs_and_every_page_is_accessible(
    served: Running, chromium: Browser, locale: str
) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, locale)
    page = watched.page
    set_up(served, watched)
    incident = attacked(served)
    page.goto(f"/incidents/{incident}")
    page.click(f"a[href='/incidents/{incident}/obligations']")
    found = violations(page, "obligations before the declaration")
    page.fill("input[name=by]", "Dr Martin")
    page.select_option("select[name='answer.risk']", "high")
    page.click("section form button.strong")
    expect(page.locator("article.clock")).to_have_count(6)
    found += violations(page, "obligations of the incident")
    first = page.locator("article.clock").first
    first.locator("textarea[name=reason]").fill("simple panne")
    first.locator("form[action$='not-due'] button").click()
    expect(page.locator("article.clock")).to_have_count(6)
    page.goto(f"/incidents/{incident}/dossiers/psig")
    found += violations(page, "dossier")
    page.fill("form[action$=sign] input[name=name]", "Dr Martin")
    page.fill("form[action$=sign] input[name=role]", "gérante")
    page.click("form[action$=sign] button")
    expect(page.locator(".pill.mood-well").first).to_be_visible()
    page.goto("/obligations")
    expect(page.locator("article.clock")).to_have_count(6)
    found += violations(page, "/obligations")
    page.goto("/obligations/register")
    expect(page.locator("main")).to_contain_text("simple panne")
    found += violations(page, "/obligations/register")
    assert found == []
    assert watched.complaints == []
    assert all(url.startswith(served.url) for url in watched.asked)
