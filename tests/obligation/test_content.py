"""The law's content holds together: everything named exists, and everything said has its source."""

import datetime as dt
import re
from pathlib import Path

import pytest

from releve.model.dossier import Field, Form
from releve.model.law import Duty
from releve.obligation.dossier import all_fillers
from tests.obligation.declared import FORMS, LAW

SOURCES = {source.id for source in LAW.source}
QUESTIONS = {question.id: question for question in LAW.question}
MOMENTS = {"first_signal", "aware_at", "significant_at"}
FIELDS = [(form, field) for form in FORMS for field in form.fields()]


def test_the_duties_of_the_facts_are_all_there() -> None:
    wanted = {f"L{n}" for n in (*range(1, 15), 16, 17)} | {"L8-2"}
    assert {duty.id for duty in LAW.duty} == wanted


def test_the_delays_are_those_that_were_read() -> None:
    hours = {"L1": 72, "L2": 72, "L10": 24, "L11": 72, "L13": 72, "L14": 120}
    assert {duty.id: duty.hours for duty in LAW.duty if duty.hours} == hours
    assert {duty.id: duty.months for duty in LAW.duty if duty.months} == {"L8-2": 3, "L12": 1}
    without = {"L3", "L4", "L6", "L8", "L9", "L16", "L17"}
    chronos = {duty.id: (duty.orange_hours, duty.red_hours) for duty in LAW.duty}
    assert {id_ for id_, told in chronos.items() if told == (1, 4)} == without
    begun = {duty.id: duty.valid_from for duty in LAW.duty}
    assert (begun["L6"], begun["L13"]) == (dt.date(2022, 4, 29), dt.date(2023, 4, 24))


# As the texts were read: what starts it, which answer stops it, how sure that is, since when, and where.
SERIOUS = ("care_safety", "health_data", "disturbed", "territory", "others")
NETWORKS = ("care_safety", "disturbed", "territory", "others")
READ = {
    "L1": ("aware_at", "personal_data=no risk=none", (), "verified", "2018-05-25", "S1 S2"),
    "L2": ("partial:L1", "", (), "verified", "2018-05-25", "S1 S3"),
    "L3": ("aware_at", "personal_data=no", ("risk",), "verified", "2018-05-25", "S1"),
    "L4": ("aware_at", "personal_data=no", (), "verified", "2018-05-25", "S1"),
    "L5": ("aware_at", "", (), "verified", "2018-05-25", "S1 S31"),
    "L6": ("significant_at", "", SERIOUS, "verified", "2022-04-29", "S5 S6 S7 S8 S9 S10 S11"),
    "L7": ("sent:L6", "", (), "unverified", "2022-04-29", "NV"),
    "L8": ("aware_at", "", ("patient_harm",), "verified", "2016-11-28", "S12"),
    "L8-2": ("sent:L8", "", (), "verified", "2016-11-28", "S12"),
    "L9": ("significant_at", "", NETWORKS, "verified", "2018-02-27", "S13 S14"),
    "L10": ("significant_at", "", SERIOUS, "secondary", "2024-10-18", "S15"),
    "L11": ("significant_at", "", SERIOUS, "secondary", "2024-10-18", "S15"),
    "L12": ("sent:L11", "", (), "unverified", "2024-10-18", "S15"),
    "L13": ("aware_at", "malicious=no", (), "verified", "2023-04-24", "S16 S17 S26"),
    "L14": ("aware_at", "", (), "unverified", "1990-05-01", "NV"),
    "L16": ("first_signal", "", ("continuity",), "verified", "2016-10-07", "S19"),
    "L17": ("aware_at", "", ("device",), "unverified", "2000-06-22", "NV"),
}  # fmt: skip


@pytest.mark.parametrize("duty", LAW.duty, ids=lambda d: d.id)
def test_a_duty_is_as_it_was_read_and_no_surer(duty: Duty) -> None:
    unless = " ".join(f"{question}={answer}" for question, answer in duty.unless.items())
    said = (duty.starts, unless, tuple(duty.any_of), duty.mark.value, str(duty.valid_from))
    assert (*said, " ".join(duty.sources)) == READ[duty.id]
    assert duty.valid_to is None  # of the wordings that count today none has ended
    assert set(duty.any_of.values()) <= ({"high"} if duty.id == "L3" else {"yes"})


def test_what_is_presumed_and_when_somebody_is_rung() -> None:
    presumed = {q.id: q.presumed for q in LAW.question if q.presumed != "unknown"}
    assert presumed == {"malicious": "yes", "disturbed": "yes"}
    assert set(LAW.ring) == {"75", "90", "late", "orange", "red"}  # half of a delay is only shown


def test_the_page_says_of_each_duty_and_form_what_it_was_compared_with() -> None:
    page = (Path(__file__).parents[2] / "docs/obligations.md").read_text("utf-8")
    table = page.partition("## Read again")[2].partition("Not covered")[0]
    rows = " ".join(line.split("|")[2] for line in table.splitlines() if line.startswith("| "))
    named = set(re.findall(r"L\d+(?:-\d)?|[a-z]+\d?-[a-z]+|[a-z]{4,}", rows))
    assert {duty.id for duty in LAW.duty} | {form.id for form in FORMS} <= named


@pytest.mark.parametrize("duty", LAW.duty, ids=lambda d: d.id)
def test_a_duty_names_only_what_exists_and_has_a_source(duty: Duty) -> None:
    assert duty.sources
    assert set(duty.sources) <= SOURCES
    assert duty.mark == "unverified" or duty.sources != ("NV",)
    assert duty.contents
    assert duty.dossier in {"", *(form.id for form in FORMS)}
    for question, answer in [*duty.unless.items(), *duty.any_of.items()]:
        assert answer in QUESTIONS[question].answers
    assert duty.hours is None or duty.months is None
    if duty.hours or duty.months:
        assert duty.orange_hours is None
    assert not set(duty.kinds) & set(duty.voluntary)
    assert all(text.fr.strip() and text.en.strip() for text in (duty.name, duty.trigger, duty.to))


def test_a_duty_starts_at_a_moment_or_at_the_sending_of_one_above_it() -> None:
    above: set[str] = set()
    for duty in LAW.duty:
        kind, _, parent = duty.starts.partition(":")
        assert duty.starts in MOMENTS or (kind in ("sent", "partial") and parent in above)
        above.add(duty.id)


def test_of_one_duty_only_one_wording_counts_at_a_time() -> None:
    for one in LAW.duty:
        for other in LAW.duty:
            if one is not other and one.id == other.id:
                first, second = sorted((one, other), key=lambda d: d.valid_from)
                assert first.valid_to is not None
                assert first.valid_to <= second.valid_from


def test_what_is_presumed_is_an_answer() -> None:
    assert all(q.presumed in q.answers for q in LAW.question)


@pytest.mark.parametrize(("form", "field"), FIELDS, ids=lambda x: x.id)
def test_every_field_of_a_dossier_traces_to_a_known_source(form: Form, field: Field) -> None:
    assert field.sources
    assert set(field.sources) <= SOURCES
    assert field.mark == "unverified" or field.sources != ("NV",)
    assert field.label.fr.strip()
    assert field.label.en.strip()
    assert not (field.fill and field.value)
    assert field.fill == "" or field.fill in all_fillers(LAW)


def test_every_dossier_of_the_facts_is_there_and_no_field_twice() -> None:
    wanted = {
        "cnil-initial",
        "cnil-complementary",
        "psig",
        "complaint",
        "insurer",
        "persons",
        "nis2-warning",
    }
    assert {form.id for form in FORMS} == wanted
    for form in FORMS:
        names = [field.id for field in form.fields()]
        assert len(names) == len(set(names)), form.id


def test_what_gdpr_33_3_asks_for_is_in_the_notification() -> None:
    form = next(one for one in FORMS if one.id == "cnil-initial")
    fills = {field.fill for field in form.fields()}
    assert {
        "breach.nature",
        "data.persons",
        "data.persons_count",
        "data.categories",
        "data.records",
        "contact.dpo",
        "told.effects",
        "told.measures",
    } <= fills


def test_outside_help_says_what_it_is_for_and_where_that_is_said() -> None:
    assert {one.name for one in LAW.outside_help} == {"17Cyber", "CERT Santé"}
    for one in LAW.outside_help:
        assert one.sources
        assert set(one.sources) <= SOURCES
        assert one.purpose.fr.strip()
        assert one.purpose.en.strip()
        assert one.url.startswith("https://")
