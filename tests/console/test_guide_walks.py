"""The steps of docs/fr/guides, clicked as they are written, in Chromium."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from releve.flow.server import signin
from releve.flow.server.ingest import take
from releve.model.access import Role
from tests.server.test_access import person
from tests.server.world import EnrolledHost, Running, add_host, batch, rolled_back, stopped

pytestmark = pytest.mark.browser


@pytest.fixture
def attacked(served: Running) -> EnrolledHost:
    """A practice in whose server a program was stopped a moment ago."""
    host, now = add_host(served.store, "serveur", "Cabinet"), served.context.clock.now()
    told = batch(stopped("f", now), rolled_back("f", now))
    take(served.store, host.structure, host.id, told, now)
    return host


def as_(role: Role, served: Running, chromium: Browser) -> Page:
    now = served.context.clock.now()
    who = person(served.store, "Cabinet", f"walker-{role.value}", role, now)
    opened = signin.open_session(served.store, who, "full", served.context.new_secret, now)
    context = chromium.new_context(locale="fr-FR", base_url=served.url)
    context.add_cookies([{"name": "releve", "value": opened.secret, "url": served.url}])
    page = context.new_page()
    page.goto("/")
    return page


def follow(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


@pytest.mark.usefixtures("attacked")
def test_the_doctor_calls_for_help_and_sees_that_it_is_under_way(
    served: Running, chromium: Browser
) -> None:
    page = as_(Role.STAFF, served, chromium)
    expect(page.get_by_text("Attaque arrêtée").first).to_be_visible()
    follow(page, "Aide")
    page.get_by_label("Que se passe-t-il ?").fill("Les dossiers ne s’ouvrent plus")
    page.get_by_label("Non, les soins sont bloqués").check()
    page.get_by_label("À quel numéro vous rappeler ?").fill("0299000001")
    press(page, "Appeler l’astreinte")
    expect(page.get_by_text("Demande reçue").first).to_be_visible()
    follow(page, "Fiches réflexes")
    expect(page.get_by_text("Imprimer (PDF)").first).to_be_visible()


@pytest.mark.usefixtures("attacked")
def test_the_night_operator_goes_through_a_playbook(served: Running, chromium: Browser) -> None:
    page = as_(Role.OPERATOR, served, chromium)
    follow(page, "Ouvrir l’incident")
    for heading in ("Ce qui s’est passé", "Ce qui est à l’abri", "Que faire maintenant"):
        expect(page.get_by_text(heading).first).to_be_visible()
    press(page, "Commencer la fiche")
    press(page, "C’est fait")
    expect(page.get_by_text("étapes : 1 sur").first).to_be_visible()
    expect(page.get_by_text("Passer cette étape").first).to_be_attached()


@pytest.mark.usefixtures("attacked")
def test_the_data_protection_officer_declares_completes_and_signs(
    served: Running, chromium: Browser
) -> None:
    page = as_(Role.DPO, served, chromium)
    follow(page, "Incidents")
    page.locator("main a[href^='/incidents/']").first.click()
    follow(page, "Obligations légales : horloges et dossiers")
    page.get_by_label("Qui le dit").fill("Mme Dupo")
    page.get_by_label("Fonction").first.fill("DPO")
    press(page, "Déclarer l’attaque")
    expect(page.get_by_text("Horloges, la plus urgente d’abord")).to_be_visible()
    follow(page, "Ouvrir le dossier")
    expect(page.get_by_text(re.compile("champs? à compléter")).first).to_be_visible()
    what = page.locator("textarea[name='field.persons_told']")
    what.fill("plus tard, par courrier")
    expect(page.get_by_role("button", name="Signer", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="Joindre le récépissé")).to_be_disabled()
    expect(page.get_by_text("Enregistrez d’abord").first).to_be_visible()
    press(page, "Enregistrer")
    expect(what).to_have_value("plus tard, par courrier")
    expect(page.get_by_text("Enregistrez d’abord")).to_have_count(0)
    page.get_by_label("Prénom et nom").fill("Mme Dupo")
    page.get_by_label("Fonction").last.fill("DPO")
    press(page, "Signer")
    expect(page.get_by_text("Signé par Mme Dupo").first).to_be_visible()
    expect(page.get_by_text("Joindre le récépissé").first).to_be_visible()
