"""Approvals: an intended bulk encryption goes through, and nothing else does."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from releve.adapters.linux import procfs
from releve.adapters.store.approvals import ApprovalFile, digest
from releve.model.approval import Approval
from releve.model.process import Process
from releve.respond.approvals import covering, is_genuine, sign
from tests.guard.ground import Ground, GuardRun, differences

_KEY = b"k" * 32
_NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
_USER = 61001


def approval(**changed: object) -> Approval:
    made = Approval(
        user=_USER,
        program="/usr/bin/gpg",
        program_sha256="aa",
        folder="/srv/share",
        until=_NOW + dt.timedelta(hours=1),
        by="root",
        made_at=_NOW,
    )
    return msgspec.structs.replace(made, **changed)


def covered(
    *approvals: Approval,
    user: int = _USER,
    programs: tuple[str, ...] = ("/usr/bin/gpg",),
    content: str = "aa",
    paths: tuple[str, ...] = ("/srv/share/a.txt",),
    now: dt.datetime = _NOW,
) -> bool:
    ran = [Process(n, 1, exe=exe) for n, exe in enumerate(programs)]
    found = covering(
        approvals, key=_KEY, user=user, programs=ran, digest=lambda _process: content, paths=paths, now=now
    )  # fmt: skip
    return found is not None


def test_what_was_approved_is_covered() -> None:
    assert covered(sign(approval(), _KEY))
    assert covered(sign(approval(folder="/srv/share/"), _KEY))


def test_a_signature_that_this_host_did_not_make_covers_nothing() -> None:
    good = sign(approval(), _KEY)
    assert is_genuine(good, _KEY)
    assert not covered(approval())
    assert not covered(sign(approval(), b"x" * 32))
    for changed in ({"user": 0}, {"folder": "/"}, {"until": _NOW + dt.timedelta(days=9)}):
        forged = msgspec.structs.replace(good, **changed)
        assert not covered(forged, user=forged.user)


def test_an_approval_ends() -> None:
    good = sign(approval(), _KEY)
    assert covered(good, now=good.until - dt.timedelta(seconds=1))
    assert not covered(good, now=good.until)


def test_a_replaced_program_is_not_the_approved_one() -> None:
    assert not covered(sign(approval(), _KEY), content="bb")
    assert not covered(sign(approval(), _KEY), content="")


def test_another_user_program_or_folder_is_not_covered() -> None:
    good = sign(approval(), _KEY)
    assert not covered(good, user=61002)
    assert not covered(good, programs=("/usr/bin/openssl",))
    assert not covered(good, programs=("/usr/bin/gpg", "/tmp/locker"))
    assert not covered(good, programs=())
    assert not covered(good, paths=("/srv/share2/a.txt",))
    assert not covered(good, paths=("/srv/share/a.txt", "/srv/other/b.txt"))


def ran(program: Path) -> Process:
    """A process that ran this very file and has ended."""
    st = program.stat()
    file = (st.st_dev, st.st_ino, st.st_ctime_ns)
    return Process(2**22 + 7, 1, uid=_USER, exe=str(program), exe_file=file)


def test_a_program_that_was_swapped_after_it_ran_is_not_the_one_under_its_path(
    tmp_path: Path,
) -> None:
    program, locker = tmp_path / "coffre", tmp_path / "locker"
    program.write_bytes(b"approved")
    locker.write_bytes(b"something else")
    kept = ApprovalFile(str(tmp_path))
    kept.add(approval(program=str(program), program_sha256=digest(str(program))))
    honest = ran(program)
    assert kept.covers(honest, [honest], ["/srv/share/a.txt"], _NOW)
    program.rename(tmp_path / "aside")
    locker.rename(program)
    false = ran(program)
    program.rename(tmp_path / "locker")
    (tmp_path / "aside").rename(program)  # the path holds the approved content again
    assert not kept.covers(false, [false], ["/srv/share/a.txt"], _NOW)
    unknown = Process(2**22 + 8, 1, uid=_USER, exe=str(program))
    assert not kept.covers(unknown, [unknown], ["/srv/share/a.txt"], _NOW)
    again = ran(program)
    assert not kept.covers(again, [again, false], ["/srv/share/a.txt"], _NOW)
    assert kept.covers(again, [again], ["/srv/share/a.txt"], _NOW)


def test_a_running_program_is_hashed_by_what_runs_and_not_by_its_path(tmp_path: Path) -> None:
    program = tmp_path / "coffre"
    shutil.copy("/bin/sleep", program)
    program.chmod(0o755)
    kept = ApprovalFile(str(tmp_path))
    kept.add(approval(program=str(program), program_sha256=digest(str(program))))
    running = subprocess.Popen([program, "30"])
    try:
        while procfs.exe(running.pid) != str(program):
            time.sleep(0.01)
        process = Process(running.pid, 1, uid=_USER, exe=str(program))
        process.exe_file = procfs.exe_file(running.pid)
        assert kept.covers(process, [process], ["/srv/share/a.txt"], _NOW)
    finally:
        running.kill()
        running.wait()
    shutil.copy("/bin/cat", tmp_path / "other")
    running = subprocess.Popen([tmp_path / "other"], stdin=subprocess.PIPE)
    try:
        while procfs.exe(running.pid) != str(tmp_path / "other"):
            time.sleep(0.01)
        # As it looks when another file was mounted over the approved path, for this process alone.
        process = Process(running.pid, 1, uid=_USER, exe=str(program))
        process.exe_file = procfs.exe_file(running.pid)
        assert not kept.covers(process, [process], ["/srv/share/a.txt"], _NOW)
    finally:
        running.kill()
        running.wait()
        if running.stdin is not None:
            running.stdin.close()


def test_the_file_is_private_and_a_damaged_line_covers_nothing(tmp_path: Path) -> None:
    program = tmp_path / "coffre"
    program.write_bytes(b"#!/bin/true\n")
    kept = ApprovalFile(str(tmp_path))
    kept.add(approval(program=str(program), program_sha256=digest(str(program))))
    head = ran(program)
    lines, key = tmp_path / "approvals.jsonl", tmp_path / "approval.key"
    assert (lines.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o600, 0o600)
    assert "root" in kept.covers(head, [head], ["/srv/share/a.txt"], _NOW)
    assert kept.covers(head, [head], [], _NOW) == ""
    with lines.open("ab") as file:
        file.write(b'{"user": 0, "folder": "/"\n\xff\n')
    assert len(kept.all()) == 1
    program.write_bytes(b"#!/bin/false\n")
    assert kept.covers(ran(program), [ran(program)], ["/srv/share/a.txt"], _NOW) == ""


_ENCRYPT = """
set -e
cd "{share}"
export GNUPGHOME={home}
find . -name "courrier*.txt" | sort | head -12 > "$GNUPGHOME/list"
while read -r name; do
  gpg -c --batch --quiet --pinentry-mode loopback --passphrase secret -o "$name.gpg" "$name"
  {after}
  rm "$name"
done < "$GNUPGHOME/list"
"""


class Clerk:
    """An ordinary user in the attackers' namespace who encrypts 12 letters and deletes them."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.before = ground.build(48, links=False)
        subprocess.run(["chown", "-R", f"{_USER}:61000", str(ground.share)], check=True)
        self.attackers = ground.attackers()
        # pytest's folders are closed to other users: the share is bound where he can go.
        bound = self.attackers.start(f"mount --bind '{ground.share}' /mnt")
        assert self.attackers.wait(bound) == 0

    def encrypts(self, *, after: str = ":") -> int:
        home = self.attackers.start(
            f"mount -t tmpfs none /media && mkdir -m 700 /media/gpg && chown {_USER} /media/gpg"
        )
        assert self.attackers.wait(home) == 0
        script = self.ground.logs / "encrypt.sh"
        script.write_text(_ENCRYPT.format(share="/mnt", home="/media/gpg", after=after))
        return self.attackers.start(
            f"exec setpriv --reuid {_USER} --regid 61000 --clear-groups sh -s < '{script}'"
        )

    def approve(self, program: str = "gpg", user: int = _USER, folder: str = "") -> Approval:
        done = subprocess.run(
            [sys.executable, "-m", "releve.apps.cli.main", "approve", "--user", str(user), "--program", program,
             "--folder", folder or str(self.ground.share), "--until", "1h",
             "--store", str(self.ground.store), "--json"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        return msgspec.json.decode(done.stdout, type=Approval)

    def encrypted(self) -> list[str]:
        return sorted(
            str(p.relative_to(self.ground.share)) for p in self.ground.share.rglob("*.gpg")
        )

    def gone(self) -> list[str]:
        return sorted(n for n in self.before if not os.path.lexists(self.ground.share / n))


@pytest.fixture
def clerk(ground_on: Callable[[str], Ground], need: Callable[..., None]) -> Clerk:
    need("namespaces")
    need("encryptors")
    ground = ground_on("btrfs")
    return Clerk(ground)


def began(clerk: Clerk) -> GuardRun:
    guard = clerk.ground.guard()
    guard.ready()
    return guard


@pytest.mark.root
def test_bulk_encryption_that_nobody_approved_is_stopped_and_undone(clerk: Clerk) -> None:
    guard = began(clerk)
    work = clerk.encrypts()
    assert guard.wait("rolled_back")["lost"] == []
    assert clerk.attackers.wait(work) != 0
    assert guard.all("stopped")[0]["user"] == str(_USER)
    time.sleep(0.3)
    assert clerk.gone() == []


@pytest.mark.root
def test_an_approved_bulk_encryption_goes_through_under_a_running_guard(clerk: Clerk) -> None:
    guard = began(clerk)
    given = clerk.approve()
    assert given.program == os.path.realpath(shutil.which("gpg") or "")
    assert clerk.attackers.wait(clerk.encrypts()) == 0
    said = guard.wait("alert", where=lambda line: line["kind"] == "approved")
    time.sleep(1)
    assert guard.all("stopped") == []
    assert "gpg" in json.dumps(said) or said["family"]
    assert len(clerk.encrypted()) == 12
    assert len(clerk.gone()) == 12
    assert guard.end() == 0


@pytest.mark.root
@pytest.mark.parametrize(
    "other", [{"user": 61002}, {"program": "openssl"}, {"folder": "Dossier 1"}], ids=str
)
def test_an_approval_of_something_else_does_not_cover_it(
    clerk: Clerk, other: dict[str, str | int]
) -> None:
    guard = began(clerk)
    if "folder" in other:
        other = {"folder": str(clerk.ground.share / str(other["folder"]))}
    clerk.approve(**other)  # type: ignore[arg-type]
    work = clerk.encrypts()
    assert guard.wait("rolled_back")["lost"] == []
    assert clerk.attackers.wait(work) != 0
    assert clerk.gone() == []


@pytest.mark.root
def test_an_approved_program_does_not_cover_another_that_runs_beside_it(clerk: Clerk) -> None:
    """A locker that also starts the approved program is still a locker."""
    guard = began(clerk)
    clerk.approve()
    work = clerk.encrypts(
        after='head -c 9000 /dev/urandom > "$name.locked"; head -c 9000 /dev/urandom > "$name"'
    )
    assert guard.wait("rolled_back")["lost"] == []
    assert clerk.attackers.wait(work) != 0
    time.sleep(0.3)
    assert [d for d in differences(clerk.before, clerk.ground.share) if "gone" in d] == []


@pytest.mark.root
def test_a_locker_that_was_mounted_over_the_approved_program_is_stopped(clerk: Clerk) -> None:
    """In a mount namespace of its own, which any user may make, every path can be another file."""
    guard = began(clerk)
    given = clerk.approve()
    real, gpg = clerk.ground.logs / "gpg", given.program
    shutil.copy(gpg, real)
    real.chmod(0o755)
    with real.open("ab") as file:
        file.write(b"not the same any more")  # behind the end of the program: it still runs
    mounted = clerk.attackers.start(f"mount --bind '{real}' '{gpg}'")
    assert clerk.attackers.wait(mounted) == 0
    work = clerk.encrypts()
    assert guard.wait("rolled_back")["lost"] == []
    assert clerk.attackers.wait(work) != 0
    assert guard.all("alert") == []
    time.sleep(0.3)
    assert clerk.gone() == []
