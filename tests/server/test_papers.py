"""The papers under the GDPR say what the code does: tables, figures, settings, commands, names."""

import datetime as dt
import importlib.util
import re
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from releve.adapters.content import kept_policy, privacy_papers
from releve.adapters.sql import tables
from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import LazyGroup
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.server.paper_facts import settings
from releve.apps.server.papers_cli import PaperUnknownError, papers
from releve.flow.server import profiles, signin
from releve.flow.server.enrol import ensure_structure
from releve.model.privacy import KeptData
from releve.model.structure import Contact, DataSetEntry, Profile, StructureKind
from releve.report.privacy_facts import told
from releve.report.privacy_paper import fill
from releve.report.text import Voice
from tests.server.test_access import person, session
from tests.server.world import T0

REPOSITORY = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("papers_script", REPOSITORY / "scripts/papers.py")
assert SPEC
assert SPEC.loader
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)

POLICY = kept_policy()
PAPERS = privacy_papers()
ENGLISH_POLICY, ENGLISH = kept_policy("en"), privacy_papers("en")
NAME = "Cabinet <du> Parc"
FIGURE = r"\d[\d\s]*(?:jours?|heures?|h|mois|ans?|minutes?|min|days?|hours?|months?|years?)\b"


def words_of(value: object) -> list[str]:
    """Every text of a paper or a line."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, msgspec.Struct):
        return words_of([getattr(value, name) for name in value.__struct_fields__])
    return [w for one in value for w in words_of(one)] if isinstance(value, list | tuple) else []


def test_every_table_of_the_server_is_in_one_line_of_the_policy() -> None:
    named = [table for row in POLICY.kept for table in row.tables]
    assert sorted(named) == sorted(tables.metadata.tables)


def test_no_duration_is_written_by_hand() -> None:
    for row in (*POLICY.kept, *ENGLISH_POLICY.kept):
        assert not re.search(r"\d", re.sub(r"{\w+}", "", row.how_long)), row.id
        assert "{" not in "".join(words_of(row)).replace(row.how_long, ""), row.id
    for paper in (*PAPERS, *ENGLISH):
        written = words_of([(p.prose, p.terms, p.bullets, p.questions) for p in paper.parts])
        assert not [w for w in written if re.search(FIGURE, w)], paper.id


def test_every_name_in_braces_is_known_and_every_setting_is_used() -> None:
    facts = settings() | told("A", None, "") | {"day": ""}
    used: set[str] = set()
    for words in words_of([*POLICY.kept, *PAPERS]):
        fill(words, facts)
        used |= set(re.findall(r"{(\w+)}", words))
    assert set(settings()) <= used


def shape_of(value: object) -> object:
    """Of a paper or a line: all but its words; of its words, the names in braces."""
    if isinstance(value, str):
        return sorted(re.findall(r"{(\w+)}", value))
    if isinstance(value, msgspec.Struct):
        told = {name: getattr(value, name) for name in value.__struct_fields__}
        same = {n: told.pop(n) for n in ("id", "valid_from", "kept", "new_page") if n in told}
        return [same, *(shape_of(one) for name, one in told.items() if name != "tables")]
    return [shape_of(one) for one in value] if isinstance(value, list | tuple) else value


def test_the_english_text_has_each_part_line_and_figure_of_the_french_one() -> None:
    assert [shape_of(paper) for paper in ENGLISH] == [shape_of(paper) for paper in PAPERS]
    for english, french in zip(ENGLISH_POLICY.kept, POLICY.kept, strict=True):
        assert shape_of(english) == shape_of(french)
    assert ENGLISH_POLICY.valid_from == POLICY.valid_from
    numbers = [re.findall(r"\d+", " ".join(words_of(list(all_)))) for all_ in (ENGLISH, PAPERS)]
    assert sorted(numbers[0]) == sorted(numbers[1])


@pytest.mark.parametrize("row", POLICY.kept, ids=lambda row: row.id)
def test_the_setting_that_a_line_names_is_there(row: KeptData) -> None:
    for path, names in re.findall(r"([\w/]+\.py), ([\w.]+(?: et \w+)*)", row.setting):
        source = (REPOSITORY / "src/releve" / path).read_text()
        for name in names.split(" et "):
            assert name.rpartition(".")[2] in source, (path, name)


def test_every_command_that_is_named_exists() -> None:
    context = click.Context(LazyGroup("releve"))
    for words in words_of([*POLICY.kept, *PAPERS, *ENGLISH_POLICY.kept, *ENGLISH]):
        for line in re.findall(r"releve((?: [a-z][a-z-]+)+)", words):
            group: click.Command | None = context.command
            for name in line.split():
                if isinstance(group, click.Group):
                    group = group.get_command(context, name)
                    assert group is not None, line


def test_sessions_and_tries_go_when_the_policy_says(store: SqlStore) -> None:
    said = settings()
    who = person(store, "A", "anne")
    secret, opened = session(store, who)
    assert opened.expires_at - T0 == dt.timedelta(hours=float(said["session_hours"]))
    signin.count_try(store, ("pair:x",), T0)
    tries_until = T0 + dt.timedelta(days=float(said["tries_days"]))
    second = dt.timedelta(seconds=1)
    store.forget_old(opened.expires_at - second)
    assert store.session(signin.digest(secret)) == opened
    store.forget_old(opened.expires_at + second)
    assert store.session(signin.digest(secret)) is None
    store.forget_old(tries_until - second)
    assert store.attempts("pair:x") is not None
    store.forget_old(tries_until + second)
    assert store.attempts("pair:x") is None


def test_the_events_that_a_server_keeps_otherwise_are_stated_so() -> None:
    run = CliRunner()
    for given, wanted in ((None, "400 jours"), ("30", "30 jours"), ("0", "sans limite")):
        env = {"RELEVE_KEEP_EVENTS": given}
        done = run.invoke(papers, ["retention", "--json"], env=env)
        rows = [msgspec.json.decode(line, type=KeptData) for line in done.output.splitlines()]
        (events,) = [row for row in rows if row.id == "events"]
        assert events.how_long.startswith(wanted)


def test_a_structure_prints_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path / "server")
    home.make()
    store = make_store(home)
    owner = ensure_structure(store, NAME, "s1", T0)
    profile = Profile(
        kind=StructureKind.PRACTICE,
        legal_name="SELARL <du> Parc",
        representative="Dr Martin",
        contacts=(Contact(name="Mme Dupo", role="dpo", mail="dpo@parc.example"),),
        data_map=(
            DataSetEntry(name="dossiers", persons={"patients": 12000}, categories=("santé",)),
        ),
    )
    profiles.put(store, owner.id, profile, actor="a", now=T0)
    run, out = CliRunner(), tmp_path / "papiers"
    words = ["print", "-s", NAME, "--home", str(home.path), "--out", str(out), "--json"]
    done = run.invoke(papers, [*words, "--html"], catch_exceptions=False)
    assert len(done.output.splitlines()) == len(PAPERS)
    register = (out / "registre.html").read_text()
    for shown in (
        "SELARL &lt;du&gt; Parc",
        "Dr Martin",
        "Mme Dupo, dpo@parc.example",
        Voice("fr").number(12_000),
    ):
        assert shown in register
    assert "SELARL <du>" not in register
    told_of = msgspec.json.decode(done.output.splitlines()[-1])
    assert told_of == {
        "paper": str(out / "registre.html"),
        "blanks": register.count("[À COMPLÉTER]"),
    }
    assert "[À COMPLÉTER]" in register  # the operator, that nobody named
    named = run.invoke(papers, [*words, "--operator", "Lac", "personnel"], catch_exceptions=False)
    assert (out / "personnel.pdf").read_bytes().startswith(b"%PDF")
    assert msgspec.json.decode(named.output)["paper"].endswith("personnel.pdf")
    assert isinstance(run.invoke(papers, [*words, "nothing"]).exception, PaperUnknownError)
    run.invoke(papers, [*words, "--html", "--language", "en"], catch_exceptions=False)
    aid = (out / "registre.en.html").read_text()
    assert "Only the French version counts" in aid
    assert f"patients (about {Voice('en').number(12_000)})" in aid
    assert aid.count("[TO BE FILLED IN]") == register.count("[À COMPLÉTER]")


def test_the_pages_in_docs_are_up_to_date() -> None:
    for name, text in script.pages().items():
        assert (script.FOLDER / name).read_text() == text, "run `make docs`"
