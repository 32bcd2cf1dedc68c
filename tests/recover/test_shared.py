"""The recovery over SMB: opened to named people only, what they opened kept, a killed server back."""

import datetime as dt
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from releve.adapters.linux import mounts
from releve.apps.recover.opened import OpenedJournal
from tests.recover.practice import RELEVE, Recovery

PASSWORD = "mot-de-passe-de-test"
PEOPLE = "accueil:x:41001:41000::/nonexistent:/bin/false\n"


class Inside:
    """A network and accounts of its own, so that nothing of this machine's is touched."""

    def __init__(self, tmp: Path) -> None:
        (tmp / "passwd").write_text(Path("/etc/passwd").read_text() + PEOPLE)
        (tmp / "group").write_text(Path("/etc/group").read_text() + "releve-share:x:41000:\n")
        setup = f"mount --bind {tmp}/passwd /etc/passwd; mount --bind {tmp}/group /etc/group"
        command = f"{setup}; ip link set lo up; echo ready; exec sleep 600"
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._holder = subprocess.Popen(
            [*words, "sh", "-c", command], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        self.words = ["nsenter", "-t", children.split()[0], "-m", "-n", "-p"]

    def run(self, *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [*self.words, *words]
        return subprocess.run(
            command, input=typed, capture_output=True, text=True, timeout=60, check=False
        )

    def smb(self, *commands: str, password: str = PASSWORD, words: tuple[str, ...] = ()) -> str:
        login = ["-U", f"accueil%{password}", "-p", "4450", *words, "//127.0.0.1/cabinet"]
        ran = self.run("smbclient", *login, "-c", "; ".join(commands))
        return ran.stdout + ran.stderr

    def close(self) -> None:
        """Everything in the namespace ends with its first process."""
        self._holder.kill()
        self._holder.communicate()


@pytest.fixture
def inside(tmp_path, need):
    need("samba", "namespaces", "overlay", "restic")
    made = Inside(tmp_path)
    yield made
    made.close()


@pytest.fixture
def shared(inside, made, tmp_path):
    """A recovery at the operator's, open to one person."""
    ours = [p for p in tmp_path.parents if p.is_relative_to(Path(tempfile.gettempdir()))]
    for folder in (tmp_path, *ours[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    root, source = made
    people = tmp_path / "people"
    added = inside.run(
        *RELEVE, "share", "user", "add", "accueil", "--home", str(people), typed=PASSWORD + "\n"
    )
    assert added.returncode == 0, added.stderr
    recovery = Recovery(root, source, tmp_path / "cabinet")
    words = [
        "--share",
        "cabinet",
        "--people-of",
        str(people),
        "--interface",
        "127.0.0.1",
        "--port",
        "4450",
    ]
    words += ["--at-operator", "cabinet-martin", "--background"]
    begun = inside.run(*RELEVE, "recover", *recovery.words(*words))
    assert begun.returncode == 0, begun.stderr
    yield recovery
    inside.run(*RELEVE, "recover", "stop", str(recovery.target))
    mounts.unseal(str(recovery.target))  # who stops means to go on; this folder is to be removed


def opened(recovery: Recovery) -> list[dict[str, str]]:
    file = recovery.home.path / "opened.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_person_works_over_smb_and_what_was_opened_is_kept_for_the_structure(
    inside, shared, tmp_path
):
    name = "patients/001_NOM1_Jean/CR n°10 [a].doc"
    got = tmp_path / "got"
    said = inside.smb(f'get "{name}" {got}'.replace("/", "\\", 2), "put /etc/hostname note.txt")
    assert got.read_bytes() == (shared.source / name).read_bytes(), said
    shared.reached("all_local")
    shared.until(lambda: {o["how"] for o in opened(shared)} >= {"read", "write"})
    lines = opened(shared)
    assert {"user": "accueil", "path": name, "how": "read"}.items() <= next(
        o for o in lines if o["path"] == name
    ).items()
    previous = ""
    for line in lines:  # none can be cut out or changed without it showing
        digest = line.pop("hash")
        assert line["previous"] == previous
        text = json.dumps(line | {"hash": ""}, ensure_ascii=False, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == digest
        previous = digest
    assert (shared.home.path / "opened.jsonl").stat().st_mode & 0o777 == 0o600
    now = dt.datetime.now(dt.UTC)
    OpenedJournal(shared.home).note("Dr Martin", "10.8.0.2", name, "read", now)
    told = inside.run(*RELEVE, "recover", "log", str(shared.target), "--json").stdout.splitlines()
    both = {(line["via"], line["token"]) for line in map(json.loads, told) if line["path"] == name}
    assert {via for via, _ in both} == {"smb", "browser"}, "one chain for both"
    assert len({token for _, token in both}) == 1
    finished = inside.run(*RELEVE, "recover", "finish", str(shared.target), "--json")
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["new"] == ["note.txt"]
    assert "note.txt" in inside.smb("ls"), "people go on in the ordinary folder"


def test_strangers_and_clear_text_stay_out(inside, shared):
    assert "LOGON_FAILURE" in inside.smb("ls", password="faux-mot-de-passe")
    old = inside.smb("ls", words=("-m", "SMB2_10"))  # knows no encryption
    assert "patients" not in old
    assert "NT_STATUS" in old
    assert "CR n" not in inside.smb("ls patients\\001_NOM1_Jean\\", words=("-N",), password="")


def test_a_killed_file_server_and_a_killed_vault_are_back_within_seconds(inside, shared):
    inside.smb("put /etc/hostname avant.txt")
    servers = inside.run("pgrep", "-f", "smbd.*configfile=.*/smb.conf").stdout.split()
    assert servers
    inside.run("kill", "-9", *servers)
    vault = shared.home.state().vault
    assert vault is not None
    inside.run("kill", "-9", str(vault.pid))
    until = time.monotonic() + 30
    while "avant.txt" not in (said := inside.smb("ls")):
        assert time.monotonic() < until, said
        time.sleep(0.2)
    assert "putting file" in inside.smb("put /etc/hostname apres.txt")
    shared.reached("all_local")
    finished = inside.run(*RELEVE, "recover", "finish", str(shared.target), "--json")
    report = json.loads(finished.stdout)
    assert report["new"] == ["apres.txt", "avant.txt"]
    assert report["doubtful"] == []
