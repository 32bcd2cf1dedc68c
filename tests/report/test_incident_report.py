"""An incident report says what is left to do, and turns red when something was lost."""

import datetime as dt
import re

import pytest

from releve.report.incident import Place, incident_html
from releve.report.text import LANGS, Lang
from tests.report.incidents import AT, incident, stop

PLACE = Place(
    structure="Cabinet des Tilleuls",
    host="srv-cabinet",
    written_at=AT + dt.timedelta(minutes=5),
    zone=dt.timezone(dt.timedelta(hours=1), "CET"),
)


def said(html: str) -> str:
    bare = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", bare).replace("\u00a0", " ")


def test_an_attack_that_was_undone_reads_calm_and_in_local_time() -> None:
    html = incident_html(incident(), PLACE, "fr")
    assert 'class="lead good"' in html
    told = said(html)
    assert "Le 22 novembre 2026 à 01:41 CET, une attaque a été arrêtée sur srv-cabinet." in told
    assert "Cherchez par où l’attaquant est entré" in told
    assert "01:41:07" in told


def test_a_loss_is_red_and_says_where_to_take_the_file_from() -> None:
    html = incident_html(
        incident(stop(lost=2, newest_save_lost=1, kept_both=1, left=3)), PLACE, "fr"
    )
    assert 'class="lead bad"' in html
    told = said(html)
    assert "2 fichiers perdus" in told
    assert "Reprendre 2 fichiers dans la sauvegarde." in told
    assert "Refaire 1 saisie" in told
    assert "deux versions de 1 fichier" in told
    assert "3 fichiers apparus pendant l’attaque et laissés en place" in told


def test_a_rollback_that_is_not_told_yet_is_not_a_success() -> None:
    waiting = stop(restored=None, lost=None, newest_save_lost=None, rollback_ms=None)
    html = incident_html(incident(waiting), PLACE, "fr")
    assert "lead good" not in html
    assert "pas encore confirmée" in said(html)
    assert "pas encore connu" in said(html)


@pytest.mark.parametrize("action", ["none", "would_stop"])
def test_an_attacker_who_is_still_about_is_said_first(action: str) -> None:
    html = incident_html(incident(stop(action=action)), PLACE, "fr")
    assert 'class="lead bad"' in html


def test_an_unknown_author_is_reported_as_no_stop() -> None:
    told = said(incident_html(incident(stop(action="none", program="")), PLACE, "fr"))
    assert "L’auteur est inconnu ou déjà parti : rien n’a été arrêté" in told
    assert "Fichiers vus touchés au constat" in told
    assert "et 1 attaque sans auteur connu, que rien n’a arrêtée" in told
    assert "sur 0 arrêt" in told


def test_an_incident_without_a_stop_claims_none() -> None:
    html = incident_html(incident(stops=(), entries_left_out=3), PLACE, "fr")
    assert "Aucune attaque n’y a été arrêtée" in said(html)
    assert "3 autres constats ne sont pas repris ici" in said(html)


@pytest.mark.parametrize("lang", LANGS)
def test_no_account_path_or_token_is_in_it(lang: Lang) -> None:
    html = incident_html(incident(stop(client="192.0.2.7")), PLACE, lang)
    for hidden in ("secretariat", "/srv/", "patients", "k1:9f2c"):
        assert hidden not in html
    assert "192.0.2.7" in html


def test_the_english_report_is_english() -> None:
    told = said(incident_html(incident(), PLACE, "en"))
    assert "an attack was stopped on srv-cabinet" in told
    assert "What is left to do" in told
    assert "type zip became unknown" in told
