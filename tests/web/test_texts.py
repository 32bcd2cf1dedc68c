"""Texts of the small sites: both languages alike, and none that a page names is missing."""

import re
from importlib.resources import files

import pytest

from releve.apps.web.ranges import Part, part_of
from releve.apps.web.words import Words, load

SITES = ("releve.apps.restore", "releve.apps.recover", "releve.apps.agent")
_WEB = "releve.apps.web"
_DOORLESS = {("releve.apps.agent", "program.link_command")}  # nobody enters it by a link


@pytest.mark.parametrize("package", SITES)
def test_both_languages_have_the_same_texts_with_the_same_facts(package: str) -> None:
    texts = load(_WEB, package)
    assert texts["fr"].keys() == texts["en"].keys()
    for key in texts["fr"]:
        names = [sorted(set(re.findall(r"{(\w+)}", texts[lang][key]))) for lang in ("fr", "en")]
        assert names[0] == names[1], key


@pytest.mark.parametrize("package", SITES)
def test_every_text_that_a_template_names_exists(package: str) -> None:
    known, named = load(_WEB, package)["fr"], set()
    for owner in (_WEB, package):
        for template in (files(owner) / "templates").iterdir():
            for key in re.findall(r'"([a-z]+\.[a-z_]+)"', template.read_text("utf-8")):
                if not key.endswith((".", "_", ".css", ".js", ".svg", ".html")):
                    named.add(key)
                    if (package, key) in _DOORLESS:
                        continue
                    assert key in known or f"{key}_one" in known, (template.name, key)
    starts = {key.partition(".")[0] for key in known} - {"ago"}
    assert starts <= {key.partition(".")[0] for key in named} | {"wrong"}


def test_a_moment_is_said_as_people_say_it() -> None:
    import datetime as dt

    from releve.apps.web.words import ZONE

    words, now = Words("fr", load(_WEB, SITES[0])), dt.datetime(2026, 11, 22, 10, tzinfo=ZONE)
    said = [words.when(now - dt.timedelta(hours=hours), now).striptags() for hours in (1, 20, 90)]
    assert said == [
        "aujourd’hui à 09:00",
        "hier à 14:00",
        "mercredi 18 nov. 2026 à 16:00",
    ]


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("", (0, 100, True)),
        ("bytes=0-9", (0, 10, False)),
        ("bytes=90-", (90, 100, False)),
        ("bytes=-10", (90, 100, False)),
        ("bytes=-500", (0, 100, False)),
        ("bytes=0-999", (0, 100, False)),
        ("bytes=9-3", (0, 100, True)),
        ("bytes=0-1,5-6", (0, 100, True)),
        ("items=1-2", (0, 100, True)),
        ("bytes=100-", None),
        ("bytes=-0", None),
        ("bytes=" + "9" * 99 + "-", (0, 100, True)),
    ],
)
def test_parts_of_a_file(said: str, part: tuple[int, int, bool] | None) -> None:
    wanted = None if part is None else Part(start=part[0], end=part[1], is_whole=part[2])
    assert part_of(said, 100) == wanted
