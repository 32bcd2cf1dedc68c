"""What a vault does by itself: durable, one keeper, nothing overdue in silence."""

import asyncio
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from releve.adapters.vault.records import Records
from releve.apps.cli.main import run as releve_run
from releve.apps.vault.keeping import Keeper, KeeperRunningError
from releve.apps.vault.opened import Vault
from releve.flow.vault import schedule
from releve.flow.vault.schedule import Job, Run
from releve.model.copies import Copy, CopyKind

S = 1_000_000_000
JOB = Job(name="j", words=("x",), every_s=100, patience_s=300, most_s=10, retry_s=5)
COPIES = [
    Copy(name="premier", kind=CopyKind.SOURCE, url="https://c/", secret_file="s"),
    Copy(name="second", kind=CopyKind.VAULT, url="https://d/", secret_file="s"),
    Copy(name="seau", kind=CopyKind.S3, url="https://e/", secret_file="s", bucket="b"),
]


def test_every_copy_is_brought_verified_and_a_bucket_probed():
    names = {job.name for job in schedule.jobs(COPIES)}
    copies = {name for name in names if name.startswith("copy-")}
    assert copies == {
        "copy-run:premier", "copy-verify:premier", "copy-verify:second",
        "copy-run:seau", "copy-verify:seau", "copy-probe:seau",
    }  # fmt: skip
    assert names - copies == {"views", "forecast", "seal", "scrub"}


@pytest.mark.parametrize("seed", range(5))
def test_a_job_is_always_due_again_within_its_time_and_a_success_ends_being_overdue(seed):
    chance = random.Random(seed)
    now, run = 0, Run(name="j", since_ns=0)
    for _ in range(200):
        now += chance.randrange(400) * S
        end = chance.choice([0, 1, None, "cut"])
        if schedule.next_ns(JOB, run) > now:
            continue
        run = schedule.began(run, now)
        if end == "cut":
            assert schedule.next_ns(JOB, run) <= now, "it goes on at once"
            continue
        now += S
        run = schedule.ended(run, end, "why", now)
        assert now < schedule.next_ns(JOB, run) <= now + 100 * S
        if end == 0:
            assert not schedule.is_overdue(JOB, run, now)
            assert not run.failures
    assert schedule.is_overdue(JOB, run, now + 301 * S)


@pytest.fixture
def data(tmp_path, capsys):
    place = tmp_path / "vault"
    assert releve_run(["vault", "init", "--name", "coffre", "--data", str(place)]) == 0
    capsys.readouterr()
    return place


def make_due(data, *names: str) -> Keeper:
    """All jobs known, those named due now, the others just done."""
    keeper = Keeper(Vault(data))
    now = keeper._vault.clock.now_ns()
    for job, run in keeper.known():
        changed = {"since_ns": now - 400 * S} if job.name in names else {"began_ns": now}
        keeper._put(msgspec.structs.replace(run, ended_ns=changed.get("began_ns", 0), **changed))
    return keeper


def runs(data) -> dict[str, Run]:
    return {run.name: run for run in Records(data / "schedule", Run).all()}


def notices(data) -> list[tuple[str, str]]:
    path = data / "notices.jsonl"
    told = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [(one["notice"], one["about"]) for one in told]


def test_due_jobs_are_done_and_what_became_of_them_is_kept(data, capsys):
    keeper = make_due(data, "forecast", "views")
    assert sorted(asyncio.run(keeper.once())) == ["forecast", "views"]
    assert asyncio.run(keeper.once()) == []
    assert releve_run(["vault", "schedule", "--data", str(data), "--json"]) == 0
    told = {j["name"]: j for j in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (told["forecast"]["status"], told["forecast"]["overdue"]) == (0, False)
    assert told["forecast"]["next_ns"] > told["forecast"]["last_ok_ns"] > 0


def test_a_job_that_fails_or_is_overdue_is_told(data, tmp_path, capsys):
    secret = tmp_path / "secret"
    secret.write_text("n\ns\n")
    words = ["--kind", "source", "--url", "http://127.0.0.1:9/", "--secret-file", str(secret)]
    words += ["--public-key", "ab" * 32, "--data", str(data)]
    assert releve_run(["vault", "copy", "add", "premier", *words]) == 0
    keeper = make_due(data, "copy-run:premier")
    old = keeper.find("copy-run:premier")[1]
    keeper._put(msgspec.structs.replace(old, since_ns=old.since_ns - 27 * 3600 * S))
    assert asyncio.run(keeper.once()) == ["copy-run:premier"]
    kept = runs(data)["copy-run:premier"]
    assert (kept.status, kept.failures) == (123, 1)
    assert "cannot be used" in kept.said
    assert {("job_failed", "copy-run:premier"), ("job_overdue", "copy-run:premier")} <= set(
        notices(data)
    )
    asyncio.run(keeper.once())
    assert len([n for n in notices(data) if n[0] == "job_overdue"]) == 1


def test_killed_in_the_middle_the_job_is_due_again_and_nothing_of_it_lives_on(data):
    make_due(data, "scrub")
    command = [sys.executable, "-m", "releve.apps.cli.main", "vault", "keep", "--data", str(data)]
    keeping = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        children = Path(f"/proc/{keeping.pid}/task/{keeping.pid}/children")
        _until(lambda: runs(data)["scrub"].began_ns and children.read_text().split())
        [child] = children.read_text().split()
        assert Keeper(Vault(data)).is_kept()
        assert releve_run(["vault", "keep", "--data", str(data)]) == KeeperRunningError.status
    finally:
        keeping.kill()
        keeping.wait(10)
    _until(lambda: _is_dead(child))
    cut = runs(data)["scrub"]
    assert cut.ended_ns < cut.began_ns
    keeper = Keeper(Vault(data))
    assert not keeper.is_kept()
    assert asyncio.run(keeper.once()) == ["scrub"]
    assert runs(data)["scrub"].status == 0


def test_the_unit_is_one_that_systemd_can_read(data, tmp_path, capsys):
    capsys.readouterr()
    assert releve_run(["vault", "unit", "--data", str(data)]) == 0
    text = capsys.readouterr().out
    assert f"--data {data}" in text
    if (verify := shutil.which("systemd-analyze")) is not None:
        place = tmp_path / "releve-vault.service"
        place.write_text(text)
        command = [verify, "verify", str(place)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "releve-vault.service" not in ran.stderr, ran.stderr


def _is_dead(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _until(true, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
