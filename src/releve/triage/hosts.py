"""Events -> HostState, as a fold: what a host can and cannot do, as its own events tell it."""

import msgspec

from releve.model import event as ev
from releve.model.host import BackupState, DrillState, FolderState, HostState, Isolation, PaperState

_replace = msgspec.structs.replace

_RECOVERIES = 20
_LACKS = frozenset({ev.SOURCE_MISSING, ev.SOURCE_EMPTY, ev.HOOK_FAILED})


def step(  # noqa: C901, PLR0911, PLR0912  # one row per event is the point
    state: HostState, event: ev.AnyEvent
) -> HostState:
    """The state with the event in it; events of one host come in its own order."""
    state = _replace(state, told_at=event.seen_at)
    match event:
        case ev.GuardReady():
            folders = tuple(_ready(state, facts) for facts in event.folders)
            guard = "enforcing" if event.enforce else "watching"
            return _replace(state, guard=guard, folders=folders)
        case ev.BaselineAdvanced():
            return _advanced(state, event)
        case ev.WindowMeasured():
            return _measured(state, event)
        case ev.GuardWentDown():
            return _replace(state, guard="down", guard_restarts=state.guard_restarts + 1)
        case ev.BackupRan():
            return _replace(state, backup=_backed_up(state.backup, event))
        case ev.DrillRan():
            return _replace(state, drill=_drilled(state.drill, event))
        case ev.PaperKeyTold():
            return _replace(state, paper=PaperState(made_at=event.made_at, tried_at=event.tried_at))
        case ev.HostIsolated():
            return _replace(
                state, isolation=Isolation(since=event.since, until=event.until, by=event.by)
            )
        case ev.HostReleased():
            return _replace(state, isolation=None)
        case ev.RecoveryTold():
            others = tuple(r for r in state.recoveries if r.recovery != event.recovery)
            return _replace(state, recoveries=(*others, event)[-_RECOVERIES:])
        case ev.EventsDropped():
            return _replace(state, events_dropped=state.events_dropped + event.count)
        case ev.LinesUnreadable():
            return _replace(state, lines_unreadable=state.lines_unreadable + event.count)
        case (
            ev.FamilyStopped()
            | ev.FamilyRolledBack()
            | ev.GuardAlerted()
            | ev.OrderEnded()
            | ev.FileRestored()
        ):
            return state


def with_vitals(
    state: HostState,
    *,
    guard_runs: bool | None,
    is_demonstration: bool,
    has_no_folders: bool = False,
) -> HostState:
    """The state with what the agent says of itself. A demonstration that is over has no guard."""
    state = _replace(state, is_demonstration=is_demonstration, has_no_folders=has_no_folders)
    if guard_runs is False:
        return _replace(state, guard="ended" if is_demonstration else "down")
    return state


def _backed_up(before: BackupState | None, event: ev.BackupRan) -> BackupState:
    known = before or BackupState(at=event.seen_at, ok=event.ok, ms=event.ms)
    told = _replace(
        known,
        at=event.seen_at,
        ok=event.ok,
        ms=event.ms,
        last_good_at=event.seen_at if event.ok else known.last_good_at,
        folder_missing=event.detail == ev.FOLDER_MISSING,
        source_lack=event.detail if event.detail in _LACKS else "",
        is_harmed=not event.ok and event.verdict in ev.HARMED,
        verdict=event.verdict or known.verdict,
        clean_at=max(filter(None, (known.clean_at, event.clean_at)), default=None),
    )
    if event.snapshot_at is None:
        return told
    return _replace(
        told,
        files=event.files,
        bytes=event.bytes,
        bytes_added=event.bytes_added,
        databases=event.databases,
    )


def _drilled(before: DrillState | None, event: ev.DrillRan) -> DrillState:
    known = before or DrillState(since=event.seen_at)
    if event.is_expected or (event.drill and event.drill in (known.drill, known.good_drill)):
        return known
    if not event.ok:
        return _replace(known, at=event.seen_at, ok=False, drill=event.drill)
    return DrillState(
        since=known.since,
        at=event.seen_at,
        last_good_at=event.seen_at,
        drill=event.drill,
        good_drill=event.drill,
        first_file_s=event.first_file_s,
        patient_list_s=event.patient_list_s,
        databases_s=event.databases_s,
        all_local_s=event.all_local_s,
        rpo_s=event.rpo_s,
        rpo_judged=event.rpo_judged,
        files=event.files,
        bytes=event.bytes,
    )


def _ready(state: HostState, facts: ev.FolderFacts) -> FolderState:
    for old in state.folders:
        if old.facts.folder == facts.folder:
            held, room = facts.held_bytes or old.held_bytes, facts.room_bytes
            return _replace(
                old, facts=facts, percent=100.0, phase="", held_bytes=held, room_bytes=room
            )
    return FolderState(facts=facts, held_bytes=facts.held_bytes, room_bytes=facts.room_bytes)


def _advanced(state: HostState, event: ev.BaselineAdvanced) -> HostState:
    if not any(f.facts.folder == event.folder for f in state.folders):
        facts = ev.FolderFacts(
            folder=event.folder,
            label=str(len(state.folders) + 1),
            mode="",
            attribution="",
            room_bytes=0,
            files=event.files,
        )
        state = _replace(state, folders=(*state.folders, FolderState(facts=facts)))
    folders = tuple(
        _replace(
            f,
            percent=event.percent,
            phase=event.phase,
            held_bytes=max(f.held_bytes, event.held_bytes),
        )
        if f.facts.folder == event.folder
        else f
        for f in state.folders
    )
    guard = state.guard if event.phase == "rescan" else "starting"
    return _replace(state, folders=folders, guard=guard)


def _measured(state: HostState, event: ev.WindowMeasured) -> HostState:
    folders = tuple(
        _replace(
            f,
            saves=event.saves,
            p50_ms=event.p50_ms,
            p99_ms=event.p99_ms,
            worst_ms=event.worst_ms,
            held_bytes=event.held_bytes,
            room_bytes=event.room_bytes,
        )
        if f.facts.folder == event.folder
        else f
        for f in state.folders
    )
    return _replace(state, folders=folders)
