"""Databases, images and commands of a backup: with real servers, restic and a rest-server."""

import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import msgspec
import pytest

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.restic import tee as tee_module
from releve.adapters.restic.engine import is_dump
from releve.adapters.restic.images import study_of
from releve.adapters.spool.sqlite import SqliteSpool
from releve.apps.backup.state import SystemClock
from releve.apps.cli.main import run
from releve.detect.guard_findings import find
from releve.flow.agent.backup import back_up_once
from releve.flow.backup import (
    BackupFolderMissingError,
    BackupHookFailedError,
    BackupSourceEmptyError,
    BackupSourceMissingError,
)
from releve.model.event import SOURCE_EMPTY
from releve.model.host import HostState
from releve.model.sources import (
    DicomSource,
    Hook,
    MariaDbSource,
    Pace,
    PostgresSource,
    SourcesManifest,
    SqliteSource,
    Want,
)
from releve.triage.hosts import step
from tests.backup.servers import mariadb, postgres, postgres_programs

pytestmark = pytest.mark.restic


@pytest.fixture(scope="module")
def pg_server():
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def my_server(tmp_path_factory):
    with mariadb(tmp_path_factory.mktemp("mariadb") / "server") as server:
        yield server


@pytest.fixture
def pg(need, request):
    need("postgres")
    return request.getfixturevalue("pg_server")


@pytest.fixture
def my(need, request):
    need("mariadb")
    return request.getfixturevalue("my_server")


@pytest.fixture
def pg_base(pg, request):
    name = "t" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    pg.sql(f"CREATE DATABASE {name}")
    yield name
    pg.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def configure(state):
    def change(**fields):
        state.reconfigure(msgspec.structs.replace(state.config(), **fields))

    return change


@pytest.fixture
def pg_source(state, pg, pg_base):
    secret = state.keep_source_password("dossiers", "*:*:*:*:s3cret\\:x\\\\y\n")
    return PostgresSource(
        name="dossiers", database=pg_base, user="postgres", host=str(pg.folder),
        programs=str(postgres_programs()), password_file=secret,
    )  # fmt: skip


@pytest.fixture
def my_source(state, my):
    secret = state.keep_source_password("agenda", '[client]\npassword="p\\"a\\\\ss"\n')
    return MariaDbSource(
        name="agenda", database="agenda", user="reader", socket=str(my.folder), password_file=secret
    )


def manifest_of(state, snapshot) -> SourcesManifest:
    into = io.BytesIO()
    state.engine().dump(snapshot, f"{state.folder}/releve-sources/sources.json", into)
    return msgspec.json.decode(into.getvalue(), type=SourcesManifest)


def content_of(state, dump) -> bytes:
    into = io.BytesIO()
    state.engine().dump(dump.snapshot, dump.path, into)
    return into.getvalue()


def dump_snapshots(state):
    found = [one for one in state.engine().everything() if is_dump(one.folders)]
    assert not [one for one in state.engine().snapshots() if is_dump(one.folders)]
    return found


PATIENTS = """CREATE TABLE patient (id serial PRIMARY KEY, nom text);
CREATE SCHEMA "Labo"; CREATE TABLE "Labo"."Résultat" (id int, valeur text);
INSERT INTO patient (nom) SELECT 'patient ' || g FROM generate_series(1, 3000) g;
INSERT INTO "Labo"."Résultat" SELECT g, repeat('x', 50) FROM generate_series(1, 500) g;"""


def test_a_postgresql_database_comes_back_with_the_rows_that_the_manifest_names(
    pg, pg_base, pg_source, state, configure, back_up, tmp_path
):
    pg.sql(PATIENTS, "-d", pg_base)
    configure(sources=(pg_source,))
    stop = threading.Event()

    def write():  # somebody works on during the dump: the numbers are of one state all the same
        while not stop.is_set():
            pg.sql("INSERT INTO patient (nom) VALUES ('arrive')", "-d", pg_base)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = back_up()
    finally:
        stop.set()
        writer.join()
    dump = manifest_of(state, made.snapshot).dumps[0]
    assert [one.id for one in dump_snapshots(state)] == [dump.snapshot]
    assert dump == made.dumps[0]
    assert dump.server_version.startswith("18")
    whole = content_of(state, dump)
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (dump.size, dump.sha256)
    file = tmp_path / "dump"
    file.write_bytes(whole)
    pg.sql(f"CREATE DATABASE back_{pg_base}")
    restore = [str(postgres_programs() / "pg_restore"), "-h", str(pg.folder), "-U", "postgres"]
    subprocess.run(
        [*restore, "-d", f"back_{pg_base}", str(file)],
        env={"PGPASSFILE": pg_source.password_file}, check=True, timeout=60,
    )  # fmt: skip
    assert set(dump.rows) == {"public.patient", "Labo.Résultat"}
    for table, words in (("public.patient", "patient"), ("Labo.Résultat", '"Labo"."Résultat"')):
        count = int(pg.sql(f"SELECT count(*) FROM {words}", "-d", f"back_{pg_base}"))
        assert (dump.rows[table].low, dump.rows[table].high) == (count, count)
    pg.sql(f"DROP DATABASE back_{pg_base}")


def test_a_mariadb_database_comes_back_with_as_many_rows_as_the_manifest_says(
    my, my_source, state, configure, back_up
):
    my.sql(
        "CREATE DATABASE agenda; USE agenda; CREATE TABLE `ren dez` (id INT PRIMARY KEY, t TEXT);"
    )
    rows = ",".join(f"({n}, 'l''heure {n}')" for n in range(1500))
    my.sql(f"INSERT INTO agenda.`ren dez` VALUES {rows}")
    configure(sources=(my_source,))
    first, again = back_up(), back_up()
    dump = again.dumps[0]
    whole = content_of(state, dump)
    assert hashlib.sha256(whole).hexdigest() == dump.sha256
    assert first.dumps[0].sha256 == dump.sha256, "an unchanged database gives the same dump"
    my.sql("DROP DATABASE agenda")
    my.sql(whole.decode())
    assert my.sql("SELECT COUNT(*) FROM agenda.`ren dez`") == "1500"
    assert (dump.rows["ren dez"].low, dump.rows["ren dez"].high) == (1500, 1500)
    my.sql("DROP DATABASE agenda")


def test_a_database_that_is_not_there_is_an_alert_and_the_rest_is_saved(
    pg_source, state, configure, back_up
):
    gone = msgspec.structs.replace(pg_source, database="nulle_part")
    configure(sources=(gone,))
    with pytest.raises(BackupSourceMissingError, match="nulle_part"):
        back_up()
    record = state.load()
    assert record.good_at is None
    assert record.backup.files > 20
    assert [(lack.source, lack.want) for lack in record.backup.lacks] == [
        ("dossiers", Want.MISSING)
    ]
    assert manifest_of(state, record.backup.snapshot).lacks == record.backup.lacks
    assert dump_snapshots(state) == []


@pytest.mark.parametrize("words", ["", "CREATE TABLE vide (id int);"])
def test_an_empty_database_is_an_alert_and_no_success(
    words, pg, pg_base, pg_source, state, configure, back_up
):
    if words:
        pg.sql(words, "-d", pg_base)
    configure(sources=(pg_source,))
    with pytest.raises(BackupSourceEmptyError):
        back_up()
    assert state.load().backup.lacks[0].want is Want.EMPTY


def children(of: int) -> dict[int, tuple[str, str]]:
    """Every living descendant: pid, command line, environment."""
    found, wanted = {}, {of}
    for _ in range(4):
        for place in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
                if parent in wanted:
                    wanted.add(int(place.name))
                    words = (place / "cmdline").read_bytes().decode(errors="replace")
                    found[int(place.name)] = (
                        words,
                        (place / "environ").read_bytes().decode(errors="replace"),
                    )
            except (OSError, IndexError):
                continue
    return found


def running(victim: str, of: int) -> list[int]:
    """The program itself, not those that were told its name."""
    found = {pid: words.split("\0") for pid, (words, _) in children(of).items()}
    at = 0 if victim == "pg_dump" else 2  # python -I tee.py
    return [
        pid
        for pid, words in found.items()
        if Path(words[at : at + 1][0] if words[at:] else "").name == victim
    ]


SLOW = """CREATE TABLE gros (id int, v text);
INSERT INTO gros SELECT g, md5(g::text) || md5((g+1)::text) FROM generate_series(1, {n}) g;"""


def started(state) -> subprocess.Popen:
    command = [sys.executable, "-m", "releve.apps.cli.main", "backup", "run", "--json"]
    return subprocess.Popen(
        [*command, "--state", str(state.folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def until(what, seconds=40.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found


def test_a_dump_killed_in_the_middle_is_an_error_and_no_snapshot_pretends_to_be_whole(
    pg, pg_base, pg_source, state, configure
):
    pg.sql(SLOW.format(n=400_000), "-d", pg_base)
    # Slow enough to be met in the middle.
    configure(sources=(pg_source,), pace=Pace(upload_kib_per_s=300))
    for victim in ("pg_dump", "tee.py"):
        backup = started(state)
        mine = until(lambda victim=victim, of=backup.pid: running(victim, of))
        time.sleep(0.2)
        os.kill(mine[-1], signal.SIGKILL)  # a grandchild of our own
        out, err = backup.communicate(timeout=100)
        assert backup.returncode == BackupSourceMissingError.status, (victim, err)
        told = json.loads(out.splitlines()[-1])
        assert [lack["want"] for lack in told["lacks"]] == ["missing"]
        assert told["dumps"] == []
        assert ("-9" if victim == "pg_dump" else "broke off") in told["lacks"][0]["why"]
    assert dump_snapshots(state) == []
    state.engine().check()


def test_no_secret_is_in_words_or_environment_of_any_process_of_a_backup(
    pg, pg_base, pg_source, my, my_source, state, configure
):
    pg.sql(SLOW.format(n=60_000), "-d", pg_base)
    my.sql(
        "CREATE DATABASE agenda; CREATE TABLE agenda.t (id INT); INSERT INTO agenda.t VALUES (1)"
    )
    configure(sources=(pg_source, my_source), pace=Pace(upload_kib_per_s=2000))
    secrets = {(state.folder / name).read_text().strip() for name in ("password", "http-password")}
    secrets |= {"s3cret:x", 'p"a\\ss', "s3cret%3Ax"}
    backup = started(state)
    seen: dict[str, str] = {}
    while backup.poll() is None:
        own = Path(f"/proc/{backup.pid}")
        try:
            seen["ours"] = (own / "cmdline").read_text() + (own / "environ").read_text()
        except OSError:
            break
        for words, environment in children(backup.pid).values():
            for program in ("pg_dump", "psql", "mariadb-dump", "tee.py", "restic"):
                if program in words:
                    seen[program] = seen.get(program, "") + words + environment
        time.sleep(0.01)
    out, err = backup.communicate(timeout=60)
    my.sql("DROP DATABASE agenda")
    assert backup.returncode == 0, err
    assert {"ours", "pg_dump", "tee.py", "restic"} <= seen.keys()
    for program, said in seen.items():
        assert not [secret for secret in secrets if secret in said], program
    told = out.decode() + err.decode() + (state.folder / "record.json").read_text()
    assert not [secret for secret in secrets if secret in told]


@pytest.fixture
def images(tmp_path):
    from pydicom import examples  # noqa: F401  (fails here, not below, when it is missing)

    folder = tmp_path / "dicom"
    folder.mkdir()
    return folder


def image(place: Path, study: str, *, syntax="1.2.840.10008.1.2.1", age_s: float = 3600) -> Path:
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence
    from pydicom.uid import UID, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = UID(syntax)
    dataset = FileDataset(str(place), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    inner, outer = Dataset(), Dataset()
    inner.CodeValue = "x"
    outer.PurposeOfReferenceCodeSequence = Sequence([inner])
    outer["PurposeOfReferenceCodeSequence"].is_undefined_length = True
    dataset.ReferencedImageSequence = Sequence([outer])
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.PatientName = "TEST^A"
    dataset.StudyInstanceUID = UID(study)
    pixels = os.urandom(2000)
    dataset.PixelData = encapsulate([pixels]) if "1.2.4." in syntax else pixels
    dataset["PixelData"].VR = "OW"
    dataset.save_as(place, enforce_file_format=True)
    then = time.time() - age_s
    os.utime(place, (then, then))
    return place


SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.90")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_study_of_an_image_is_read_from_its_head(images, syntax):
    assert study_of(str(image(images / "a.dcm", "1.2.3.44", syntax=syntax))) == "1.2.3.44"


@pytest.mark.parametrize(
    "content", [b"", b"DICM", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM\2\0\x10\0UI"]
)
def test_what_is_no_image_has_no_study(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert study_of(str(tmp_path / "a")) == ""


def test_images_are_counted_per_study_and_those_that_arrive_wait(state, configure, back_up, images):
    for number in range(3):
        image(images / f"a {number} $x [1].dcm", "1.2.3")
    image(images / "b.dcm", "4.5.6")
    source = DicomSource(name="scanner", folder=str(images), settle_s=3.0)
    configure(sources=(source,))
    time.sleep(3.2)  # what came before is settled, also by its change time
    image(images / "c $HOME* [2].dcm", "4.5.6")
    made = back_up()
    found = {one.study: one for one in manifest_of(state, made.snapshot).dicom[0].studies}
    assert (found["1.2.3"].files, found["1.2.3"].arriving) == (3, 0)
    assert (found["4.5.6"].files, found["4.5.6"].arriving) == (1, 1)
    there = {Path(p).name for p in state.engine().ls(made.snapshot, str(images))}
    assert {"a 0 $x [1].dcm", "b.dcm"} <= there
    assert "c $HOME* [2].dcm" not in there
    time.sleep(3.2)
    again = back_up()
    assert "c $HOME* [2].dcm" in {
        Path(p).name for p in state.engine().ls(again.snapshot, str(images))
    }


def test_a_store_of_images_that_is_gone_empty_or_gets_nothing_new_is_an_alert(
    state, configure, back_up, images
):
    source = DicomSource(name="scanner", folder=str(images), settle_s=0)
    configure(sources=(source,))
    with pytest.raises(BackupSourceEmptyError, match="no image"):
        back_up()
    image(images / "a.dcm", "1.2", age_s=8 * 86_400)
    with pytest.raises(BackupSourceEmptyError, match="nothing new for 7 days"):
        back_up()
    configure(sources=(msgspec.structs.replace(source, stale_days=0),))
    assert back_up().images[0].files == 1
    (images / "a.dcm").unlink()
    images.rmdir()
    with pytest.raises(BackupSourceMissingError, match="scanner"):
        back_up()


def test_a_folder_without_a_single_file_is_an_alert(state, configure, back_up, share, tmp_path):
    empty = tmp_path / "empty"
    (empty / "below").mkdir(parents=True)
    configure(folders=(str(share), str(empty)))
    with pytest.raises(BackupSourceEmptyError, match="empty"):
        back_up()
    empty.rename(tmp_path / "away")
    with pytest.raises(BackupFolderMissingError):
        back_up()


def test_a_named_sqlite_database_must_be_there_with_rows(state, configure, back_up, tmp_path):
    place = tmp_path / "elsewhere.data"
    source = SqliteSource(name="patients", path=str(place))
    configure(sources=(source,))
    with pytest.raises(BackupSourceMissingError):
        back_up()
    with sqlite3.connect(place) as database:
        database.execute('CREATE TABLE "vis""ite" (id INTEGER)')
    with pytest.raises(BackupSourceEmptyError):
        back_up()
    with sqlite3.connect(place) as database:
        database.executemany('INSERT INTO "vis""ite" VALUES (?)', [(n,) for n in range(7)])
    database.close()
    assert back_up().databases == 2
    kept = json.loads((state.folder / "releve-bases" / "databases.json").read_text())
    assert {copy["path"]: copy["rows"] for copy in kept["databases"]}[str(place)] == {'vis"ite': 7}


def test_commands_run_around_a_backup_and_their_failure_is_an_alert(
    state, configure, back_up, share, tmp_path
):
    before = Hook(command=("touch", str(share / "exported.csv")))
    after = Hook(command=("touch", str(tmp_path / "after")), when="after")
    configure(hooks=(before, after))
    made = back_up()
    assert str(share / "exported.csv") in set(state.engine().ls(made.snapshot, str(share)))
    assert (tmp_path / "after").exists()
    broken = Hook(command=("sh", "-c", "echo disque plein >&2; exit 3"))
    absent = Hook(command=("/nowhere/tool",), when="after")
    slow = Hook(command=("sh", "-c", "sleep 60 & wait"), timeout_s=0.3)
    configure(hooks=(broken, slow, absent))
    began = time.monotonic()
    with pytest.raises(BackupHookFailedError, match="disque plein"):
        back_up()
    assert time.monotonic() - began < 40
    said = [lack.why for lack in state.load().backup.lacks]
    assert len(said) == 3
    assert "not done after 0.3 s" in said[1]


def test_sources_are_added_tried_and_removed_by_words(
    state, pg, pg_base, capsys, monkeypatch, tmp_path
):
    def call(*words, status=0, typed=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        at = words.index("--") if "--" in words else len(words)
        options = ("--json", "--state", str(state.folder))
        assert run(["backup", *words[:at], *options, *words[at:]]) == status
        told = capsys.readouterr()
        return [json.loads(line) for line in told.out.splitlines()], told.err

    where = ("--database", pg_base, "--user", "postgres", "--host", str(pg.folder))
    programs = ("--programs", str(postgres_programs()), "--ask-password")
    call("sources", "add", "postgres", "dossiers", *where, *programs, typed="s3cret:x\\y\n")
    secret = state.folder / "sources" / "dossiers"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (state.folder / "config.json").read_text()
    assert call("sources", "test", status=24)[0][0]["lacks"][0]["want"] == "empty"
    pg.sql(PATIENTS, "-d", pg_base)
    assert call("sources", "test")[0] == [
        {"event": "source", "name": "dossiers", "ok": True, "lacks": []}
    ]
    secret.chmod(0o644)
    assert "others can read" in call("sources", "test", status=11)[0][0]["lacks"][0]["why"]
    call("sources", "add", "dicom", "dossiers", str(tmp_path), status=7)
    call("sources", "add", "sqlite", "No Name", "/x", status=7)
    call("sources", "add", "hook", "before", "--", "true")
    assert [one.get("name", one.get("when")) for one in call("sources", "list")[0]] == [
        "dossiers",
        "before",
    ]
    secret.chmod(0o600)
    call("run")
    brought = tmp_path / "brought.pgdump"
    told = call("sources", "bring", "dossiers", "--out", str(brought))[0][0]
    assert hashlib.sha256(brought.read_bytes()).hexdigest() == told["sha256"]
    assert brought.stat().st_mode & 0o777 == 0o600
    call("sources", "bring", "dossiers", "--out", str(brought), status=2)
    call("sources", "bring", "nobody", "--out", str(tmp_path / "x"), status=7)
    call("sources", "remove", "dossiers")
    call("sources", "remove", "before")
    call("sources", "remove", "dossiers", status=7)
    assert not secret.exists()
    assert call("sources", "list")[0] == []


def test_the_pace_is_kept_when_the_backup_is_set_up_again(state, capsys, share):
    assert (
        run(
            [
                "backup",
                "pace",
                "--every",
                "30",
                "--limit-upload",
                "500",
                "--state",
                str(state.folder),
            ]
        )
        == 0
    )
    config = state.config()
    where = ["--url", config.url, "--user", "host", "--folder", str(share)]
    secret = ["--http-password-file", str(state.folder / "http-password")]
    assert run(["backup", "setup", *where, *secret, "--state", str(state.folder)]) == 0
    assert state.config().pace == Pace(every_minutes=30, upload_kib_per_s=500)
    assert "--limit-upload" in state.engine()._command()
    assert "30 min" in capsys.readouterr().out


def test_a_backup_runs_behind_everybody_else(state, configure, tmp_path):
    seen = tmp_path / "nice"
    configure(hooks=(Hook(command=("sh", "-c", f"nice > {seen}")),), pace=Pace(nice=13))
    before = os.nice(0)
    assert run(["backup", "run", "--state", str(state.folder)]) == 0
    assert int(seen.read_text()) == 13
    if os.geteuid() == 0:
        assert os.nice(0) == before


def test_the_server_is_told_that_a_source_is_empty_as_the_agent_runs_it(
    state, configure, images, tmp_path
):
    configure(sources=(DicomSource(name="scanner", folder=str(images)),))
    spool = SqliteSpool(tmp_path / "agent.db")
    command = [sys.executable, "-m", "releve.apps.cli.main", "backup", "run"]
    command += ["--json", "--state", str(state.folder)]
    ran = anyio.run(back_up_once, ProcessCommands(), spool, SystemClock(), command)
    assert (ran.ok, ran.status, ran.detail) == (False, 24, SOURCE_EMPTY)
    finding = find(ran, host="h", identity="i")
    assert finding is not None
    assert (finding.kind, finding.why) == ("backup_failed", SOURCE_EMPTY)
    assert step(HostState(), ran).backup.source_lack == SOURCE_EMPTY


def test_the_server_is_told_how_much_was_kept_and_what_it_was_judged_to_be(
    state, configure, share, tmp_path
):
    for letter in (share / "lettres [2026]").iterdir():
        letter.write_bytes(os.urandom(400))
    configure()
    spool = SqliteSpool(tmp_path / "agent.db")
    command = [sys.executable, "-m", "releve.apps.cli.main", "backup", "run", "--judge"]
    command += ["--json", "--state", str(state.folder)]
    ran = anyio.run(back_up_once, ProcessCommands(), spool, SystemClock(), command)
    made = state.load().backup
    assert (ran.snapshot_at, ran.files, ran.bytes) == (made.at, made.files, made.bytes)
    assert (ran.ok, ran.verdict, ran.clean_at) == (False, "bad", None), "its letters are noise"
    kept = step(HostState(), ran).backup
    assert (kept.verdict, kept.clean_at, kept.files) == ("bad", None, made.files)


def test_a_dump_that_says_nothing_or_ends_badly_is_no_whole_dump(tmp_path):
    tee = Path(tee_module.__file__)
    for words, fine in (
        (["true"], False),
        (["echo", "x"], True),
        (["sh", "-c", "echo x; echo disque >&2; exit 3"], False),
        (["sh", "-c", "echo x; kill -9 $$"], False),
    ):
        report = tmp_path / "report"
        ended = subprocess.run(
            [sys.executable, "-I", str(tee), str(report), *words], capture_output=True, check=False
        )
        assert (ended.returncode == 0) is fine, words
        facts = json.loads(report.read_text())
        assert facts["sha256"] == hashlib.sha256(ended.stdout).hexdigest()
        assert report.stat().st_mode & 0o777 == 0o600
    assert facts["status"] == -9


def test_a_dump_whose_reader_is_gone_ends_its_program(tmp_path):
    mark = tmp_path / "pid"
    command = [sys.executable, "-I", tee_module.__file__, str(tmp_path / "report")]
    program = ["sh", "-c", f"echo $$ > {mark}; exec cat /dev/zero"]
    tee = subprocess.Popen([*command, *program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    tee.stdout.read(1 << 20)
    tee.stdout.close()
    assert tee.wait(20) != 0
    until(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists())
    assert not (tmp_path / "report").exists()


def test_a_backup_that_is_killed_is_made_whole_by_the_next(state, configure, share):
    (share / "gros.bin").write_bytes(os.urandom(24_000_000))
    configure(pace=Pace(upload_kib_per_s=2000))
    backup = started(state)
    until(
        lambda: [
            words
            for words, _ in children(backup.pid).values()
            if "gros" in words or "restic" in words
        ]
    )
    time.sleep(3)
    backup.kill()
    backup.communicate()
    assert state.engine().everything() == []
    configure(pace=Pace())
    assert run(["backup", "run", "--state", str(state.folder)]) == 0
    snapshot = state.engine().snapshots()[-1]
    into = io.BytesIO()
    state.engine().dump(snapshot.id, str(share / "gros.bin"), into)
    assert into.getvalue() == (share / "gros.bin").read_bytes()
    state.engine().check()
