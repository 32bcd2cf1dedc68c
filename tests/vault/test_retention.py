"""Retention: by the vault's own time, with two people, and never the newest; attacks change nothing."""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.vault.journal import Journal
from releve.adapters.vault.layout import Config, Layout
from releve.adapters.vault.trash import Trash
from releve.apps.vault.opened import Vault
from releve.apps.vault.retaining import ClockNotTrustedError, Retaining
from releve.flow.vault import signoffs
from releve.flow.vault.retention import NotYetError
from releve.model.retention import Approval, Policy, Verdict
from releve.model.vault import Deed, Generation, Hold, ObjectKind, Receipt, Repository
from releve.recover.forecast import Level, forecast
from releve.recover.generations import decide
from releve.recover.witness import Clocks, Witness, why_not_trusted, witness
from tests.vault.conftest import Gate, address, objects_on

DAY = 86_400_000_000_000
HOUR = DAY // 24
START = 1_700_000_000_000_000_000  # 2023-11-14
WHOLE = (
    ObjectKind.CONFIG,
    ObjectKind.KEYS,
    ObjectKind.DATA,
    ObjectKind.INDEX,
    ObjectKind.SNAPSHOTS,
)


class Times:
    """The two clocks of a vault, set by the test."""

    def __init__(self) -> None:
        self.at = START
        self.wall_ahead = 0

    def now_ns(self) -> int:
        return self.at

    def wall_ns(self) -> int:
        return self.at + self.wall_ahead


class World:
    """A vault on disk with the journal of real entries, written at times of the test's choice."""

    def __init__(self, data: Path) -> None:
        self.times = Times()
        self.layout = Layout(data)
        self.layout.make()
        self.layout.save_config(Config(name="coffre", reserve_bytes=0))
        self.layout.key()
        self._count = 0

    def put(self, where: Repository, kinds: tuple[ObjectKind, ...] = WHOLE) -> list[Path]:
        """Objects of a repository with their receipts, as the gate leaves them."""
        paths, receipts = [], []
        for kind in kinds:
            self._count += 1
            content = f"{where} {kind} {self._count}".encode() * 50
            digest = hashlib.sha256(content).hexdigest()
            name = "config" if kind is ObjectKind.CONFIG else digest
            path = self.layout.object(where, kind, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            paths.append(path)
            receipts.append(
                Receipt(repository=where, kind=kind, name=name, size=len(content), sha256=digest)
            )
        self.add(*receipts)
        return paths

    def add(self, *entries: Receipt | Deed) -> None:
        journal = Journal(self.layout.journal, self.times.now_ns)
        journal.append(entries)
        journal.close()

    def pass_days(self, days: int) -> None:
        """Days go by; something comes in each day."""
        start, count = self.times.at, iter(range(1, days + 1))
        journal = Journal(self.layout.journal, lambda: start + next(count) * DAY)
        journal.append([Deed(what="vault:test:day")] * days)
        journal.close()
        self.times.at += days * DAY

    def vault(self) -> Vault:
        vault = Vault(self.layout.data)
        vault.journal._now_ns = self.times.now_ns
        return vault

    def retaining(self) -> Retaining:
        return Retaining(self.vault(), self.times)

    def people(self, *names: str) -> dict[str, Ed25519PrivateKey]:
        keys = {name: Ed25519PrivateKey.generate() for name in names}
        for name, key in keys.items():
            self.add(
                Deed(
                    what="person:approver:enrolled",
                    by=name,
                    about={"public_key": signoffs.public_hex(key)},
                )
            )
        return keys

    def verdicts(self) -> dict[str, Verdict]:
        plan = self.retaining().plan()
        return {each.generation.repository.generation: each.verdict for each in plan}


def repository(generation: str, host: str = "srv1") -> Repository:
    return Repository(structure="cabinet", host=host, generation=generation)


def sign(kept: Retaining, asked, name: str, key: Ed25519PrivateKey) -> Approval:
    text = kept.file_for_approvers(asked).statement.encode()
    return Approval(id=asked.id, approver=name, signature=signoffs.sign(key, text))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "vault")


@pytest.fixture
def old(world: World) -> World:
    """Two generations, the older one 14 months old; three people are enrolled."""
    world.keys = world.people("martin", "durand")
    world.put(repository("2023-11"))
    world.pass_days(420)
    world.put(repository("2025-01"))
    world.pass_days(2)
    return world


def test_a_generation_goes_after_the_wait_and_two_signatures_and_the_newest_stays(
    old: World,
) -> None:
    assert old.verdicts() == {"2023-11": Verdict.MAY_GO, "2025-01": Verdict.NEWEST}
    kept = old.retaining()
    asked = kept.request("A. Martin")
    with pytest.raises(NotYetError, match="wait"):
        kept.run(asked.id)
    assert kept.take(sign(kept, asked, "martin", old.keys["martin"])) == 1
    old.pass_days(8)
    with pytest.raises(NotYetError, match="1 of 2"):
        old.retaining().run(asked.id)
    assert old.retaining().take(sign(kept, asked, "durand", old.keys["durand"])) == 2
    assert [outcome.removed for outcome in old.retaining().run(asked.id, dry=True)] == [True]
    assert old.layout.repository(repository("2023-11")).is_dir()
    assert [outcome.removed for outcome in old.retaining().run(asked.id)] == [True]
    assert not old.layout.repository(repository("2023-11")).exists()
    assert list((old.layout.repos / ".trash").iterdir()) == []
    assert old.layout.repository(repository("2025-01")).is_dir()
    dropped = [known for known in old.vault().book.generations() if known.dropped_ns]
    assert [known.repository for known in dropped] == [repository("2023-11")]
    with pytest.raises(NotYetError, match="done"):
        old.retaining().run(asked.id)


def test_one_person_under_two_names_is_one_and_who_is_enrolled_later_does_not_count(
    old: World,
) -> None:
    kept = old.retaining()
    asked = kept.request("A. Martin")
    key = old.keys["martin"]
    old.add(
        Deed(
            what="person:approver:enrolled",
            by="petit",
            about={"public_key": signoffs.public_hex(key)},
        )
    )
    late = old.people("late")["late"]
    kept = old.retaining()
    assert kept.take(sign(kept, asked, "martin", key)) == 1
    assert kept.take(sign(kept, asked, "petit", key)) == 1
    assert kept.take(sign(kept, asked, "late", late)) == 1


def test_a_changed_statement_is_not_signed(old: World) -> None:
    kept = old.retaining()
    asked = kept.request("A. Martin")
    forged = msgspec.structs.replace(asked, by="somebody else")
    with pytest.raises(signoffs.SignatureError):
        kept.take(sign(kept, forged, "martin", old.keys["martin"]))


def test_a_hold_wins_even_over_a_signed_request_and_ends_by_two_people_only(old: World) -> None:
    kept = old.retaining()
    asked = kept.request("A. Martin")
    for name, key in old.keys.items():
        kept.take(sign(kept, asked, name, key))
    old.pass_days(8)
    kept = old.retaining()
    hold = kept.hold(
        Hold(id="h-1", structure="cabinet", host="srv1", reason="enquête", by="x", since_ns=0)
    )
    [outcome] = kept.run(asked.id)
    assert not outcome.removed
    assert "on_hold" in outcome.why
    assert old.layout.repository(repository("2023-11")).is_dir()
    release = kept.release(hold.id, reason="classée", by="x")
    assert kept.take(sign(kept, release, "martin", old.keys["martin"])) == 1
    assert old.verdicts()["2023-11"] is Verdict.ON_HOLD
    assert kept.take(sign(kept, release, "durand", old.keys["durand"])) == 2
    assert old.verdicts()["2023-11"] is Verdict.MAY_GO


def test_a_forged_entry_lifts_no_hold(old: World) -> None:
    hold = Hold(id="h-1", structure="cabinet", reason="enquête", by="x", since_ns=0)
    old.retaining().hold(hold)
    old.add(Deed(what="vault:hold:lifted", about={"id": "h-1"}))
    for name in old.keys:
        old.add(
            Deed(what="person:hold:release_signed", by=name, about={"id": "l-1", "signature": "00"})
        )
    assert old.verdicts()["2023-11"] is Verdict.ON_HOLD


def test_a_generation_that_changed_since_it_was_asked_stays(old: World) -> None:
    kept = old.retaining()
    asked = kept.request("A. Martin")
    for name, key in old.keys.items():
        kept.take(sign(kept, asked, name, key))
    old.put(repository("2023-11"), (ObjectKind.DATA,))
    old.pass_days(40)
    [outcome] = old.retaining().run(asked.id)
    assert not outcome.removed


def test_the_clock_set_to_2040_removes_nothing_and_is_refused(old: World) -> None:
    """A thief of the clock gains nothing, whether the vault follows it or not."""
    fresh = old.verdicts()
    old.put(repository("2025-02"))
    old.times.wall_ahead = 15 * 365 * DAY
    with pytest.raises(ClockNotTrustedError, match="away from the vault's"):
        old.retaining().request("thief")
    old.times.wall_ahead, old.times.at = 0, old.times.at + 15 * 365 * DAY
    # The vault's clock itself went (a restart of the machine with a false clock).
    assert old.verdicts() == {
        "2023-11": fresh["2023-11"],
        "2025-01": Verdict.YOUNG,
        "2025-02": Verdict.NEWEST,
    }
    with pytest.raises(ClockNotTrustedError, match="hours old"):
        old.retaining().request("thief")
    old.put(repository("2040-01"))  # and entries came in since: the silence still does not count
    assert old.verdicts()["2025-01"] is Verdict.YOUNG


def test_a_clock_before_the_last_entry_is_refused(old: World) -> None:
    old.times.at -= 10 * DAY
    with pytest.raises(ClockNotTrustedError, match="before the last entry"):
        old.retaining().request("x")


def test_forged_snapshots_and_generations_change_nothing_in_what_is_kept(world: World) -> None:
    """The forget attack: 13 good ones, then 12 forged ones that claim to be newer, older, of 2099."""
    good = [f"2024-{month:02}" for month in range(1, 13)] + ["2025-01"]
    for name in good:
        world.put(repository(name))
        world.pass_days(30)
    honest = world.verdicts()
    forged = [f"2099-{n:02}" for n in range(1, 5)] + [f"1999-{n:02}" for n in range(1, 5)]
    forged += [f"2025-01-{n}" for n in range(1, 5)]
    for name in forged:
        world.put(repository(name))
    for name in good:
        world.put(repository(name), (ObjectKind.SNAPSHOTS,) * 12)
    attacked = world.verdicts()
    kept = {name for name in good if honest[name] is not Verdict.MAY_GO}
    assert all(attacked[name] is not Verdict.MAY_GO for name in kept)
    assert kept == set(good)


def test_long_term_generations_keep_their_place_whatever_is_begun_beside_them() -> None:
    def known(name: str, at_ns: int) -> Generation:
        return Generation(
            repository=repository(name), first_ns=at_ns, last_ns=at_ns, objects=9, bytes=9
        )

    true = [known(f"g{n}", START + n * 31 * DAY) for n in range(36)]
    forged = [known(f"f{n}", start.first_ns - HOUR) for n, start in enumerate(true)]
    now = START + 80 * 31 * DAY
    seen, policy = Witness(now_ns=now, last_ns=now), Policy(every_months=3)
    names = {each.repository for each in (*true, *forged)}

    def long_term(generations: list[Generation]) -> set[Repository]:
        decided = decide(generations, names, [], policy, seen)
        return {d.generation.repository for d in decided if d.verdict is Verdict.LONG_TERM}

    assert len(long_term(true)) >= 11
    assert long_term(true) <= long_term([*true, *forged])


@pytest.mark.parametrize(
    ("clocks", "why"),
    [
        (Clocks(vault_ns=START + HOUR, wall_ns=START + HOUR), ""),
        (Clocks(vault_ns=START + HOUR, wall_ns=START - HOUR), "before the last entry"),
        (Clocks(vault_ns=START + HOUR, wall_ns=START + HOUR + DAY), "away from"),
        (Clocks(vault_ns=START + 9 * DAY, wall_ns=START + 9 * DAY), "hours old"),
        (Clocks(vault_ns=START + HOUR, wall_ns=START + HOUR, stepped_ns=START), "stepped"),
        (
            Clocks(vault_ns=START, wall_ns=START, sources=(("a", 0), ("b", None))),
            "1 of the clock sources",
        ),
        (Clocks(vault_ns=START, wall_ns=START, sources=(("a", 0), ("b", DAY))), "b says"),
        (Clocks(vault_ns=START, wall_ns=START, sources=(("a", 0), ("b", 1))), ""),
    ],
)
def test_the_clock_is_believed_only_when_nothing_speaks_against_it(
    clocks: Clocks, why: str
) -> None:
    said = why_not_trusted(clocks, witness([START], clocks.vault_ns, 72 * HOUR), 72 * HOUR)
    assert why in said if why else said == ""


def _removed_until_killed(data: Path, where: Repository, step: int) -> bool:
    """In a child that is killed (-9) before its `step`-th change of the disk; True when it was."""
    child = os.fork()
    if not child:
        vault, left = Vault(data), iter(range(step))

        def before(name: str, _: object) -> None:
            if name in {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "fcntl.flock"}:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(before)
        Trash(vault.layout, vault.add).remove(where, "r-1")
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_at_any_step_of_a_removal_leaves_a_state_that_is_finished_later(
    tmp_path: Path,
) -> None:
    kills, killed, step = 0, True, 0
    while killed:
        world = World(tmp_path / str(step))
        victim, other = repository("2023-11"), repository("2025-01")
        world.put(victim)
        world.put(other)
        killed = _removed_until_killed(world.layout.data, victim, step)
        kills, step = kills + killed, step + 1
        Retaining(world.vault(), world.times).resume()
        stands = world.layout.repository(victim).exists()
        known = {g.repository: g.dropped_ns for g in world.vault().book.generations()}
        assert stands == (not known[victim]), step
        assert not stands or len(list(world.layout.repository(victim).rglob("*"))) >= 9
        trash = world.layout.repos / ".trash"
        assert not trash.exists() or not list(trash.iterdir())
        assert world.layout.repository(other).is_dir()
    assert kills >= 12


def test_the_forecast_follows_the_receipts_and_a_surge_does_not_hide(world: World) -> None:
    where = repository("2025-01")

    def received(days_ago: float, size: int) -> Receipt:
        at = START - int(days_ago * DAY)
        return Receipt(
            repository=where,
            kind=ObjectKind.DATA,
            name="a" * 64,
            size=size,
            sha256="",
            received_ns=at,
        )

    usual = [received(day + 0.5, 1000) for day in range(1, 30)]
    calm = forecast(usual, START, 1_000_000)
    assert calm.level is Level.FINE
    assert not calm.hosts[0].is_surge
    surge = forecast([*usual, received(0.2, 200_000)], START, 1_000_000)
    assert surge.hosts[0].is_surge
    assert surge.level is Level.ALARM
    assert surge.days_left == 5.0
    assert forecast([], START, 5).days_left is None


@pytest.mark.restic
def test_the_forget_attack_with_real_snapshots_changes_nothing_that_is_kept(
    gate: Gate, host: str, tmp_path: Path
) -> None:
    """13 good snapshots, then 12 empty ones that say they are newer, older, of 2099; and a forget."""
    client, where = gate.client(gate.credential(host)), address(host)
    folder, empty = tmp_path / "good", tmp_path / "empty"
    folder.mkdir()
    empty.mkdir()
    client.begin(where)
    for number in range(13):
        (folder / "letter.txt").write_text(f"version {number}")
        client.restic(where, "backup", str(folder))
    before, plan = objects_on(gate, host), Retaining(gate.vault()).plan()
    dates = [f"2099-01-{day:02}" for day in range(1, 5)] + [
        f"1999-01-{day:02}" for day in range(1, 5)
    ]
    dates += [f"2026-12-{day:02}" for day in range(1, 5)]
    for date in dates:
        client.restic(where, "backup", "--time", f"{date} 00:00:00", str(empty))
    client.restic(where, "forget", "--keep-daily", "7", "--prune", check=False)
    after, now = objects_on(gate, host), Retaining(gate.vault()).plan()
    assert {name: after.get(name) for name in before} == before
    kept = {each.generation.repository: each.verdict for each in plan}
    assert {each.generation.repository: each.verdict for each in now} == kept
    snapshots = json.loads(client.restic(where, "snapshots", "--json").stdout)
    assert sum(str(folder) in row["paths"] for row in snapshots) == 13
