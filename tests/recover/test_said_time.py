"""A time as people say it is read whole or refused: a moment nearly meant is a wrong version."""

import datetime as dt
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from releve.apps.restore.cli import read_time
from releve.recover.said_time import understood

NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))  # a Sunday
FRENCH = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
ENGLISH = "January February March April May June July August September October November December"
DAYS_FR = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"]
DAYS_EN = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def meant(said: str) -> str | None:
    found = understood(said, NOW)
    return f"{found.at:%Y-%m-%d %H:%M:%S}" if found else None


def forms(day: int, month: int, year: int) -> list[str]:
    said = [f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day}.{month}.{year}"]
    if 1 <= month <= 12:
        french, english = FRENCH.split()[month - 1], ENGLISH.split()[month - 1]
        said += [f"{day} {french} {year}", f"le {day} {french[:4]}. {year}"]
        said += [f"{english} {day}, {year}", f"{day} {english[:3]} {year}"]
    return said


@pytest.mark.parametrize("hour", ["", " 09:00", " à 9h", " at 9am"])
def test_every_day_is_read_in_every_form_and_no_other_is(hour: str) -> None:
    end = "09:00:59" if hour else "23:59:59"
    for year, month in [*((2024, month) for month in range(14)), (2025, 2)]:
        for day in range(40):
            try:
                wanted = f"{dt.date(year, month, day)} {end}"
            except ValueError:
                wanted = None
            for form in forms(day, month, year):
                assert meant(form + hour) == wanted, form + hour


@pytest.mark.parametrize(
    "said",
    [
        "2026-13-45 09:00", "2026-11-31 09:00", "45/11/2026 09:00", "31/11 9h", "29/02/2026 9h",
        "31 novembre à 9h", "November 31 9am", "0000-11-12 9h", "12/11/202 9h",
        "23/11/2026 9h", "2027-01-01 09:00",  # to come
        "25h", "hier 18:75", "hier 6:75pm", "yesterday 13pm", "0am", "hier 9h 18h",
        "hier samedi 20/11", "mardi 12/11/2026", "Monday 2026-11-20", "hier lundi",
        "avant mardi", "mardi prochain", "next Tuesday 9am", "jeudi ou vendredi", "hier 9",
        "la maison 9h", "3 maisons 9h", "12 jui 2026", "il y a 2 hier", "il y a 2 siècles", "demain 9h",
        "hier minuit", "between Monday and Tuesday", "2026-11-20 09:00 Mathilde",
    ],
)  # fmt: skip
def test_what_cannot_be_or_is_not_read_is_refused(said: str) -> None:
    assert understood(said, NOW) is None


@pytest.mark.parametrize(
    "said", ["2026-13-45 09:00", "2026-11-31 09:00", "45/11/2026 09:00", "hier 9h Mathilde"]
)
def test_the_command_refuses_it_too(said: str) -> None:
    with pytest.raises(click.BadParameter, match="no such date"):
        read_time(said)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("hier soir", "2026-11-21 23:59:59"),
        ("hier, samedi, vers 18h12", "2026-11-21 18:12:59"),
        ("cet après-midi", "2026-11-22 10:00:00"),
        ("mardi dernier à midi", "2026-11-17 13:00:00"),
        ("en fin d'après-midi mardi 17/11", "2026-11-17 18:30:00"),
        ("le 20 nov. à 18 heures 30", "2026-11-20 18:30:59"),
        ("20/11/26 18:12:05", "2026-11-20 18:12:05"),
        ("last Friday at noon", "2026-11-20 13:00:00"),
        ("Friday, November 20th at 6:05pm", "2026-11-20 18:05:59"),
        ("12am yesterday", "2026-11-21 00:00:59"),
        ("il y a 3 jours", "2026-11-19 10:00:00"),
        ("2 weeks ago", "2026-11-08 10:00:00"),
    ],
)
def test_what_people_say_is_read(said: str, wanted: str) -> None:
    assert meant(said) == wanted


@given(
    said=st.sampled_from(["hier à 18h12", "12/11/2025 9h", "mardi matin", "2 days ago", "18h"]),
    word=st.text(alphabet="bcdfgkqvwxz0123456789", min_size=3, max_size=8),
    is_before=st.booleans(),
)
def test_one_unknown_word_more_refuses_the_whole(said: str, word: str, is_before: bool) -> None:
    assume(not word.endswith("h"))
    assert understood(said, NOW) is not None
    assert understood(f"{word} {said}" if is_before else f"{said} {word}", NOW) is None


def test_a_weekday_beside_a_date_must_be_its_own() -> None:
    for back in range(30):
        day = NOW.date() - dt.timedelta(days=back)
        for names in (DAYS_FR, DAYS_EN):
            for number, name in enumerate(names):
                found = understood(f"{name} {day} 9h", NOW)
                assert (found is not None) == (number == day.weekday()), f"{name} {day}"
