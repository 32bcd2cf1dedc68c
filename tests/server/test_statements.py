"""The month's proof: each figure against cases made by hand, on both databases; pages, signature, CSV."""

import csv
import datetime as dt
import html
import io
import json
import re
import zoneinfo
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import run
from releve.apps.console.statement_files import KIND, Maker, make_statement
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.assist.escalation import Acknowledged
from releve.flow.sealed import open_
from releve.flow.server import obligations, profiles
from releve.flow.server.assist import answering, asking, rotas
from releve.flow.server.ingest import take
from releve.flow.server.months import MonthError, begun_month, month_of, names_since
from releve.flow.server.ports import Structure
from releve.flow.server.statements import measure, usage
from releve.model import event as ev
from releve.model.help import Shift
from releve.model.obligation import Decision, State
from releve.model.statement import OnCallFigures, Spread, Statement
from releve.model.structure import CareService
from releve.report.statement import Seal, statement_html
from tests.assist.people import always, person
from tests.report.test_pdf import pages
from tests.server.declared import LAW, declare, practice
from tests.server.vaults import busy_vault
from tests.server.world import T0, EnrolledHost, add_host, batch, rolled_back, stopped

KEY = Ed25519PrivateKey.generate()
ZONES = ("Europe/Paris", "America/Cayenne", "Indian/Reunion", "Pacific/Noumea", "America/Miquelon")
BEFORE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2026, 12, 5, tzinfo=dt.UTC)
PARIS = "Europe/Paris"


def owner(host: EnrolledHost, name: str = "Cabinet A") -> Structure:
    return Structure(id=host.structure, name=name, created_at=T0)


def measured(store: SqlStore, host: EnrolledHost, month: str = "2026-11") -> Statement:
    with store.unit(host.structure, writes=False) as unit:
        return measure(unit, "Cabinet A", month_of(month, PARIS), END)


@given(
    zone=st.sampled_from(ZONES),
    seconds=st.integers(0, 100 * 365 * 86_400),
)
def test_every_instant_is_in_the_month_that_the_wall_shows_and_in_no_other(
    zone: str, seconds: int
) -> None:
    at = dt.datetime(1990, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    wall = at.astimezone(zoneinfo.ZoneInfo(zone))
    month = month_of(f"{wall:%Y-%m}", zone)
    assert month.has(at)
    after = month_of(f"{month.until.astimezone(zoneinfo.ZoneInfo(zone)):%Y-%m}", zone)
    assert after.since == month.until
    assert not after.has(at)
    assert names_since(at, at, zone) == (month.name,)


def test_a_month_with_a_change_of_the_clocks_is_an_hour_longer_or_shorter() -> None:
    hours = {
        name: (m.until - m.since) / dt.timedelta(hours=1)
        for name in ("2026-03", "2026-10", "2026-11")
        for m in [month_of(name, PARIS)]
    }
    assert hours == {"2026-03": 31 * 24 - 1, "2026-10": 31 * 24 + 1, "2026-11": 30 * 24}


@pytest.mark.parametrize("words", ["2026-13", "2026-1", "11-2026", "", "0000-01", "2027-01"])
def test_what_is_no_month_or_has_not_begun_is_refused(words: str) -> None:
    with pytest.raises(MonthError):
        begun_month(words, PARIS, END)


def test_a_structure_without_a_case_has_no_figure_that_looks_measured(store: SqlStore) -> None:
    made = measured(store, add_host(store, "seul"))
    assert made.help_.times == made.care_times == made.drills.first_file == Spread()
    assert made.incidents.count == 0
    assert (made.on_call, made.told_since) == (None, None)
    assert [(h.host, h.backups) for h in made.hosts] == [("seul", 0)]


def test_calls_for_help_count_in_the_month_of_their_first_ring(store: SqlStore) -> None:
    host = add_host(store, "h")
    rotas.keep(store, host.structure, always(person("ali")), actor="a", now=T0)
    first = month_of("2026-11", PARIS).since
    for number, (at, after) in enumerate(
        ((first - dt.timedelta(seconds=1), 5), (first, 40), (T0, 200), (T0, None))
    ):
        asked = asking.Asked(id=f"help{number}", source="console", by="claire", at=at)
        asking.ask(store, host.structure, asked, at)
        if after is not None:
            with store.unit(host.structure) as unit:
                when = at + dt.timedelta(seconds=after)
                answering.acknowledge(unit, asked.id, Acknowledged(when, "ali", "Ali"))
    found = measured(store, host).help_
    assert (found.asked, found.in_time, found.waiting) == (3, 1, 1)
    assert found.times == Spread(n=2, mean=120.0, p95=200.0, worst=200.0)
    assert measured(store, host, "2026-10").help_.times.n == 1


def test_incidents_care_and_duties(store: SqlStore) -> None:
    host = add_host(store, "serveur")
    service = CareService(id="consult", name="Consultations", hosts=("serveur",))
    profile = msgspec.structs.replace(practice("serveur"), services=(service,))
    profiles.put(store, host.structure, profile, actor="a", now=T0)
    take(store, host.structure, host.id, batch(stopped("f1"), rolled_back("f1", lost=1)), T0)
    with store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.incidents()
    before = measured(store, host)
    assert [(c.service, c.seconds) for c in before.care] == [("Consultations", None)]
    assert before.care_times == Spread()
    assert (before.incidents.count, before.incidents.restored, before.incidents.lost) == (1, 3, 1)
    declare(store, host.structure, incident.id, answers={"personal_data": "yes"})
    with store.unit(host.structure) as unit:
        due = {o.duty: o for o in unit.obligations() if o.due_at is not None}
        late = due["L1"].due_at + dt.timedelta(hours=1)
        told = Decision(state=State.DONE, by="A", at=late, sent_at=late, reference="CNIL-1")
        obligations.send(unit, LAW, incident.id, "L1", told, login="a")
    duties = measured(store, host).duties
    assert duties.late >= 1
    assert duties.in_time == 0


def test_backups_drills_and_the_vault(store: SqlStore) -> None:
    host = add_host(store, "serveur-fichiers")
    busy_vault(store, host, T0)
    failed = ev.BackupRan(seen_at=T0, ok=False, ms=1)
    other_month = ev.BackupRan(seen_at=T0 - dt.timedelta(days=40), ok=True, ms=1)
    words = ev.BackupRan(seen_at=T0, ok=False, ms=1, detail='"drill_ran"')
    drill = ev.DrillRan(seen_at=T0, ok=True, drill="by hand", rpo_s=1700)
    twice = (drill, drill)  # an agent that starts again tells the last one again
    told = batch(failed, other_month, words, *twice, spool="more")
    take(store, host.structure, host.id, told, T0)
    made = measured(store, host)
    assert [(h.backups, h.backups_good, h.drills, h.drills_good) for h in made.hosts] == [
        (3, 1, 2, 2)
    ]
    assert made.drills.first_file == Spread(n=1, mean=0.8, p95=0.8, worst=0.8)
    assert made.drills.rpo.worst == 1830.0
    assert [h.host for h in made.vaults[0].hosts] == ["serveur-fichiers", "radiologie"]
    assert made.vaults[0].hosts[0].bytes == 62_000_000_000


@pytest.mark.parametrize(("month", "hours"), [("2026-10", 745.0), ("2026-03", 743.0)])
def test_on_call_hours_know_of_a_change_of_the_clocks(
    store: SqlStore, month: str, hours: float
) -> None:
    host = add_host(store, "h")
    rotas.keep(store, host.structure, always(person("ali")), actor="a", now=BEFORE)
    whole = measured(store, host, month).on_call
    assert (whole.hours, whole.covered_hours) == (hours, hours)
    rota = msgspec.structs.replace(
        always(person("ali")), shifts=(Shift(person="ali", hours="08:00-20:00"),)
    )
    rotas.keep(store, host.structure, rota, actor="a", now=T0)
    assert measured(store, host, month).on_call.covered_hours == 31 * 12.0


def test_on_call_hours_are_those_in_which_there_was_a_rota_and_that_have_passed(
    store: SqlStore,
) -> None:
    host = add_host(store, "h")
    rotas.keep(store, host.structure, always(person("ali")), actor="a", now=T0)
    month, now = month_of("2026-11", PARIS), T0 + dt.timedelta(minutes=90)
    with store.unit(host.structure, writes=False) as unit:
        made = measure(unit, "Cabinet A", month, now)
    assert made.on_call == OnCallFigures(hours=1.5, covered_hours=1.5, since=T0, until=now)
    french = statement_html(made, "fr", Seal(fingerprint="a", file="f"))
    text = " ".join(html.unescape(re.sub("<[^>]+>", " ", french)).replace("\xa0", " ").split())
    assert "1,5 h sur 1,5 h" in text
    assert "comptées du 22 novembre 2026 à 02:00" in text
    assert "première liste d’astreinte ici" in text
    with store.unit(host.structure, writes=False) as unit:
        assert measure(unit, "Cabinet A", month_of("2026-10", PARIS), now).on_call is None
    assert measured(store, host).on_call.until == month.until


def test_a_statement_is_one_page_signed_and_kept(store: SqlStore, tmp_path: Path) -> None:
    host = add_host(store, "serveur-fichiers")
    busy_vault(store, host, T0)
    names = tuple(f"Service {n}" for n in range(9))
    services = tuple(
        CareService(id=f"s{n}", name=x, hosts=("serveur-fichiers",)) for n, x in enumerate(names)
    )
    profile = msgspec.structs.replace(practice("serveur-fichiers"), services=services)
    profiles.put(store, host.structure, profile, actor="a", now=T0)
    take(store, host.structure, host.id, batch(stopped("f1"), rolled_back("f1"), spool="x"), T0)
    who = Maker(actor="claire", now=END, key=KEY)
    first = make_statement(store, owner(host), "2026-11", who)
    again = make_statement(store, owner(host), "2026-11", who)
    assert (first.version, again.version) == (1, 2)
    printed = tmp_path / "releve.pdf"
    printed.write_bytes(first.files["releve-2026-11-v1.fr.pdf"])
    assert len(pages(printed)) == 1
    page = first.files["releve-2026-11-v1.fr.html"].decode()
    assert "non mesuré" in page
    assert "Service 4" in page
    assert "Service 5" not in page
    assert "not measured" in first.files["releve-2026-11-v1.en.html"].decode()
    sealed = open_(KIND, first.files["releve-2026-11-v1.json"])
    made = msgspec.json.decode(sealed.body, type=Statement)
    assert len(made.care) == 9
    assert len(sealed.documents) == 4
    with store.unit(host.structure, writes=False) as unit:
        assert [one.version for one in unit.statements()] == [1, 2]
        assert unit.trail(most=1)[0].verb == "make"


def test_from_the_shell_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "home")
    home.make()
    store = make_store(home)
    now = dt.datetime.now(dt.UTC)
    add_host(store, "h", "=cmd|' /C calc'!A0")
    at, month = ["--home", str(home.path)], f"{now:%Y-%m}"
    made = ["statement", "make", *at, "--structure", "=cmd|' /C calc'!A0", "--month", month]
    assert run([*made, "--out", str(tmp_path / "out"), "--json"]) == 0
    files = [Path(file) for file in json.loads(capsys.readouterr().out)["files"]]
    assert {file.suffix for file in files} == {".html", ".pdf", ".json"}
    for file in files:
        assert run(["statement", "verify", str(file), *at]) == 0
    page = next(file for file in files if file.name.endswith("fr.html"))
    page.write_text(page.read_text().replace("non mesuré", "12 s"))
    assert run(["statement", "verify", str(page), *at]) == 74
    whole = next(file for file in files if file.suffix == ".json")
    assert run(["statement", "verify", str(whole), "--key", "ab" * 32, *at]) == 75
    whole.write_text(whole.read_text().replace('"lost": 0', '"lost": 1'))
    assert run(["statement", "verify", str(whole), *at]) == 74
    assert run(["statement", "usage", "--month", "2999-01", *at]) == 73
    capsys.readouterr()
    assert run(["statement", "usage", "--month", month, *at]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["name"] == "'=cmd|' /C calc'!A0"
    assert (row["hosts"], row["held_bytes"]) == ("1", "")


def test_two_structures_in_one_folder_keep_a_statement_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home")
    home.make()
    store = make_store(home)
    month, told = f"{dt.datetime.now(dt.UTC):%Y-%m}", []
    for name in ("Cabinet du Parc", "Cabinet du parc"):
        add_host(store, "h", name)
        words = ["--home", str(home.path), "--structure", name, "--month", month]
        out = ["--out", str(tmp_path / "out"), "--json"]
        assert run(["statement", "make", *words, *out]) == 0
        told += [Path(file) for file in json.loads(capsys.readouterr().out)["files"]]
    signed = [file for file in told if file.suffix == ".json"]
    assert len(set(told)) == len(told)
    for file, name in zip(signed, ("Cabinet du Parc", "Cabinet du parc"), strict=True):
        assert run(["statement", "verify", str(file), "--home", str(home.path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["structure"] == name


def test_usage_counts_what_the_vault_told(store: SqlStore) -> None:
    host = add_host(store, "serveur-fichiers")
    busy_vault(store, host, T0)
    with store.unit(host.structure, writes=False) as unit:
        found = usage(unit, "Cabinet A", month_of("2026-11", PARIS), T0)
    assert (found.hosts, found.held_bytes) == (1, 71_000_000_000)
