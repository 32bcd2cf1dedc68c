"""The engine with the real restic against the real rest-server."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from releve.adapters.restic import tools
from releve.adapters.restic.engine import Restic, pattern
from releve.apps.backup.state import State
from releve.flow.backup import (
    BackupIncompleteError,
    BackupRunningError,
    EngineStalledError,
    RepositoryMissingError,
    VaultRefusedError,
    VaultUnreachableError,
    VerificationFailedError,
    WrongPasswordError,
)

pytestmark = pytest.mark.restic


def repository(state: State):
    return state.engine()._repository


def restic(state: State, *words: str) -> subprocess.CompletedProcess[str]:
    """restic as a thief of the machine's credentials would call it."""
    engine = state.engine()
    command = [tools.find(tools.RESTIC).path, "--no-cache", *words]
    environment = engine._environment()
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_restore_is_identical_metadata_included(state, share, back_up, tmp_path):
    made = back_up()
    assert made.files >= 21
    before = {p.name: (p.read_bytes(), p.stat()) for p in (share / "lettres [2026]").iterdir()}
    into = tmp_path / "out"
    into.mkdir()
    brought = state.engine().restore(
        made.snapshot, str(share / "lettres [2026]"), str(into), lambda _: None
    )
    after = {p.name: (p.read_bytes(), p.stat()) for p in Path(brought).iterdir()}
    assert before.keys() == after.keys()
    for name, (content, status) in before.items():
        assert after[name][0] == content
        found = after[name][1]
        assert (status.st_mode, status.st_uid, status.st_mtime_ns) == (
            found.st_mode,
            found.st_uid,
            found.st_mtime_ns,
        )


def test_one_file_with_wildcards_in_its_name_is_exactly_that_file(state, share, back_up, tmp_path):
    made = back_up()
    wanted = share / "lettres [2026]" / "CR n°1 *.txt"
    brought = state.engine().restore(
        made.snapshot, str(wanted), str(tmp_path / "o"), lambda _: None
    )
    assert Path(brought).read_bytes() == wanted.read_bytes()
    assert len(list((tmp_path / "o").iterdir())) == 1
    into = io.BytesIO()
    state.engine().dump(made.snapshot, str(wanted), into)
    assert into.getvalue() == wanted.read_bytes()


def test_the_second_backup_sends_only_what_changed(back_up, share):
    back_up()
    (share / "neuf.txt").write_bytes(os.urandom(50_000))
    made = back_up()
    assert made.files_new == 1
    assert 50_000 <= made.bytes_added < 80_000


def test_progress_and_snapshots_are_told(state, back_up, share):
    told = []
    first = back_up(told)
    assert {progress.phase for progress in told} >= {"databases"}
    second = back_up()
    found = state.engine().snapshots()
    assert [s.id for s in found] == [first.snapshot, second.snapshot]
    assert str(share) in found[0].folders
    names = list(state.engine().ls(first.snapshot, str(share)))
    assert names[0] == str(share)
    assert str(share / "patients.db") in names
    assert list(state.engine().ls(first.snapshot, "/nowhere")) == []


def test_a_thief_of_the_credentials_deletes_nothing(state, back_up):
    made = back_up()
    for attack in (
        ["forget", "--prune", made.snapshot],
        ["forget", "--keep-last", "1", "--prune", "--unsafe-allow-remove-all"],
        ["prune"],
        ["key", "remove", "0000"],
    ):
        restic(state, *attack)
    assert [s.id for s in state.engine().snapshots()] == [made.snapshot]
    state.engine().check(read_data=True)


def test_a_thief_gets_no_other_machines_repository(state, server, back_up):
    back_up()
    server.add_user("other", "another password")
    kept = repository(state)
    stolen = msgspec.structs.replace(kept, url=server.url("other"))
    with pytest.raises(VaultRefusedError):
        Restic(stolen).snapshots()


def test_a_server_that_is_down_is_said_within_seconds(state, server, back_up):
    server.stop()
    begun = time.monotonic()
    with pytest.raises(VaultUnreachableError) as caught:
        back_up()
    assert time.monotonic() - begun < 5
    assert caught.value.remedy
    assert "does not answer" in state.load().error
    assert state.load().started_at is not None


def test_a_server_that_never_answers_is_given_up_within_seconds(state):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/host/"
        begun = time.monotonic()
        with pytest.raises(VaultUnreachableError):
            Restic(msgspec.structs.replace(repository(state), url=url)).snapshots()
        assert time.monotonic() - begun < 8


def test_a_wrong_credential_and_a_wrong_password_have_their_own_errors(state, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("nonsense")
    kept = repository(state)
    with pytest.raises(VaultRefusedError):
        Restic(msgspec.structs.replace(kept, http_password_file=str(wrong))).snapshots()
    with pytest.raises(WrongPasswordError):
        Restic(msgspec.structs.replace(kept, password_file=str(wrong))).snapshots()


def test_a_repository_that_is_not_there_is_said(state, server):
    url = server.url("host") + "elsewhere/"
    with pytest.raises(RepositoryMissingError):
        Restic(msgspec.structs.replace(repository(state), url=url)).snapshots()


def test_secrets_are_never_on_the_command_line(state):
    command = " ".join(state.engine()._command())
    secret = (state.folder / "http-password").read_text()
    assert secret not in command
    assert (state.folder / "password").read_text() not in command
    assert (state.folder / "password").stat().st_mode & 0o777 == 0o600
    assert state.folder.stat().st_mode & 0o777 == 0o700


def test_setting_up_again_keeps_the_repository_and_its_password(state):
    before = state.password_file.read_text()
    state.configure(state.config(), (state.folder / "http-password").read_text())
    assert state.engine().init() is False
    assert state.password_file.read_text() == before


def test_what_is_not_in_the_snapshot_is_said(state, back_up, tmp_path):
    made = back_up()
    with pytest.raises(VerificationFailedError):
        state.engine().restore(made.snapshot, "/nowhere/x", str(tmp_path / "o"), lambda _: None)


def test_a_folder_that_vanished_makes_the_backup_incomplete_not_silent(state, share, tmp_path):
    gone = str(tmp_path / "not mounted")
    with pytest.raises(BackupIncompleteError) as caught:
        state.run().run((str(share), gone), (), lambda _: None)
    assert caught.value.unread == (gone,)
    record = state.load()
    assert record.backup is not None
    assert record.good_at is None
    assert record.error


def test_two_backups_at_once_are_refused(state, back_up):
    with state.alone(), pytest.raises(BackupRunningError):
        back_up()


def test_a_child_that_makes_no_progress_is_ended(state, tmp_path):
    """A server that accepts, says the repository exists, then never answers restic."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_head_only, args=(listener, stop), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/host/"
        kept = msgspec.structs.replace(repository(state), url=url)
        begun = time.monotonic()
        with pytest.raises(EngineStalledError):
            Restic(kept, stall_s=1.5).snapshots()
        assert time.monotonic() - begun < 10
        stop.set()


def _answer_head_only(listener: socket.socket, stop: threading.Event) -> None:
    link, _ = listener.accept()
    link.recv(4096)
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    link.close()
    held = []  # the next ones get silence
    listener.settimeout(0.2)
    while not stop.is_set():
        try:
            held.append(listener.accept()[0])
        except TimeoutError:
            continue
        except OSError:
            break
    for link in held:
        link.close()


@pytest.mark.need("setpriv")
def test_after_kill_9_in_mid_backup_the_next_backup_is_whole(state, share, back_up):
    big = share / "images"
    big.mkdir()
    for number in range(12):
        (big / f"{number}.dcm").write_bytes(os.urandom(8_000_000))
    command = [sys.executable, "-m", "releve.apps.cli.main", "backup", "run", "--json"]
    command += ["--state", str(state.folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, process_group=0)
    try:
        with _in_mid_backup(lambda _restic: process.kill()):
            process.wait()  # restic goes with its master: setpriv --pdeathsig
    finally:
        process.kill()
        process.wait()
    made = back_up()
    assert made.files >= 33
    state.engine().check(read_data=True)


def test_kill_9_of_restic_itself_is_an_error_then_the_next_backup_works(state, share, back_up):
    (share / "big.dcm").write_bytes(os.urandom(60_000_000))
    config = state.config()
    with _in_mid_backup(psutil.Process.kill), pytest.raises(Exception, match="restic ended"):
        state.run().run(config.folders, config.exclude, lambda _progress: None)
    assert back_up().files >= 22
    state.engine().check()


def test_a_server_that_dies_in_mid_backup_is_said_soon_and_the_next_backup_is_whole(
    state, server, share, back_up
):
    (share / "big.dcm").write_bytes(os.urandom(120_000_000))
    stopped = []

    def stop_server(_restic):
        os.kill(server.pid, signal.SIGKILL)
        stopped.append(time.monotonic())

    config = state.config()
    with _in_mid_backup(stop_server), pytest.raises(VaultUnreachableError):
        state.run().run(config.folders, config.exclude, lambda _progress: None)
    assert time.monotonic() - stopped[0] < 20
    server.stop()
    server.start()
    url = server.url("host")
    state.configure(
        msgspec.structs.replace(config, url=url), (state.folder / "http-password").read_text()
    )
    assert back_up().files >= 22
    state.engine().check(read_data=True)


@contextlib.contextmanager
def _in_mid_backup(act):
    """`act(restic)` once a restic of ours has read some of the files; fails when none ever does.

    Restic tells of its progress twice a second: on a quick disk all is read before it does.
    """
    done, ended = threading.Event(), threading.Event()

    def look():
        while not done.is_set() and not ended.wait(0.001):
            for one in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    words, read = one.cmdline(), one.io_counters().read_chars
                    if one.name() == "restic" and "backup" in words and read > 5_000_000:
                        act(one)
                        done.set()
                        return

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield
    finally:
        ended.set()
        looker.join()
    assert done.is_set(), "the backup ended before anything could be done in its middle"


@pytest.mark.parametrize(
    ("path", "wanted"), [("/a/b.txt", "/a/b.txt"), ("/[x]/*?\\", "/\\[x\\]/\\*\\?\\\\")]
)
def test_a_path_becomes_the_pattern_of_itself_only(path, wanted):
    assert pattern(path) == wanted
