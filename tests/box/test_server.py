"""The commands of the box beside a server that runs: nothing needs a restart."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.linux import samba_proc
from releve.apps.box.errors import SambaRefusedError
from releve.apps.box.lab import Lab
from releve.apps.box.unit import unit

pytestmark = [pytest.mark.samba]


@pytest.fixture
def ground() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="rlv-ground-"))
    made.chmod(0o755)
    for name in ("cabinet", "compta"):
        (made / name).mkdir()
    yield made
    shutil.rmtree(made)


def unit_limits() -> tuple[str, ...]:
    """The capabilities that the systemd unit leaves, and no way to get more."""
    lines = unit(Path("/home")).splitlines()
    sets = [line.partition("=")[2] for line in lines if line.startswith("CapabilityBoundingSet=")]
    names = [word.removeprefix("CAP_").lower() for line in sets for word in line.split()]
    bound = ",".join(["-all", *(f"+{name}" for name in names)])
    return ("setpriv", "--bounding-set", bound, "--no-new-privs")


@pytest.fixture
def lab(ground: Path) -> Iterator[Lab]:
    with Lab(ground / "cabinet", wrap=unit_limits()) as made:
        yield made


def smb(lab: Lab, person: int, share: str, command: str = "ls") -> int:
    who = lab.people[person]
    words = ["smbclient", "-A", str(who.login), f"//{lab.server.address}/{share}", "-c", command]
    ran = subprocess.run(who.machine.run(*words), capture_output=True, timeout=30, check=False)
    return ran.returncode


def box(lab: Lab, *words: str, typed: str | None = None) -> object:
    said = lab.releve("share", *words, "--home", str(lab.home), "--json", typed=typed)
    return json.loads(said)


def soon(condition: object) -> bool:
    until = time.monotonic() + 8
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.1)
    return False


def test_shares_and_people_come_and_go_while_it_runs(lab: Lab, ground: Path) -> None:
    added = box(lab, "add", "compta", str(ground / "compta"), "--prepare", "--user", "accueil")
    assert added == {
        "name": "compta", "path": str(ground / "compta"), "group": Lab.GROUP, "users": ["accueil"],
        "as_found": False,
    }  # fmt: skip
    assert soon(lambda: smb(lab, 0, "compta") == 0)
    assert smb(lab, 1, "compta") != 0  # not hers
    assert smb(lab, 1, "cabinet") == 0
    status = box(lab, "status")
    assert isinstance(status, dict)
    assert status["running"]
    assert [share["name"] for share in status["shares"]] == ["cabinet", "compta"]
    assert status["users"] == ["accueil", "dr-martin"]

    box(lab, "remove", "compta")

    assert soon(lambda: smb(lab, 0, "compta") != 0)
    assert (ground / "compta").is_dir()
    assert [p.name for p in (lab.home / "protect.d").iterdir()] == ["cabinet.json"]

    box(lab, "user", "remove", "dr-martin")

    assert soon(lambda: smb(lab, 1, "cabinet") != 0)
    assert smb(lab, 0, "cabinet") == 0
    assert box(lab, "user", "list") == ["accueil"]


def test_a_client_is_blocked_and_let_back_by_command(lab: Lab) -> None:
    address = lab.people[0].machine.address
    held = box(lab, "block", address, "--hours", "1")
    assert isinstance(held, dict)
    assert held["address"] == address
    assert held["seconds_left"] == 3600
    status = box(lab, "status")
    assert isinstance(status, dict)
    assert [b["address"] for b in status["blocked"]] == [address]

    said = lab.releve("share", "unblock", address, "--json")

    assert json.loads(said) == {"address": address, "was_blocked": True}
    assert smb(lab, 0, "cabinet") == 0


def test_a_wrong_password_and_a_weak_one_are_refused(lab: Lab) -> None:
    with pytest.raises(SambaRefusedError, match="shorter"):
        box(lab, "user", "add", "accueil", typed="court\n")
    person = lab.people[0]
    words = [
        "smbclient",
        "-U",
        f"accueil%{'x' * 12}",
        f"//{lab.server.address}/cabinet",
        "-c",
        "ls",
    ]
    ran = subprocess.run(
        person.machine.run(*words), capture_output=True, text=True, timeout=30, check=False
    )
    assert "NT_STATUS_LOGON_FAILURE" in ran.stdout + ran.stderr


def test_a_new_password_replaces_the_old_one(lab: Lab) -> None:
    box(lab, "user", "add", "accueil", typed="un nouveau mot de passe\n")
    assert smb(lab, 0, "cabinet") != 0
    lab.people[0].login.write_text("username = accueil\npassword = un nouveau mot de passe\n")
    assert smb(lab, 0, "cabinet") == 0


def test_ending_the_server_ends_nobody_elses_processes(lab: Lab) -> None:
    """Told to end, smbd signals its whole process group: it must be a group of its own."""
    assert os.getpgid(lab.pid) == lab.pid
    assert os.getpgid(lab.pid) != os.getpgrp()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        lab.close()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_lab_leaves_nothing_behind(ground: Path) -> None:
    with Lab(ground / "cabinet") as lab:
        pid, name = lab.pid, lab.server.netns
        assert (Path("/run/netns") / name).exists()

    assert not (Path("/run/netns") / name).exists()
    assert not (Path("/etc/netns") / name).exists()
    assert not lab.home.exists()
    seen = samba_proc.look(pid)
    assert seen is None or seen.dead
    assert "accueil" not in Path("/etc/passwd").read_text()


def test_a_lab_that_was_killed_is_swept_and_a_living_one_is_not(lab: Lab, ground: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from releve.apps.box.lab import Lab\n"
        "lab = Lab(Path(sys.argv[1])); lab.__enter__(); print(lab.server.netns, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(ground / "compta")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    assert name.startswith("rlv-")

    removed = Lab.sweep()

    assert name in removed
    assert lab.server.netns not in removed
    assert not (Path("/run/netns") / name).exists()
    assert smb(lab, 0, "cabinet") == 0
