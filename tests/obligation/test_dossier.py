"""Dossiers are filled from what is known, marked where nothing is, and keep what people wrote."""

import io

import docx
import msgspec
import pytest

from releve.adapters.docx import docx_of
from releve.model.dossier import BLANK, Form
from releve.model.obligation import Decision, State
from releve.obligation import dossier as core
from releve.obligation import facts, register
from releve.obligation.case import Harm
from releve.obligation.clocks import decide
from releve.report.document import Document, Lead, Section
from releve.report.dossier import Around, dossier_document
from releve.report.html import render
from tests.obligation.declared import FORMS, HOUR, LAW, PARIS, T0, case, form, profile, told
from tests.report.incidents import incident, stop

AROUND = Around(
    how="Recopiez.",
    url="https://example.test",
    caution="Pas un conseil.",
    sources={"S1": "RGPD"},
    zone=PARIS,
)


def test_the_notification_is_filled_from_incident_profile_and_data_map() -> None:
    made = core.fill(form("cnil-initial"), case(), "claire")
    said = made.values
    assert said["legal_name"] == "Cabinet du Parc"
    assert said["aware"] == "22/11/2026 02:00 CET"
    assert said["person_categories"] == "patients : environ 2\u202f400"
    assert said["data_categories"] == "identité, santé"
    assert said["record_count"] == "environ 2\u202f400"
    assert "serveur-cabinet" in said["description"]
    assert "3 fichiers touchés" in said["description"]
    assert "0 fichier perdu" in said["description"]
    assert said["nature"] == "indisponibilité, altération"
    assert said["delay"].startswith("sans objet")


def test_only_the_data_of_touched_hosts_is_told() -> None:
    other = core.fill(form("cnil-initial"), case(hosts=("autre",)), "claire")
    assert other.values["person_categories"] == "personnel : environ 4"
    nowhere = core.fill(form("cnil-initial"), case(hosts=("inconnu",)), "claire")
    assert nowhere.values["person_categories"] == ""


def test_persons_in_two_data_sets_are_at_most_so_many() -> None:
    from tests.obligation.declared import FILES

    twice = profile(data_map=(FILES, msgspec.structs.replace(FILES, name="Images")))
    made = core.fill(form("cnil-initial"), case(profile=twice), "claire")
    assert made.values["person_count"].startswith("environ 4\u202f800 au plus")
    assert made.values["person_categories"] == "patients : environ 4\u202f800 au plus"


def test_a_minor_who_is_a_patient_is_counted_at_most_once_too_often() -> None:
    from tests.obligation.declared import FILES

    both = msgspec.structs.replace(FILES, persons={"patients": 2417, "minors": 301})
    made = core.fill(form("cnil-initial"), case(profile=profile(data_map=(both,))), "claire")
    assert made.values["person_count"].startswith("environ 2\u202f718 au plus")
    assert made.values["person_categories"] == (
        "patients : environ 2\u202f417, patients mineurs : environ 301"
    )


def test_what_the_data_map_does_not_say_of_borders_is_left_to_a_person() -> None:
    from tests.obligation.declared import FILES

    assert core.fill(form("cnil-initial"), case(), "claire").values["cross_border"] == ""
    abroad = profile(data_map=(msgspec.structs.replace(FILES, leaves_eu=True),))
    made = core.fill(form("cnil-initial"), case(profile=abroad), "claire")
    assert "sortent de l’Union européenne" in made.values["cross_border"]


def test_degraded_care_is_dated_no_more_surely_than_it_is_known() -> None:
    yes = core.fill(form("psig"), case(told=told(answers={"disturbed": "yes"})), "claire")
    assert yes.values["degraded"].startswith("oui, au plus tôt depuis le ")
    no = core.fill(form("psig"), case(told=told(answers={"disturbed": "no"})), "claire")
    assert no.values["degraded"] == "non"
    assert core.fill(form("psig"), case(told=told(answers={})), "claire").values["degraded"] == ""


def test_what_a_person_wrote_ends_before_the_figures_begin() -> None:
    said = told(texts={"happened": "Un chiffrement a été vu"})
    made = core.fill(form("cnil-initial"), case(told=said), "claire")
    assert made.values["description"].startswith("Un chiffrement a été vu. Premier signe le ")


@pytest.mark.parametrize("which", FORMS, ids=lambda f: f.id)
def test_every_form_can_be_filled_with_everything_and_with_nothing(which: Form) -> None:
    bare = case(profile=None, hosts=(), harm=Harm(), incident=incident(id="abc"))
    for known in (case(), bare):
        made = core.fill(which, known, "claire")
        assert made.values.keys() == {field.id for field in which.fields()}
        gaps = core.blanks(which, made)
        page = render(dossier_document(core.paper(which, LAW, made, "Cabinet"), made, AROUND))
        assert page.count(BLANK) >= len(gaps)
        assert all(field.label.fr in page for field in gaps)
    assert gaps


def test_no_name_and_no_token_of_a_file_comes_into_a_dossier() -> None:
    from releve.model.event import HiddenPath

    hidden = HiddenPath(token="k1:secret", extension="docx", folder="documents")
    seen = case(incident=incident(stop(lost=1, lost_paths=(hidden,)), id="abc"))
    for which in FORMS:
        text = str(core.fill(which, seen, "claire").values)
        assert "k1:" not in text
        assert "docx" not in text


def test_of_a_storm_of_stops_the_timeline_tells_the_first_and_counts_the_rest() -> None:
    storm = tuple(stop(family=f"f{n}") for n in range(90))
    seen = case(incident=incident(*storm, id="abc"), harm=Harm(stops=250, touched=750))
    lines = core.fill(form("complaint"), seen, "claire").values["timeline"].splitlines()
    assert sum("programme arrêté" in line for line in lines) == 20
    assert sum("230 autres arrêts" in line for line in lines) == 1


def test_an_attack_whose_author_nobody_found_is_told_as_no_stop() -> None:
    seen = case(
        incident=incident(stop(action="none", program="", user=""), id="abc"),
        harm=Harm(stops=0, unstopped=1, touched=3, restored=3, is_held=False),
    )
    told_ = facts.detected(seen)
    assert "a constaté une attaque" in told_
    assert "arrêté" not in told_
    lines = core.fill(form("complaint"), seen, "claire").values["timeline"]
    assert "programme arrêté" not in lines
    assert "attaque constatée, auteur non trouvé" in lines
    figures = facts.figures(seen)
    assert "0 programme arrêté" in figures
    assert "1 attaque sans auteur trouvé, que rien n’a arrêtée" in figures


def test_a_late_notification_must_say_why() -> None:
    made = core.fill(form("cnil-initial"), case(now=T0 + 80 * HOUR), "claire")
    assert "delay" in {field.id for field in core.blanks(form("cnil-initial"), made)}


def test_who_was_told_already_is_told_with_its_reference() -> None:
    sent = Decision(state=State.DONE, by="A", at=T0, sent_at=T0, reference="PV 12")
    known = case()
    clocks = tuple(decide(o, sent) if o.duty == "L13" else o for o in known.clocks)
    made = core.fill(form("insurer"), msgspec.structs.replace(known, clocks=clocks), "claire")
    assert made.values["complaint"] == "le 22/11/2026 02:00 CET, référence PV 12"


def test_of_whom_the_cnil_reads_the_register_and_the_insurer_are_no_authority() -> None:
    sent = Decision(state=State.DONE, by="A", at=T0, sent_at=T0)
    known = case()
    told = ("L1", "L4", "L13", "L14")
    clocks = tuple(decide(o, sent) if o.duty in told else o for o in known.clocks)
    assert {o.duty for o in clocks if o.sent_at} == set(told)
    known = msgspec.structs.replace(known, clocks=clocks)
    complaint = "Déposer plainte pour garder la couverture de l’assurance, le 22/11/2026 02:00 CET"
    for which in ("cnil-initial", "cnil-complementary"):
        assert core.fill(form(which), known, "claire").values["authorities"] == complaint
    others = core.fill(form("psig"), known, "claire").values["told"]
    assert complaint in others
    assert "CNIL" in others
    assert "assureur" in others
    assert "registre" not in others


def test_what_a_person_wrote_stays_and_the_rest_follows_the_incident() -> None:
    which = form("insurer")
    first = core.fill(which, case(), "claire")
    mine = core.edit(which, first, {"measures": "Tout\r\ncoupé\x00."}, "anne", T0)
    assert mine.values["measures"] == "Tout\ncoupé."
    assert mine.edited == ("measures",)
    again = core.fill(
        which, case(told=told(texts={"measures": "Autre", "happened": "Panne."})), "claire", mine
    )
    assert again.version == 3
    assert again.values["measures"] == "Tout\ncoupé."
    assert again.values["description"].startswith("Panne.")
    emptied = core.edit(which, again, {"measures": ""}, "anne", T0)
    assert emptied.edited == ()


def test_the_signed_bytes_are_the_document_and_nothing_but() -> None:
    which = form("complaint")
    made = core.fill(which, case(), "claire")
    paper = core.paper(which, LAW, made, "Cabinet du Parc")
    body = core.document_bytes(paper)
    assert body == core.document_bytes(core.read(body))
    changed = core.edit(which, made, {"loss": "12 000 €"}, "anne", made.made_at)
    assert core.document_bytes(core.paper(which, LAW, changed, "Cabinet du Parc")) != body


def test_the_word_file_holds_every_field_and_marks_the_blanks() -> None:
    which = form("psig")
    made = core.fill(which, case(), "claire")
    paper = core.paper(which, LAW, made, "Cabinet du Parc")
    word = docx.Document(io.BytesIO(docx_of(dossier_document(paper, made, AROUND))))
    cells = [cell.text for table in word.tables for row in table.rows for cell in row.cells]
    assert all(line.label in cells for line in paper.lines)
    assert sum(cell == BLANK for cell in cells) == len(core.blanks(which, made)) + 1  # signature
    odd = Document(
        lang="fr",
        title="",
        kind="",
        about=(),
        footer="",
        sections=(Section(anchor="a", title="", blocks=(Lead(words="x"),)),),
    )
    with pytest.raises(TypeError):
        docx_of(odd)


def test_the_register_keeps_facts_effects_measures_and_who_decided_why() -> None:
    said = Decision(state=State.NOT_DUE, by="Anne", at=T0, reason="données chiffrées")
    known = case(
        told=told(answers={"malicious": "no"}, texts={"effects": "Attente.", "measures": "Coupé."})
    )
    clocks = tuple(decide(o, said) if o.duty == "L1" else o for o in known.clocks)
    line = register.entry(msgspec.structs.replace(known, clocks=clocks))
    assert (line.effects, line.measures) == ("Attente.", "Coupé.")
    assert line.persons == "patients : environ 2\u202f400"
    taken = {d.duty: (d.decision.by, d.reason) for d in line.decisions}
    assert taken["L1"] == ("Anne", "données chiffrées")
    assert taken["L13"] == ("Dr Camille Martin", "Est-ce une attaque (et non une panne) ? non")
