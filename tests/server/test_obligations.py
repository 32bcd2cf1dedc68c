"""Legal clocks and dossiers as they are kept: on both databases, through kills and clocks set back."""

import datetime as dt
import hashlib
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import docx
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.adapters.sql import tables as t
from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.apps.console.dossier_files import KINDS, file_of
from releve.apps.server import wiring
from releve.flow.server import dossiers, duties, obligations
from releve.flow.server.dossiers import Who
from releve.model.obligation import Decision, State
from releve.model.structure import StructureKind
from tests.server.declared import FORMS, LAW, attacked, declare
from tests.server.vaults import busy_vault
from tests.server.world import T0, Running, add_host

HOUR = dt.timedelta(hours=1)
ROOT = Path(__file__).parents[2]
CNIL = dossiers.form_of(FORMS, "cnil-initial")


def sent(state: State = State.DONE, hours: float = 1, **more: str) -> Decision:
    return Decision(state=state, by="Anne", at=T0 + hours * HOUR, **more)


def test_declaring_starts_the_clocks_drafts_the_dossiers_and_is_in_the_trail(
    store: SqlStore,
) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident, answers={"personal_data": "yes"})
    with store.unit(host.structure, writes=False) as unit:
        clocks = {o.duty: o for o in unit.obligations(incident)}
        assert clocks.keys() == {"L1", "L4", "L13", "L14"}
        assert clocks["L1"].due_at == T0 + 72 * HOUR
        made = {form.id for form in FORMS if unit.dossier(incident, form.id)}
        assert made == {form.id for form in FORMS} - {"nis2-warning"}
        notification = unit.dossier(incident, "cnil-initial")
        assert notification.values["person_categories"] == "patients : environ 900"
        verbs = [entry.verb for entry in unit.trail()]
        assert verbs.count("declare") == 1
        assert verbs.count("dossier_make") == len(made)
        assert unit.trail_is_whole()


def test_each_telling_is_kept_and_adds_to_the_one_before(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(
        store, host.structure, incident, answers={"risk": "high"}, texts={"effects": "Attente."}
    )
    declare(store, host.structure, incident, by="Anne", answers={"patient_harm": "no"})
    with store.unit(host.structure, writes=False) as unit:
        told = unit.declaration(incident)
        assert (told.version, told.by) == (2, "Anne")
        assert told.answers == {"risk": "high", "patient_harm": "no"}
        assert told.texts == {"effects": "Attente."}
        assert told.aware_at == T0
        assert "L3" in {o.duty for o in unit.obligations(incident)}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"by": " "}, "who says so"),
        ({"answers": {"risk": "purple"}}, "no answer"),
        ({"answers": {"nonsense": "yes"}}, "no answer"),
        ({"aware_at": T0 + HOUR}, "future"),
        ({"first_signal": T0, "aware_at": T0 - HOUR}, "after it was known"),
    ],
)
def test_what_cannot_be_declared_so_changes_nothing(
    store: SqlStore, said: dict[str, object], why: str
) -> None:
    host, incident = attacked(store)
    with pytest.raises(obligations.DecisionIncompleteError, match=why):
        declare(store, host.structure, incident, **said)
    with store.unit(host.structure, writes=False) as unit:
        assert unit.declaration(incident) is None
        assert unit.obligations(incident) == []


def test_no_clock_of_an_incident_that_nobody_declared(store: SqlStore) -> None:
    host, incident = attacked(store)
    with store.unit(host.structure) as unit:
        with pytest.raises(duties.NotDeclaredError):
            obligations.send(unit, LAW, incident, "L1", sent(), login="a")
        with pytest.raises(duties.NotDeclaredError):
            dossiers.make(unit, LAW, CNIL, incident, Who(login="a", at=T0))
    with pytest.raises(duties.NotDeclaredError):
        declare(store, host.structure, "no-such-incident")


def test_a_partial_notification_starts_its_completion_which_ends_both(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        first = sent(State.PARTIAL, 1, reference="CNIL-1")
        obligations.send(unit, LAW, incident, "L1", first, login="claire")
        assert unit.obligation(incident, "L2").due_at == T0 + 73 * HOUR
        obligations.send(unit, LAW, incident, "L2", sent(hours=30, reference="CNIL-2"), login="c")
        known = {o.duty: o for o in unit.obligations(incident)}
        assert known["L2"].state is State.DONE
        assert known["L1"].state is State.DONE
        assert known["L1"].sent_at == T0 + HOUR
        seen = {
            look.obligation.duty: look.colour for look in duties.looks(unit, LAW, T0 + 100 * HOUR)
        }
        assert (seen["L1"], seen["L2"], seen["L13"]) == ("done", "done", "late")


def test_not_due_needs_a_reason_and_a_name_and_the_register_keeps_them(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        for reason, by in ((" ", "Anne"), ("données chiffrées", "")):
            decision = Decision(state=State.NOT_DUE, by=by, at=T0, reason=reason)
            with pytest.raises(obligations.DecisionIncompleteError):
                obligations.not_due(unit, LAW, incident, "L1", decision, login="claire")
        decision = Decision(state=State.NOT_DUE, by="Anne", at=T0, reason="données chiffrées")
        obligations.not_due(unit, LAW, incident, "L1", decision, login="claire")
        with pytest.raises(obligations.DutyUnknownError):
            obligations.not_due(unit, LAW, incident, "L9", decision, login="claire")
    with store.unit(host.structure, writes=False) as unit:
        (entry,) = duties.breach_register(unit, LAW, T0)
        assert [(d.duty, d.reason, d.decision.by) for d in entry.decisions] == [
            ("L1", "données chiffrées", "Anne")
        ]
        assert unit.trail()[0].verb == "not-due"
        assert unit.trail()[0].detail == "Anne: données chiffrées"


def test_a_reminder_is_told_once_though_the_server_s_clock_steps_back(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    random_hours = random.Random(7)
    told: Counter[tuple[str, str]] = Counter()
    for hours in [*(random_hours.uniform(-50, 90) for _ in range(60)), 200]:
        with store.unit(host.structure) as unit:
            for timer in obligations.tick(unit, T0 + hours * HOUR):
                assert timer.at <= T0 + hours * HOUR
                told[timer.duty, timer.mark] += 1
    marks = ("50", "75", "90", "late")
    expected = {(duty, mark) for duty in ("L1", "L13", "L14") for mark in marks}
    assert told == Counter(expected | {("L4", "orange"), ("L4", "red")})
    with store.unit(host.structure, writes=False) as unit:
        assert [e.verb for e in unit.trail()].count("remind") == len(told)
        assert {r.mark for r in unit.obligation(incident, "L1").reminders} == set(marks)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-200, 200), max_size=30))
def test_whatever_way_the_clock_steps_each_reminder_comes_once_and_never_early(
    steps: list[float],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(sqlite_url(Path(folder)))
        store = SqlStore(engine, Seal(b"k" * 32))
        host, incident = attacked(store, kind=StructureKind.HOSPITAL)
        declare(store, host.structure, incident)
        told: Counter[tuple[str, str]] = Counter()
        now = T0
        for step in [*steps, 200 * 32]:
            now += step * HOUR
            with store.unit(host.structure) as unit:
                fired = obligations.tick(unit, now)
            assert all(timer.at <= now for timer in fired)
            told.update((timer.duty, timer.mark) for timer in fired)
        engine.dispose()
    assert len(told) == 3 * 4 + 2 * 2
    assert set(told.values()) == {1}


def test_what_was_decided_is_reminded_of_no_more(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        obligations.send(unit, LAW, incident, "L1", sent(), login="claire")
        fired = obligations.tick(unit, T0 + 500 * HOUR)
    assert "L1" not in {timer.duty for timer in fired}
    assert "L13" in {timer.duty for timer in fired}


def test_a_clock_that_is_moved_does_not_tell_again_what_it_told(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident, first_signal=T0 - 9 * HOUR)
    with store.unit(host.structure) as unit:
        first = obligations.tick(unit, T0 + 40 * HOUR)
    assert ("L1", "50") in {(timer.duty, timer.mark) for timer in first}
    declare(store, host.structure, incident, aware_at=T0 - 8 * HOUR)
    with store.unit(host.structure) as unit:
        assert unit.obligation(incident, "L1").due_at == T0 + 64 * HOUR
        then = obligations.tick(unit, T0 + 47 * HOUR)
    assert [timer.mark for timer in then if timer.duty == "L1"] == ["75"]


def test_reminders_come_once_each_although_the_servers_that_tell_them_are_killed(
    tmp_path: Path,
) -> None:
    url = sqlite_url(tmp_path)
    engine = open_engine(url)
    store = SqlStore(engine, Seal(b"k" * 32))
    host, incident = attacked(store, kind=StructureKind.HOSPITAL)
    declare(store, host.structure, incident)
    chance = random.Random(11)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path)))}
    for _ in range(8):
        words = ["-m", "tests.server.declared", url, host.structure, "0.004"]
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, cwd=ROOT, env=environment, text=True
        )
        assert process.stdout.readline() == "ticking\n"
        time.sleep(chance.uniform(0.02, 0.4))
        process.kill()
        process.wait()
    with store.unit(host.structure) as unit:
        obligations.tick(unit, T0 + 500 * HOUR)
    with store.unit(host.structure, writes=False) as unit:
        clocks = unit.obligations(incident)
        told = Counter((c.duty, r.mark) for c in clocks for r in c.reminders)
        trail = Counter((e.object, e.detail) for e in unit.trail(most=1000) if e.verb == "remind")
        assert unit.trail_is_whole()
    assert len(told) == 3 * 4 + 2 * 2
    assert set(told.values()) == {1}
    assert {(f"obligation/{incident}/{duty}", mark): 1 for duty, mark in told} == dict(trail)
    engine.dispose()


def test_a_reminder_and_a_sending_at_once_are_both_kept(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    together = Barrier(2)

    def remind() -> None:
        together.wait()
        with store.unit(host.structure) as unit:
            obligations.tick(unit, T0 + 500 * HOUR)

    def send() -> None:
        together.wait()
        with store.unit(host.structure) as unit:
            obligations.send(unit, LAW, incident, "L1", sent(), login="claire")

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(remind), pool.submit(send)]:
            done.result()
    with store.unit(host.structure, writes=False) as unit:
        assert unit.obligation(incident, "L1").state is State.DONE
        assert unit.due_timers(T0 + 500 * HOUR) == []
        assert unit.trail_is_whole()


def test_the_running_server_tells_reminders_in_its_housekeeping(served: Running) -> None:
    host, incident = attacked(served.store)
    declare(served.store, host.structure, incident)
    now = served.context.clock.now()
    assert now > T0 + 4 * HOUR
    for _ in range(2):
        wiring._tidy(served.context, now)
    with served.store.unit(host.structure, writes=False) as unit:
        told = unit.obligation(incident, "L4").reminders
    assert [reminder.mark for reminder in told] == ["orange", "red"]


def test_a_dossier_is_edited_signed_and_its_receipt_attached_version_by_version(
    store: SqlStore,
) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        mine = dossiers.edit(
            unit, CNIL, incident, {"measures_after": "Coupé."}, Who(login="anne", at=T0, seen=1)
        )
        with pytest.raises(dossiers.DossierChangedError):
            dossiers.edit(unit, CNIL, incident, {}, Who(login="late", at=T0, seen=1))
        for nobody in (("", "gérante"), ("Dr Martin", " ")):
            with pytest.raises(obligations.DecisionIncompleteError):
                dossiers.sign(unit, LAW, CNIL, incident, nobody, Who(login="anne", at=T0))
        signed = dossiers.sign(
            unit, LAW, CNIL, incident, ("Dr Martin", "gérante"), Who(login="anne", at=T0, seen=2)
        )
        given = dossiers.attach(unit, CNIL, incident, "CNIL-77", b"%PDF", Who(login="anne", at=T0))
        versions = unit.dossier_versions(incident, "cnil-initial")
        assert [v.version for v in versions] == [4, 3, 2, 1]
        assert versions[-1].values["measures_after"] == ""
        assert unit.trail()[1].detail.endswith(signed.signature.sha256)
    assert mine.values["measures_after"] == "Coupé."
    assert given.signature == signed.signature
    assert given.receipt.sha256 == hashlib.sha256(b"%PDF").hexdigest()


def test_the_file_that_is_taken_away_carries_the_signed_bytes(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        who = Who(login="anne", at=T0)
        signed = dossiers.sign(unit, LAW, CNIL, incident, ("Dr Martin", "gérante"), who)
        dossiers.attach(unit, CNIL, incident, "CNIL-77", b"%PDF", who)
    with store.unit(host.structure, writes=False) as unit:
        newest = unit.dossier(incident, "cnil-initial")
        body = file_of(unit, LAW, CNIL, newest, "json")
        page = file_of(unit, LAW, CNIL, newest, "html").decode()
        assert file_of(unit, LAW, CNIL, newest, "pdf").startswith(b"%PDF")
        assert file_of(unit, LAW, CNIL, newest, "docx").startswith(b"PK")
    read = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    digest = hashlib.sha256(bytes(read["document"])).hexdigest()
    assert digest == signed.signature.sha256
    assert msgspec.json.decode(read["sha256"]) == digest
    assert digest in page
    assert "[À COMPLÉTER]" in page
    assert "CNIL-77" in page


def test_an_edit_after_signing_is_unsigned_and_the_signed_version_stays(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        who = Who(login="anne", at=T0)
        dossiers.sign(unit, LAW, CNIL, incident, ("Dr Martin", "gérante"), who)
        dossiers.edit(unit, CNIL, incident, {"end": "hier"}, who)
        newest, signed, _ = unit.dossier_versions(incident, "cnil-initial")
    assert newest.signature is None
    assert signed.signature is not None


def test_a_receipt_is_of_what_was_signed_and_an_edit_carries_neither(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        who = Who(login="anne", at=T0)
        with pytest.raises(obligations.DecisionIncompleteError, match="signed version"):
            dossiers.attach(unit, CNIL, incident, "CNIL-77", b"%PDF", who)
        dossiers.sign(unit, LAW, CNIL, incident, ("Dr Martin", "gérante"), who)
        dossiers.attach(unit, CNIL, incident, "CNIL-77", b"%PDF", who)
        edited = dossiers.edit(unit, CNIL, incident, {"end": "hier"}, who)
        assert (edited.signature, edited.receipt) == (None, None)
        with pytest.raises(obligations.DecisionIncompleteError, match="signed version"):
            dossiers.attach(unit, CNIL, incident, "CNIL-78", b"%PDF", who)
        assert unit.dossier_versions(incident, "cnil-initial")[1].receipt is not None


def word_text(body: bytes) -> str:
    word = docx.Document(io.BytesIO(body))
    cells = [c.text for table in word.tables for row in table.rows for c in row.cells]
    return "\n".join([*(p.text for p in word.paragraphs), *cells])


def test_the_account_stands_beside_the_signer_and_nothing_unseen_is_in_a_file(
    store: SqlStore,
) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        who = Who(login="anne-login", at=T0)
        dossiers.edit(unit, CNIL, incident, {"end": "hier\ufffe\x85\x01\u202e soir\u2069"}, who)
        signer = ("Dr\n Martin\uffff", "gé\x02rante\ufffe")
        made = dossiers.sign(unit, LAW, CNIL, incident, signer, who)
        made = dossiers.attach(unit, CNIL, incident, "N\x00\ufffe1", b"%PDF", who)
        files = {kind: file_of(unit, LAW, CNIL, made, kind) for kind in KINDS}
    said = "Dr Martin, gérante (compte : anne-login)"
    assert said in files["html"].decode()
    assert said in word_text(files["docx"])
    assert files["pdf"].startswith(b"%PDF")  # drawn from the HTML
    facts = msgspec.json.decode(files["json"])
    assert facts["signature"]["login"] == "anne-login"
    assert facts["receipt"]["reference"] == "N1"
    assert made.values["end"] == "hier soir"


@pytest.mark.parametrize("what", ["document", "unreadable", "values", "digest"])
def test_what_was_changed_in_the_database_is_not_served_as_signed(
    store: SqlStore, what: str
) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        who = Who(login="anne", at=T0)
        made = dossiers.sign(unit, LAW, CNIL, incident, ("Dr Martin", "gérante"), who)
        assert "Signé par" in file_of(unit, LAW, CNIL, made, "html").decode()
        said = made.signature
        changed = {
            "document": {"document": said.document.replace(b"patients", b"personne")},
            "unreadable": {"document": b"{", "sha256": hashlib.sha256(b"{").hexdigest()},
            "digest": {"sha256": "0" * 64},
            "values": {},
        }[what]
        values = made.values | ({"end": "jamais"} if what == "values" else {})
        said = msgspec.structs.replace(said, **changed)
        body = msgspec.json.encode(msgspec.structs.replace(made, values=values, signature=said))
        row = (t.dossier.c.kind == CNIL.id) & (t.dossier.c.version == made.version)
        unit._connection.execute(sa.update(t.dossier).where(row).values(body=body))
    with store.unit(host.structure) as unit:
        forged = unit.dossier(incident, CNIL.id)
        files = {kind: file_of(unit, LAW, CNIL, forged, kind) for kind in KINDS}
        page, word = files["html"].decode(), word_text(files["docx"])
        with pytest.raises(obligations.DecisionIncompleteError, match="signed version"):
            dossiers.attach(unit, CNIL, incident, "CNIL-77", b"%PDF", who)
        again = dossiers.sign(unit, LAW, CNIL, incident, ("Dr Martin", "gérante"), who)
        assert "Signé par" in file_of(unit, LAW, CNIL, again, "html").decode()
    for text in (page, word):
        assert "Modifié depuis la signature" in text
        assert "Signé par" not in text
    facts = msgspec.json.decode(files["json"])
    assert facts["modified_since_signature"]
    assert facts["signature"] is None
    assert facts["broken_signature"]["sha256"] == said.sha256


def test_making_again_with_nothing_new_makes_no_version(store: SqlStore) -> None:
    host, incident = attacked(store)
    declare(store, host.structure, incident)
    with store.unit(host.structure) as unit:
        who = Who(login="anne", at=T0)
        assert dossiers.make(unit, LAW, CNIL, incident, who).version == 1
        with pytest.raises(dossiers.DossierUnknownError):
            dossiers.form_of(FORMS, "nothing")


def test_the_facts_of_an_incident_of_a_vault_name_the_vault(store: SqlStore) -> None:
    host = add_host(store, "serveur")
    vault = busy_vault(store, host, T0)
    with store.unit(host.structure, writes=False) as unit:
        (incident,) = [i for i in unit.open_incidents() if vault.id in i.hosts]
    declare(store, host.structure, incident.id)
    with store.unit(host.structure, writes=False) as unit:
        case = duties.case_of(unit, LAW, incident.id, T0)
        (entry,) = duties.breach_register(unit, LAW, T0)
    assert "coffre" in case.hosts
    assert vault.id not in entry.facts
    assert "coffre" in entry.facts
