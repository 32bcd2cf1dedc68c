"""A recovery from the order to the ordinary folder: real restic, FUSE, overlayfs."""

import os
import random
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

from releve.adapters.linux import mounts
from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.state import Config, State
from tests.recover.practice import RELEVE, Recovery, kill, tree

# More, for a long look (bench/soak.py): each is another seed.
FIRST = int(os.environ.get("RELEVE_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("RELEVE_KILLS", "1")))


def test_an_untouched_recovery_ends_as_the_folder_that_was_backed_up(recovery):
    recovery.run(*recovery.words("--until-local"))
    report = recovery.finish()
    assert report["changed"] == report["new"] == report["deleted"] == report["doubtful"] == []
    assert report["verified"] == report["files"] == 306
    assert tree(recovery.target) == tree(recovery.source)
    assert mounts.mounted(str(recovery.target)) is None
    assert not list(recovery.home.path.glob("vault-*"))


def test_a_snapshot_is_named_by_its_whole_id_of_which_nobody_makes_a_second(recovery):
    recovery.begin()
    recovery.reached("first_write")
    shown = [path.name for path in Path(recovery.home.state().vault_point, "ids").iterdir()]
    assert shown == [recovery.home.asked().snapshot]
    assert len(shown[0]) == 64


def test_what_people_do_meanwhile_is_kept_and_told(recovery):
    recovery.begin()
    recovery.reached("first_write")
    patients = recovery.target / "patients"
    (patients / "001_NOM1_Jean/CR n°10 [a].doc").write_text("suite")
    (patients / "001_NOM1_Jean/CR n°11 [a].doc").unlink()
    (patients / "001_NOM1_Jean/CR n°12 [a].doc").rename(patients / "ailleurs.doc")
    (patients / "002_NOM2_Jean").rename(patients / "003_NOM3_Jean/dedans")
    subprocess.run(["rm", "-r", patients / "004_NOM4_Jean"], check=True)
    (patients / "004_NOM4_Jean").mkdir()
    (patients / "004_NOM4_Jean/nouveau.txt").write_text("n")
    (recovery.target / "vide").rmdir()
    (recovery.target / "logiciel").rename(recovery.target / "logiciel-ancien")
    recovery.reached("all_local")
    shown = tree(recovery.target)
    report = recovery.finish()
    assert tree(recovery.target) == shown, "the ordinary folder is what people saw"
    assert report["changed"] == ["patients/001_NOM1_Jean/CR n°10 [a].doc"]
    assert report["new"] == ["patients/004_NOM4_Jean/nouveau.txt"]
    assert len(report["renamed"]) == 12
    assert len(report["deleted"]) == 11
    assert report["doubtful"] == []
    listed = subprocess.run(
        ["getfattr", "-R", "-d", "-m", "trusted", str(recovery.target)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "overlay" not in listed.stdout


def test_a_database_is_asked_at_once_and_written_soon(recovery):
    recovery.begin()
    recovery.reached("database_query")
    with sqlite3.connect(recovery.target / "patients.db") as database:
        database.execute("INSERT INTO visit (note) VALUES ('pendant la reprise')")
    database.close()
    recovery.reached("all_local")
    report = recovery.finish()
    assert "patients.db" in report["changed"]
    with sqlite3.connect(recovery.target / "patients.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM visit").fetchone() == (8001,)
    database.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_vault_killed_again_and_again_loses_nothing_that_was_written(recovery, seed):
    chance = random.Random(seed)
    recovery.begin()
    recovery.reached("first_write")
    written, killed = {}, 0
    for number in range(3):
        name = f"ecrit-{number}.txt"
        (recovery.target / name).write_text(name * 100)
        written[name] = name * 100
        time.sleep(chance.random() * 0.4)
        if recovery.home.state().staged:
            break
        before = recovery.home.state().rebuilt
        kill(recovery.vault())
        killed += 1
        recovery.until(lambda before=before: recovery.home.state().rebuilt > before)
    recovery.reached("all_local")
    report = recovery.finish()
    assert report["doubtful"] == report["changed"] == report["deleted"] == []
    assert sorted(report["new"]) == sorted(written)
    assert {name: (recovery.target / name).read_text() for name in written} == written
    for name in written:
        (recovery.target / name).unlink()
    assert tree(recovery.target) == tree(recovery.source)
    print(f"{killed} kills: {{'fuse': {killed}}}")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_driver_killed_at_any_moment_goes_on_when_started_again(recovery, seed):
    chance, killed = random.Random(seed), 0
    for number in range(3):
        driver = recovery.begin()
        time.sleep(0.4 + chance.random() * 1.5)
        killed += driver.poll() is None
        driver.kill()
        driver.wait(10)
        if recovery.target.is_dir() and mounts.mounted(str(recovery.target)):
            (recovery.target / f"ecrit-{number}.txt").write_text("x")
    written = (
        {p.name for p in recovery.target.glob("ecrit-*")} if recovery.target.exists() else set()
    )
    recovery.run(*recovery.words("--until-local"))
    report = recovery.finish()
    assert set(report["new"]) == written
    assert report["doubtful"] == report["changed"] == []
    for name in written:
        (recovery.target / name).unlink()
    assert tree(recovery.target) == tree(recovery.source)
    print(f"{killed} kills: {{'driver': {killed}}}")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_hand_over_killed_at_any_moment_goes_on_and_is_never_shown_as_done(recovery, seed):
    recovery.run(*recovery.words("--until-local"))
    (recovery.target / "vide").rmdir()
    (recovery.target / "archives").rename(recovery.target / "rangees")
    shown = tree(recovery.target)
    chance, killed = random.Random(seed), 0
    for _ in range(3):
        command = [*RELEVE, "recover", "finish"]
        finishing = subprocess.Popen(
            [*command, str(recovery.target)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        time.sleep(0.2 + chance.random() * 0.8)
        killed += finishing.poll() is None
        finishing.kill()
        said = finishing.communicate()[0]
        assert (recovery.home.state().phase == "done") or not said
    if recovery.home.state().phase != "done":
        recovery.finish()
    assert tree(recovery.target) == shown
    print(f"{killed} kills: {{'hand_over': {killed}}}")


def test_people_write_all_the_time_and_nothing_of_it_is_lost(recovery):
    recovery.begin()
    recovery.reached("first_write")
    stop, kept = threading.Event(), {}

    def write(who: int) -> None:
        chance, number = random.Random(who), 0
        documents = sorted((recovery.source / "patients").rglob("*.doc"))[who::3]
        while not stop.is_set():
            name = documents[number % len(documents)].relative_to(recovery.source)
            content = os.urandom(chance.randrange(10, 5000))
            beside = recovery.target / name.parent / f"~{who}.tmp"
            beside.write_bytes(content)
            beside.replace(recovery.target / name)  # as office programs save
            kept[str(name)] = content
            number += 1
            time.sleep(0.005)

    writers = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for writer in writers:
        writer.start()
    recovery.reached("all_local")
    stop.set()
    for writer in writers:
        writer.join()
    report = recovery.finish()
    assert set(report["changed"]) == set(kept)
    assert report["new"] == report["deleted"] == report["doubtful"] == []
    for name, content in kept.items():
        assert (recovery.target / name).read_bytes() == content


def test_what_is_not_here_yet_is_an_error_without_the_vault_and_never_wrong_content(recovery):
    driver = recovery.begin()
    recovery.reached("first_write")
    driver.kill()
    driver.wait(10)
    if recovery.home.state().staged:
        pytest.skip("everything came home before the kill")
    kill(recovery.vault())
    whole, refused = 0, 0
    for path in sorted((recovery.source / "patients").rglob("*.doc")):
        twin = recovery.target / path.relative_to(recovery.source)
        try:
            assert twin.read_bytes() == path.read_bytes()
            whole += 1
        except OSError:
            refused += 1
    assert refused
    recovery.run(*recovery.words("--until-local"))
    recovery.finish()
    assert tree(recovery.target) == tree(recovery.source)


def test_a_program_that_writes_holds_the_hand_over_back_by_name(recovery):
    recovery.run(*recovery.words("--until-local"))
    with (recovery.target / "en-cours.txt").open("w") as file:
        said = recovery.run("finish", str(recovery.target), fails=True)
        assert f"({os.getpid()})" in said
        file.write("encore")
    recovery.finish()
    assert (recovery.target / "en-cours.txt").read_text() == "encore"


def test_a_byte_that_flips_is_doubtful_and_comes_back_from_the_vault(recovery):
    recovery.run(*recovery.words("--until-local"))
    victim = next((recovery.home.path / "stage/patients").rglob("*.doc"))
    facts = victim.stat()
    content = bytearray(victim.read_bytes())
    content[100] ^= 1
    victim.write_bytes(content)
    os.utime(victim, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    recovery.run("finish", str(recovery.target), fails=True)
    assert recovery.home.state().phase == "verifying"
    report = recovery.finish("--replace-doubtful")
    assert report["doubtful"] == []
    place = recovery.target / victim.relative_to(recovery.home.path / "stage")
    beside = place.with_name(f"{place.name}.douteux")
    assert beside.read_bytes() == bytes(content)
    beside.unlink()
    assert tree(recovery.target) == tree(recovery.source)


@pytest.mark.need("loop")
def test_a_full_disk_is_told_and_it_goes_on_when_there_is_room(recovery, tmp_path):
    image, disk = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(200_000_000)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    disk.mkdir()
    losetup = ["losetup", "--find", "--show", image]
    loop = subprocess.run(losetup, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["mount", loop, disk], check=True)
    try:
        room, ballast = os.statvfs(disk), disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - 22_000_000)
        recovery.target = disk / "cabinet"
        recovery.begin()
        recovery.reached("first_write")
        (recovery.target / "mot.txt").write_text("gardé")
        recovery.until(
            lambda: (told := recovery.home.progress()) is not None and told.short_of_room,
            seconds=90,
        )
        assert not recovery.home.state().staged
        assert (recovery.target / "archives/a1.zip").read_bytes() == (
            recovery.source / "archives/a1.zip"
        ).read_bytes()
        recovery.run("stop", str(recovery.target))
        subprocess.run(["umount", disk], check=True)
        # Room is made by a file that goes. To check and grow the file system, nobody might have it:
        # a mount namespace that another program began meanwhile keeps it after we unmounted it.
        subprocess.run(["mount", loop, disk], check=True)
        ballast.unlink()
        recovery.run("start", str(recovery.target), "--until-local")
        report = recovery.finish()
        assert report["new"] == ["mot.txt"]
        assert (recovery.target / "mot.txt").read_text() == "gardé"
    finally:
        recovery.close()
        subprocess.run(["umount", "-l", disk], check=False)
        subprocess.run(["losetup", "--detach", loop], check=True)


def test_a_folder_that_holds_something_is_never_covered(recovery):
    recovery.target.mkdir()
    (recovery.target / "reste.txt").write_text("r")
    assert "n'est pas vide" in recovery.run(*recovery.words(), fails=True)
    assert (recovery.target / "reste.txt").read_text() == "r"


def test_the_state_is_roots_alone_and_names_no_patient_in_the_progress(recovery):
    recovery.run(*recovery.words("--until-local"))
    assert recovery.home.path.stat().st_mode & 0o777 == 0o700
    assert "NOM" not in (recovery.home.path / "progress.json").read_text()
    assert "NOM" not in (recovery.home.path / "restic.log").read_text()
    assert Path(recovery.home.path / "report.json").exists() is False


def backed_up_with_databases(tmp_path: Path) -> Path:
    """Two databases in WAL mode that somebody has open, backed up by the command's own means."""
    source = tmp_path / "source"
    for name in ("a", "b"):
        (source / name).mkdir(parents=True)
    writers = []
    for name in ("a/un.db", "b/deux.db"):
        writer = sqlite3.connect(source / name)
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE visit (note TEXT)")
        writer.executemany("INSERT INTO visit VALUES (?)", [("x" * 500,)] * 4000)
        writer.commit()
        writers.append(writer)
        os.chown(source / name, 41001, 41000)
    with RestServer(str(tmp_path / "vault")) as server:
        state = State(str(tmp_path / "state"))
        config = Config(url=server.url("h"), user="h", folders=(str(source),))
        state.configure(config, server.add_user("h"))
        state.engine().init()
        state.run().run(config.folders, config.exclude, lambda _: None)
    for writer in writers:
        writer.close()
    (tmp_path / "repository").symlink_to(tmp_path / "vault/h")
    (tmp_path / "password").symlink_to(tmp_path / "state/password")
    return source


def test_databases_come_as_their_consistent_copies_also_when_their_folder_was_renamed(
    tmp_path, need
):
    need("root", "restic", "overlay")
    source = backed_up_with_databases(tmp_path)
    recovery = Recovery(tmp_path, source, tmp_path / "cabinet")
    try:
        recovery.begin()
        recovery.reached("first_write")
        (recovery.target / "b").rename(recovery.target / "c")
        (recovery.target / "b").mkdir()
        (recovery.target / "b/deux.db").write_bytes(b"autre chose")
        recovery.reached("all_local")
        report = recovery.finish()
    finally:
        recovery.close()
    assert report["doubtful"] == report["new"] == []
    assert report["changed"] == ["b/deux.db"]
    assert report["renamed"] == [["b/deux.db", "c/deux.db"]]
    names = sorted(path.name for path in recovery.target.rglob("*"))
    assert names == ["a", "b", "c", "deux.db", "deux.db", "un.db"]
    assert (recovery.target / "b/deux.db").read_bytes() == b"autre chose"
    for name in ("a/un.db", "c/deux.db"):
        assert (recovery.target / name).stat().st_uid == 41001
        with sqlite3.connect(recovery.target / name) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM visit").fetchone() == (4000,)
        database.close()
