import datetime as dt

import msgspec

from releve.model import event as ev
from releve.model.host import Host, HostState
from releve.triage.hosts import step, with_vitals
from releve.triage.outlook import outlook

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
FACTS = ev.FolderFacts(
    folder="t1", label="1", mode="reflink", attribution="exact", room_bytes=10, held_bytes=5
)


def run(*events: ev.AnyEvent) -> HostState:
    state = HostState()
    for event in events:
        state = step(state, event)
    return state


def ready(*, enforce: bool = True) -> ev.GuardReady:
    return ev.GuardReady(seen_at=T0, folders=(FACTS,), enforce=enforce)


def test_a_baseline_shows_its_progress_until_the_guard_is_ready() -> None:
    progress = ev.BaselineAdvanced(
        seen_at=T0, folder="t1", phase="baseline", files=10, percent=40.0
    )
    state = run(progress)
    assert (state.guard, state.folders[0].percent) == ("starting", 40.0)
    state = step(state, ready())
    assert (state.guard, state.folders[0].percent) == ("enforcing", 100.0)
    assert state.folders[0].facts.mode == "reflink"


def test_watch_mode_is_not_protection() -> None:
    assert run(ready(enforce=False)).guard == "watching"


def test_a_window_belongs_to_its_folder() -> None:
    window = ev.WindowMeasured(
        seen_at=T0,
        folder="t1",
        saves=9,
        p50_ms=1,
        p99_ms=40,
        worst_ms=50,
        held_bytes=7,
        room_bytes=3,
    )
    folder = run(ready(), window).folders[0]
    assert (folder.p99_ms, folder.held_bytes, folder.room_bytes) == (40, 7, 3)


def test_a_failed_backup_keeps_the_last_good_one() -> None:
    good = ev.BackupRan(seen_at=T0, ok=True, ms=1)
    bad = ev.BackupRan(seen_at=T0 + dt.timedelta(hours=1), ok=False, ms=1)
    backup = run(good, bad).backup
    assert backup is not None
    assert (backup.ok, backup.last_good_at) == (False, T0)


def test_what_was_dropped_adds_up() -> None:
    state = run(ev.EventsDropped(seen_at=T0, count=3), ev.EventsDropped(seen_at=T0, count=4))
    assert state.events_dropped == 7


def host(seen: dt.datetime, guard: str) -> Host:
    return Host(
        id="h",
        structure="s",
        name="n",
        enrolled_at=T0,
        carries_care=True,
        last_seen_at=seen,
        state=HostState(guard=guard),
    )


def test_all_is_well_only_when_every_host_speaks_and_is_guarded() -> None:
    assert outlook((), (), 0, T0).state == "empty"
    assert outlook((whole(T0, "enforcing"),), (), 0, T0).state == "well"
    assert outlook((host(T0, "down"),), (), 0, T0).state == "action"
    later = T0 + dt.timedelta(minutes=4)
    assert outlook((host(T0, "enforcing"),), (), 0, later).concerns[0].kind == "silent"


def whole(seen: dt.datetime, guard: str) -> Host:
    """A host with all that protects it."""
    saved = run(ev.BackupRan(seen_at=T0, ok=True, ms=1), ev.DrillRan(seen_at=T0, ok=True))
    return msgspec.structs.replace(
        host(seen, guard), state=msgspec.structs.replace(saved, guard=guard)
    )


def test_what_protects_and_is_not_there_yet_is_named_and_nothing_is_called_well() -> None:
    def lacks(*hosts: Host) -> tuple[str, dict[str, int]]:
        told = outlook(hosts, (), 0, T0)
        return told.state, {c.kind: c.count for c in told.lacks}

    assert lacks(whole(T0, "watching")) == ("setup", {"observing": 1})
    assert lacks(whole(T0, "enforcing"), host(T0, "enforcing")) == (
        "setup",
        {"no_backup": 1, "no_drill": 1},
    )
    assert lacks(whole(T0, "starting")) == ("setup", {"starting": 1})
    assert lacks(whole(T0, "enforcing")) == ("well", {})


def test_a_structure_is_well_when_all_its_hosts_are_guarded_saved_and_drilled() -> None:
    def of(*hosts: Host) -> str:
        return outlook(hosts, (), 0, T0).mood

    assert of() == "setup"
    assert of(whole(T0, "enforcing")) == "well"
    assert of(whole(T0, "watching")) == "setup"
    assert of(whole(T0, "enforcing"), host(T0, "enforcing")) == "setup"
    assert of(whole(T0, "enforcing"), host(T0, "down")) == "down"
    failed = run(ev.BackupRan(seen_at=T0, ok=False, ms=1))
    bad = msgspec.structs.replace(failed, guard="enforcing")
    assert of(msgspec.structs.replace(host(T0, "enforcing"), state=bad)) == "watching"


def test_a_backup_that_fails_asks_for_a_person_after_a_day_or_when_a_folder_is_missing() -> None:
    def concerns(state: HostState, now: dt.datetime) -> list[str]:
        seen = msgspec.structs.replace(host(now, "enforcing"), state=state)
        return [c.kind for c in outlook((seen,), (), 0, now).concerns]

    hour = dt.timedelta(hours=1)
    good = ev.BackupRan(seen_at=T0, ok=True, ms=1)
    bad = ev.BackupRan(seen_at=T0 + hour, ok=False, ms=1, status=85, detail="status 85")
    lacks = ev.BackupRan(seen_at=T0 + hour, ok=False, ms=1, status=76, detail=ev.FOLDER_MISSING)
    assert concerns(run(good, bad), T0 + hour) == []
    assert concerns(run(good, bad), T0 + 25 * hour) == ["backup_late"]
    assert concerns(run(bad), T0 + hour) == ["backup_late"]
    assert concerns(run(good, lacks), T0 + hour) == ["backup_folder"]
    assert concerns(run(lacks, good), T0 + hour) == []
    for detail in (ev.SOURCE_MISSING, ev.SOURCE_EMPTY, ev.HOOK_FAILED):
        lacks = ev.BackupRan(seen_at=T0 + hour, ok=False, ms=1, status=157, detail=detail)
        assert concerns(run(good, lacks), T0 + hour) == [f"backup_{detail}"]
        assert concerns(run(lacks, good), T0 + hour) == []


def test_a_drill_that_failed_or_never_came_asks_for_a_person() -> None:
    def concerns(state: HostState, now: dt.datetime) -> list[str]:
        seen = msgspec.structs.replace(host(now, "enforcing"), state=state)
        return [c.kind for c in outlook((seen,), (), 0, now).concerns]

    day = dt.timedelta(days=1)
    expected = ev.DrillRan(seen_at=T0, ok=True, is_expected=True)
    good = ev.DrillRan(seen_at=T0 + day, ok=True, all_local_s=54.1, rpo_s=608)
    bad = ev.DrillRan(seen_at=T0 + 2 * day, ok=False, status=181)
    assert concerns(run(expected), T0 + 7 * day) == []
    assert concerns(run(expected), T0 + 9 * day) == ["drill_late"]
    assert concerns(run(expected, good), T0 + 9 * day) == []
    assert concerns(run(expected, good, expected), T0 + 10 * day) == ["drill_late"]
    assert concerns(run(expected, good, bad), T0 + 3 * day) == ["drill_failed"]
    assert concerns(run(expected, bad, good), T0 + 3 * day) == []
    drill = run(expected, good, bad).drill
    assert drill is not None
    assert (drill.last_good_at, drill.all_local_s) == (T0 + day, 54.1)


def test_a_demonstration_whose_guard_is_gone_is_over_and_nothing_is_called_well() -> None:
    ready = run(ev.GuardReady(seen_at=T0, folders=(FACTS,), enforce=True))
    runs = with_vitals(ready, guard_runs=True, is_demonstration=True)
    over = with_vitals(runs, guard_runs=False, is_demonstration=True)
    assert (runs.guard, over.guard, over.is_demonstration) == ("enforcing", "ended", True)
    host = Host(
        id="h",
        structure="s",
        name="h",
        enrolled_at=T0,
        carries_care=True,
        last_seen_at=T0,
        state=over,
    )
    assert outlook((host,), (), 0, T0).state == "ended"
    assert with_vitals(ready, guard_runs=False, is_demonstration=False).guard == "down"


def test_a_host_taken_in_without_folders_is_finished_when_its_agent_was_heard() -> None:
    heard = Host(
        id="h1", structure="s", name="accueil", enrolled_at=T0, carries_care=False, last_seen_at=T0
    )
    state = run(
        ready(),
        ev.BackupRan(seen_at=T0, ok=True, ms=1.0, snapshot_at=T0),
        ev.DrillRan(seen_at=T0, ok=True, drill="d", all_local_s=1.0),
    )
    server = msgspec.structs.replace(heard, id="h2", name="serveur", state=state)
    assert outlook([server], [], 0, T0).state == "well"
    assert outlook([server, heard], [], 0, T0).state == "setup", "it may have folders to come"
    told = with_vitals(HostState(), guard_runs=None, is_demonstration=False, has_no_folders=True)
    desk = msgspec.structs.replace(heard, state=told)
    assert outlook([server, desk], [], 0, T0).state == "well"
    never = msgspec.structs.replace(desk, last_seen_at=None)
    assert outlook([server, never], [], 0, T0).state == "today"
    assert outlook([desk], [], 0, T0).state == "setup", "nothing is protected at all"
