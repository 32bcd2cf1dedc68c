import datetime as dt
import re
from importlib.resources import files

import pytest

from releve.apps.console.words import Words, all_texts, choose_language
from releve.detect.guard_findings import ALERTS
from releve.obligation.words import CATEGORIES, PERSONS

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


def test_both_languages_have_the_same_texts_with_the_same_facts() -> None:
    french, english = all_texts("fr"), all_texts("en")
    assert french.keys() == english.keys()
    for key in french:
        names = [sorted(set(re.findall(r"{(\w+)}", texts[key]))) for texts in (french, english)]
        assert names[0] == names[1], key


def test_every_text_that_a_template_names_exists() -> None:
    known = all_texts("fr")
    for template in (files("releve.apps.console") / "templates").iterdir():
        named = re.findall(r'(?<!\w)t\("([\w.]+)"(, n=)?', template.read_text("utf-8"))
        for key, counts in named:
            if not key.endswith((".", "_")):
                wanted = {f"{key}_one", f"{key}_other"} if counts else {key}
                assert wanted <= known.keys(), (template.name, key)


def test_every_alert_has_its_line() -> None:
    assert all(f"line.{kind}" in all_texts("fr") for kind in ALERTS)


def test_numbers_sizes_and_times_follow_the_language() -> None:
    french, english = Words("fr"), Words("en")
    assert french.number(12345.6, 1) == "12\u202f345,6"
    assert english.number(12345.6, 1) == "12,345.6"
    assert french.size(1_300_000_000) == "1,3\u00a0Go"
    assert english.size(999) == "999\u00a0B"
    assert french.duration(12.4) == "12\u00a0ms"
    assert english.duration(1500) == "1.5\u00a0s"
    assert 'datetime="2026-11-22T01:00:00+00:00"' in french.moment(T0)
    assert french.ago(T0, T0 + dt.timedelta(minutes=5)) == "il y a 5\u00a0min"
    assert french.day("2026-11-22") == french.day(dt.date(2026, 11, 22))
    assert "2026-11-22" not in french.day("2026-11-22")


@pytest.mark.parametrize(
    ("seconds", "french", "english"),
    [
        (-2.0, "depuis un instant", "just now"),
        (0.015, "depuis un instant", "just now"),
        (4.9, "depuis un instant", "just now"),
        (5.0, "depuis 5\u00a0s", "for 5\u00a0s"),
        (59.9, "depuis 59\u00a0s", "for 59\u00a0s"),
        (190.0, "depuis 3\u00a0min", "for 3\u00a0min"),
    ],
)
def test_who_just_asked_waits_since_a_moment(seconds: float, french: str, english: str) -> None:
    assert Words("fr").since(seconds) == french
    assert Words("en").since(seconds) == english
    told = Words("fr")("situation.waiting", n=1, since=french)
    assert told == f"1\u00a0appel attend {french}"


def test_zero_is_singular_in_french_and_plural_in_english() -> None:
    assert Words("fr")("stop.lost", n=0) == "0\u00a0perdu"
    assert Words("en")("stop.touched", n=0) == "0\u00a0files seen touched at that moment."


def test_a_span_is_rounded_down_and_a_legal_delay_counts_its_hours() -> None:
    french, english = Words("fr"), Words("en")
    hour = 3600
    assert french.lasting(0.412) == "0,4\u00a0s", "no age is said in milliseconds"
    assert (english.lasting(59.6), french.lasting(0)) == ("59\u00a0s", "0\u00a0s")
    assert french.lasting(47 * hour) == "47\u00a0h 00"
    assert french.lasting(2.9 * 24 * hour) == "2\u00a0jours"  # not three
    assert french.hours(71.99 * hour) == "71\u00a0h 59"
    assert english.hours(120 * hour) == "120\u00a0h 00"
    ages = ((59, "à l’instant"), (60, "1\u00a0min"), (3600, "1\u00a0h"), (7100, "1\u00a0h"))
    for seconds, said in (*ages, (86400, "1\u00a0jour"), (-5, "à l’instant")):
        assert said in french.ago(T0, T0 + dt.timedelta(seconds=seconds)), seconds


@pytest.mark.parametrize(
    ("hours", "french", "english"),
    [
        (-0.5, "aujourd’hui à\u00a001:30", "today at\u00a001:30"),
        (-1.5, "aujourd’hui à\u00a000:30", "today at\u00a000:30"),  # yesterday in UTC
        (-2.5, "hier à\u00a023:30", "yesterday at\u00a023:30"),
        (23, "lundi 23\u00a0nov.\u00a02026 à\u00a001:00", "Monday 23\u00a0Nov\u00a02026 at\u00a001:00"),
    ],
)  # fmt: skip
def test_a_day_is_called_as_it_is_in_france(hours: float, french: str, english: str) -> None:
    at = T0 + dt.timedelta(hours=hours)
    assert Words("fr").when(at, T0).striptags() == french.replace("\u00a0", " ")
    assert Words("en").when(at, T0).striptags() == english.replace("\u00a0", " ")


def test_a_time_that_is_not_known_is_a_dash_and_not_1970() -> None:
    assert Words("fr").moment_ns(0) == "—"
    assert "22\u00a0nov.\u00a02026" in Words("fr").moment_ns(int(T0.timestamp() * 1e9))


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "chosen"),
    [
        ("", "", "", "fr"),
        ("", "", "en-GB,en;q=0.9", "en"),
        ("", "", "de,fr;q=0.5,en;q=0.4", "fr"),
        ("", "", "fr;q=0.3, en;q=0.8", "en"),
        ("", "fr", "en", "fr"),
        ("en", "fr", "fr", "en"),
        ("xx", "<", "de;q=x", "fr"),
    ],
)
def test_the_language_is_asked_for_remembered_or_the_browser_s(
    query: str, cookie: str, accept: str, chosen: str
) -> None:
    assert choose_language(query, cookie, accept) == chosen


def test_the_data_map_reads_here_as_in_the_dossiers() -> None:
    said, other = all_texts("fr"), all_texts("en")
    for kind, known in (("data_category", CATEGORIES), ("data_person", PERSONS)):
        here = {key.removeprefix(f"{kind}."): said[key] for key in said if key.startswith(kind)}
        assert here == known
        assert all(f"{kind}.{word}" in other for word in known)
