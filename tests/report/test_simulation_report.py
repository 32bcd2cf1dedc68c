"""The report says what was measured, hides no bad figure, names no file, in two languages."""

import datetime as dt
import fnmatch
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from releve.adapters import content
from releve.apps.simulate.report import names
from releve.model.lines import RolledBack
from releve.model.proof import CareResult, Simulation
from releve.report import first_page, incident_words, words
from releve.report.figures import MEASURES
from releve.report.markup import VOID
from releve.report.redact import names_in, without_names
from releve.report.simulation import Content, simulation_html
from releve.report.text import LANGS, NBSP, Counted, Lang, Names, Text, Voice
from releve.report.timeline import telling
from tests.report import simulations

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "RELEVE_UPDATE_GOLDEN"  # set it to write the golden files anew, then read the difference


def report(simulation: Simulation, lang: Lang = "fr") -> str:
    said = Content(promises=content.promises(), glossary=content.glossary(), names=NAMES)
    return simulation_html(simulation, said, lang)


NAMES = Names(attacks={"gpg-rm": Text(fr="gpg, puis effacer", en="gpg, then delete")})


def words_of(html: str) -> str:
    bare = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", bare).replace("\u00a0", " ")


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", ["held", "lossy", "empty"])
def test_the_report_of_a_known_simulation_is_as_agreed(name: str, lang: Lang) -> None:
    html = report(getattr(simulations, name)(), lang)
    seen = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    golden = GOLDEN / f"{name}.{lang}.html"
    if os.environ.get(UPDATE):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(seen)
    assert seen == golden.read_text()


def test_a_loss_is_the_first_thing_said_and_is_named() -> None:
    html = report(simulations.lossy())
    assert '<p class="lead bad">20\u00a0attaques' in html
    said = words_of(html)
    assert "2 fichiers perdus." in said
    assert "effaceur : truncate par le chemin" in report_with_names(simulations.lossy())
    assert (
        "wipe-truncate (ext4) : 2 fichiers perdus ; 1 différence après le retour arrière (droits)"
        " ; l’attaquant n’a pas été arrêté." in said
    )
    assert "dicom-deflate (ext4) : travail honnête arrêté par erreur." in said


def report_with_names(simulation: Simulation) -> str:
    said = Content(promises=content.promises(), glossary=content.glossary(), names=names())
    return words_of(simulation_html(simulation, said, "fr"))


def test_a_calm_report_is_calm_only_when_nothing_failed() -> None:
    assert 'class="lead good"' in report(simulations.held())
    attacks = simulations.held().attacks
    stained = (msgspec.structs.replace(attacks[0], wrong=("a.txt: mode 0600 au lieu de 0644",)),)
    html = report(msgspec.structs.replace(simulations.held(), attacks=(*stained, *attacks[1:])))
    assert 'class="lead good"' not in html
    assert "1 différence après le retour arrière (droits)" in words_of(html)


def first_of(simulation: Simulation) -> str:
    return words_of(report(simulation).split('id="chronologie"')[0])


def test_of_many_failures_the_worst_stand_first_and_the_others_are_counted() -> None:
    one = simulations.held().attacks[0]
    lost = tuple(
        msgspec.structs.replace(one, name=f"attaque-{n}", files_lost=n) for n in range(1, 7)
    )
    said = first_of(msgspec.structs.replace(simulations.held(), attacks=lost))
    shown = [n for n in range(1, 7) if f"attaque-{n} (" in said]
    assert shown == [4, 5, 6]
    assert said.index("attaque-6 (") < said.index("attaque-5 (") < said.index("attaque-4 (")
    assert "et 3 autres, dans les tableaux plus loin." in said


def test_a_part_of_the_chain_that_failed_is_on_the_first_page_and_stains_it() -> None:
    held = simulations.held()
    assert "cette partie de la chaîne" not in first_of(held)
    broken = CareResult(name="restore", ok=False, ms=0.0)
    simulation = msgspec.structs.replace(held, care=(*held.care, broken))
    said = first_of(simulation)
    assert "reprise depuis la sauvegarde : cette partie de la chaîne n’a pas fonctionné." in said
    assert 'class="lead good"' not in report(simulation)


def test_what_is_to_be_hidden_are_paths_folders_names_and_their_beginnings() -> None:
    """A folder is a patient's name as often as a file is."""
    rolled = RolledBack(
        family="f", restored=1, lost=("/srv/p/ROUX Anne/bilan.docx",), newest_save_lost=(),
        quarantined=("/srv/p/PETIT Luc/note.pdf.locked",), kept_both=("/srv/p/FAURE Zoé/a.dcm",),
        left=("/srv/p/ANDRE Léa/b.enc",),
    )  # fmt: skip
    attack = msgspec.structs.replace(
        simulations.held().attacks[0],
        lines=(rolled,),
        wrong=("GIRARD Ève/courrier.txt: mode 0600 au lieu de 0644",),
    )
    names = names_in(attack)
    for name in (
        "ROUX Anne", "bilan.docx", "bilan", "PETIT Luc", "note.pdf", "note", "FAURE Zoé", "ANDRE Léa",
        "GIRARD Ève", "courrier", "PETIT Luc/note.pdf.locked",
    ):  # fmt: skip
        assert name in names, name
        assert name not in without_names(f"Voir {name} ici.", names)


def test_a_promise_that_is_not_held_is_on_the_first_page_and_stains_it() -> None:
    attacks = tuple(
        msgspec.structs.replace(attack, first_write_to_stop_ms=453.0)
        for attack in simulations.held().attacks
    )
    html = report(msgspec.structs.replace(simulations.held(), attacks=attacks))
    assert 'class="lead good"' not in html
    first = words_of(html.split('id="chronologie"')[0])
    assert "Non tenues : Moins de 50 ms" in first
    assert "(453 ms)." in first


def test_an_attack_that_is_not_stopped_by_design_is_a_condition_and_not_a_failure() -> None:
    deletion = msgspec.structs.replace(
        simulations.held().attacks[0],
        stopped=False,
        first_write_to_stop_ms=None,
        condition="L’effacement seul donne une alerte, pas un arrêt.",
    )
    simulation = msgspec.structs.replace(simulations.held(), attacks=(deletion,))
    said = words_of(report(simulation))
    assert "n’a pas été arrêté" not in said
    assert "gpg, puis effacer : L’effacement seul donne une alerte" in said
    lost = msgspec.structs.replace(deletion, files_lost=1)
    simulation = msgspec.structs.replace(simulation, attacks=(lost,))
    assert "n’a pas été arrêté" in words_of(report(simulation))


def test_the_worst_of_page_one_includes_the_attack_that_nobody_stopped() -> None:
    calm = simulations.held()
    over = msgspec.structs.replace(
        calm.attacks[0],
        stopped=False,
        over=True,
        first_write_to_stop_ms=None,
        rollback_ms=5382.0,
        lines=simulations.lines(2010, 575.0, 5382.0),
    )
    unseen = msgspec.structs.replace(over, name="unseen", rollback_ms=None, lines=())
    lost = msgspec.structs.replace(over, name="lost", rollback_ms=9000.0, files_lost=1)
    told = report(msgspec.structs.replace(calm, attacks=(*calm.attacks, over, unseen, lost)))
    first = words_of(told.split('id="chronologie"')[0])
    count = len(calm.attacks)
    said = (
        f"6,0 s au pire (mesuré dans {count + 1} cas sans perte sur {count + 3}, attaquant arrêté"
    )
    assert said in first
    english = words_of(report(msgspec.structs.replace(calm, attacks=(over,)), "en"))
    assert (
        "6.0 s at worst (measured in 1 cases without loss of 1, attacker stopped or not)" in english
    )


def test_an_attack_that_was_over_when_judged_is_told_as_undone_and_not_as_stopped() -> None:
    over = msgspec.structs.replace(
        simulations.held().attacks[0],
        stopped=False,
        over=True,
        first_write_to_stop_ms=None,
        condition="L’effacement seul suspend le programme.",
    )
    simulation = msgspec.structs.replace(simulations.held(), attacks=(over,))
    html = report(simulation)
    said = words_of(html)
    assert ">jamais arrêtée<" not in html
    assert "gpg, puis effacer : l’attaque avait fini d’elle-même avant d’être jugée" in said
    assert "déjà finie" in said
    for untrue in ("suspend", "n’a pas été arrêté"):
        assert untrue not in said


@pytest.mark.parametrize("lang", LANGS)
def test_a_simulation_of_nothing_says_that_it_proves_nothing(lang: Lang) -> None:
    html = report(simulations.empty(), lang)
    expected = {"fr": "Ce rapport ne prouve donc rien", "en": "therefore proves nothing"}
    assert expected[lang] in words_of(html)
    assert "✓" not in html
    assert " 0 ms" not in words_of(html)


@pytest.mark.parametrize("lang", LANGS)
def test_no_path_and_no_file_name_of_the_lines_is_in_the_report(lang: Lang) -> None:
    for simulation in (simulations.lossy(), simulations.held()):
        html = report(simulation, lang)
        every = frozenset().union(*(names_in(attack) for attack in simulation.attacks))
        for name in every:
            assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", html), name
        for part in ("DUPONT", "ordonnance", "LEFEBVRE", "MARTIN", "/srv/", "secretariat"):
            assert part not in html


@pytest.mark.parametrize(
    ("sentence", "names", "hidden"),
    [
        ("contenu de /srv/cabinet/a b/c.txt changé", (), "contenu de ••• b/c.txt changé"),
        ("« DUPONT Jean.docx » : type zip", ("DUPONT Jean.docx",), "« ••• » : type zip"),
        ("DUPONT_Jean.docx est devenu uniforme", (), "••• est devenu uniforme"),
        ("type zip->unknown, 3/4 windows uniform", (), "type zip->unknown, 3/4 windows uniform"),
        ("points: 3.5 of 10.", (), "points: 3.5 of 10."),
    ],
)
def test_names_are_hidden_and_the_reason_stays(
    sentence: str, names: tuple[str, ...], hidden: str
) -> None:
    if "a b" in sentence:
        names = ("/srv/cabinet/a b/c.txt",)
        hidden = "contenu de ••• changé"
    assert without_names(sentence, names) == hidden


def test_a_difference_is_told_in_words_of_our_own() -> None:
    entry = "patients/DUPONT.txt: n'est plus le même fichier que patients/DURAND.txt"
    assert first_page._sort(entry) is words.SORTS["n'est plus"]
    assert first_page._sort("a: DUPONT inconnu") is words.SORT_OTHER


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_is_well_formed_and_points_nowhere(lang: Lang) -> None:
    html = report(simulations.lossy(), lang)
    Checker().check(html)
    assert f'<html lang="{lang}">' in html
    outside = re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", html)
    assert not re.search(r"https?://|url\(|@import|<script|<link|src=", outside)


class Checker(HTMLParser):
    """Every element is closed in order, and no id is there twice."""

    def check(self, html: str) -> None:
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        identity = dict(attrs).get("id")
        assert identity is None or identity not in self.ids
        self.ids.add(identity or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_names_with_markup_in_them_stay_text() -> None:
    environment = simulations.environment(host="<script>alert(1)</script>")
    html = report(msgspec.structs.replace(simulations.held(), environment=environment))
    assert "<script>" not in html


def test_every_text_exists_in_both_languages() -> None:
    for module in (words, incident_words):
        for text in texts_in(vars(module).values()):
            assert text.fr.strip()
            assert text.en.strip()
            fields = re.compile(r"\{\w+\}")
            assert sorted(fields.findall(text.fr)) == sorted(fields.findall(text.en)) or (
                "(once)" in text.en
            ), text


def texts_in(values: object) -> list[Text]:
    found: list[Text] = []
    for value in values:  # type: ignore[attr-defined]
        if isinstance(value, Text):
            found.append(value)
        elif isinstance(value, Counted):
            found += [value.one, value.many]
        elif isinstance(value, dict):
            found += texts_in(value.values())
        elif isinstance(value, tuple):
            found += texts_in(value)
    return found


def test_every_promise_has_a_measure_and_both_languages() -> None:
    promises = content.promises()
    assert len({promise.id for promise in promises.promises}) == len(promises.promises)
    for promise in promises.promises:
        assert promise.measure in MEASURES
        for text in (promise.promise, promise.condition):
            assert text.fr.strip()
            assert text.en.strip()


def test_every_name_that_a_promise_chooses_is_run() -> None:
    run = {*names().attacks, *names().tasks, *words.CARE_PARTS}
    for promise in content.promises().promises:
        for glob in promise.names:
            assert fnmatch.filter(run, glob), (
                f"{promise.id} chooses {glob}, which nothing is called"
            )


def test_a_task_and_an_attack_of_one_name_keep_their_own_titles() -> None:
    known = Names(attacks={"x": Text(fr="a", en="a")}, tasks={"x": Text(fr="t", en="t")})
    assert (Voice("fr", known).attack("x"), Voice("fr", known).task("x")) == ("a", "t")


def test_the_glossary_has_eight_words_in_both_languages() -> None:
    terms = content.glossary().terms
    assert len(terms) == 8
    assert all(text.fr and text.en for term in terms for text in (term.word, term.meaning))


def test_the_attack_drawn_up_close_is_the_one_that_lost_something() -> None:
    safe = simulations.held().attacks[:3]
    losing = msgspec.structs.replace(safe[1], files_lost=1)
    assert telling((safe[0], losing, safe[2])) is losing
    assert telling(()) is None


def test_rollbacks_that_lost_files_are_red_in_the_story() -> None:
    attack = simulations.held().attacks[0]
    lost = simulations.lines(3, 38.0, 4.0, lost=1)
    assert any(isinstance(line, RolledBack) and line.lost for line in lost)
    losing = msgspec.structs.replace(attack, files_lost=1, lines=lost)
    html = report(msgspec.structs.replace(simulations.held(), attacks=(losing,)))
    assert "1 fichier perdu." in words_of(html)


@pytest.mark.parametrize(
    ("ms", "fr", "en"),
    [
        (0.0, "0 ms", "0 ms"),
        (1.24, "1,2 ms", "1.2 ms"),
        (38.0, "38 ms", "38 ms"),
        (2033.0, "2,0 s", "2.0 s"),
        (612_000.0, "10,2 min", "10.2 min"),
    ],
)
def test_durations_read_as_people_write_them(ms: float, fr: str, en: str) -> None:
    assert Voice("fr").duration(ms).replace("\u00a0", " ") == fr
    assert Voice("en").duration(ms).replace("\u00a0", " ") == en


def test_zero_is_singular_in_french_and_plural_in_english() -> None:
    assert Voice("fr").count(words.FILES_LOST, 0).replace("\u00a0", " ") == "0 fichier perdu"
    assert Voice("en").count(words.FILES_LOST, 0).replace("\u00a0", " ") == "0 files lost"


def test_a_time_is_shown_by_one_clock_and_a_date_as_people_write_it() -> None:
    french, english = Voice("fr"), Voice("en")
    # A narrow column may break it between day and clock, and nowhere else: never "CE / T".
    said = french.moment("2026-11-22T00:52:00+00:00").split(" ")
    assert said == [part.replace(" ", NBSP) for part in ("22 novembre 2026", "à 01:52 CET")]
    said = english.moment("2026-07-01T22:30:00Z").split(" ")
    assert said == [part.replace(" ", NBSP) for part in ("2 July 2026", "at 00:30 CEST")]
    own = dt.datetime(2026, 11, 22, 3, 0, tzinfo=ZoneInfo("Indian/Reunion"))
    assert "03:00" in french.moment(own), "a structure's own clock stays"
    assert french.day("2026-12-01") == "1er décembre 2026".replace(" ", NBSP)
    assert french.moment("hier") == french.day("hier") == "hier"
