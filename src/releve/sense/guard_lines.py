"""The guard's JSON lines -> events that may leave the host."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from releve.model import event as ev
from releve.model import lines
from releve.sense.indicators import Indicator, added_extensions, notes
from releve.sense.path_token import PathKey, hide, hide_program, scrub, token_of

SOURCE = "guard"
MOST_PATHS = 200  # of one kind in one event; the counts stay whole
MOST_REASONS = 50

_decode = msgspec.json.Decoder(lines.GuardLine).decode


class Sensed(msgspec.Struct, frozen=True, kw_only=True):
    """The event, and the clear names of its tokens, which stay on the host."""

    event: ev.GuardEvent
    names: tuple[tuple[str, str], ...] = ()  # (token, clear path)


def parse(
    record: bytes, *, offset: int, key: PathKey, read_at: dt.datetime
) -> Sensed | ev.Unreadable:
    """One line as an event; `read_at` stands in where the guard gave no time."""
    try:
        line = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec's messages name types and positions, never contents.
        return ev.Unreadable(source=SOURCE, offset=offset, why=str(error))
    seen_at = _time(getattr(line, "at", ""), read_at)
    return Sensed(event=_event(line, key, seen_at), names=tuple(_names(line, key)))


def _event(line: lines.GuardLine, key: PathKey, at: dt.datetime) -> ev.GuardEvent:
    match line:
        case lines.Progress():
            return ev.BaselineAdvanced(
                seen_at=at,
                folder=token_of(key.key, line.folder),
                phase=line.phase,
                files=line.files,
                percent=line.percent,
                held_bytes=line.bytes_held,
            )
        case lines.Ready():
            folders = tuple(_folder(f, n, key) for n, f in enumerate(line.folders, 1))
            return ev.GuardReady(seen_at=at, folders=folders, enforce=line.enforce)
        case lines.Stopped():
            return _stopped(line, key, at)
        case lines.RolledBack():
            return _rolled_back(line, key, at)
        case lines.Alert():
            return ev.GuardAlerted(
                seen_at=at,
                alert=line.kind,
                why=scrub(line.why, (line.folder,)),
                why_en=scrub(line.why_en, (line.folder,)),
                folder=token_of(key.key, line.folder) if line.folder else "",
                family=line.family,
            )
        case lines.Window():
            return ev.WindowMeasured(
                seen_at=at,
                folder=token_of(key.key, line.folder),
                saves=line.saves,
                p50_ms=line.p50_ms,
                p99_ms=line.p99_ms,
                worst_ms=line.worst_ms,
                held_bytes=line.held_bytes,
                room_bytes=line.room_bytes,
            )


def _folder(folder: lines.Folder, number: int, key: PathKey) -> ev.FolderFacts:
    return ev.FolderFacts(
        folder=token_of(key.key, folder.path),
        label=key.labels.get(folder.path, str(number)),
        mode=folder.mode,
        attribution=folder.attribution,
        room_bytes=folder.room_bytes,
        files=folder.files,
        held_bytes=folder.held_bytes,
        baseline_ms=folder.baseline_ms,
        can=tuple(scrub(s, (folder.path,)) for s in folder.can),
        cannot=tuple(scrub(s, (folder.path,)) for s in folder.cannot),
        can_en=tuple(scrub(s, (folder.path,)) for s in folder.can_en),
        cannot_en=tuple(scrub(s, (folder.path,)) for s in folder.cannot_en),
    )


def _stopped(line: lines.Stopped, key: PathKey, at: dt.datetime) -> ev.FamilyStopped:
    known = tuple(p.path for p in line.points)
    return ev.FamilyStopped(
        seen_at=at,
        family=line.family,
        action=line.action,
        reasons=tuple(_reason(p, key, known) for p in line.points[:MOST_REASONS]),
        first_write_to_stop_ms=line.first_write_to_stop_ms,
        files_touched=line.files_touched,
        # "(pendant l'arrêt)": no program's name, the guard saw nobody.
        program="" if line.program.startswith("(") else hide_program(key, line.program),
        user=line.user,
        client=line.client,
        indicators=tuple(token for token, _ in _indicators(line)),
    )


def _reason(point: lines.Point, key: PathKey, known: Iterable[str]) -> ev.Reason:
    return ev.Reason(
        why=scrub(point.why, known),
        why_en=scrub(point.why_en, known),
        score=point.score,
        path=hide(key, point.path) if point.path else None,
    )


def _rolled_back(line: lines.RolledBack, key: PathKey, at: dt.datetime) -> ev.FamilyRolledBack:
    return ev.FamilyRolledBack(
        seen_at=at,
        family=line.family,
        restored=line.restored,
        lost=len(line.lost),
        newest_save_lost=len(line.newest_save_lost),
        quarantined=len(line.quarantined),
        kept_both=len(line.kept_both),
        left=len(line.left),
        rollback_ms=line.rollback_ms,
        lost_paths=tuple(hide(key, p) for p in line.lost[:MOST_PATHS]),
        newest_save_lost_paths=tuple(hide(key, p) for p in line.newest_save_lost[:MOST_PATHS]),
        indicators=tuple(token for token, _ in _indicators(line)),
    )


def _indicators(line: lines.GuardLine) -> tuple[Indicator, ...]:
    match line:
        case lines.Stopped():
            return added_extensions(p.path for p in line.points)
        case lines.RolledBack():
            return (*added_extensions(line.quarantined), *notes(line.quarantined))
        case _:
            return ()


def _names(line: lines.GuardLine, key: PathKey) -> Iterable[tuple[str, str]]:
    match line:
        case lines.Ready():
            paths = [f.path for f in line.folders]
        case lines.Stopped():
            paths = [p.path for p in line.points[:MOST_REASONS] if p.path]
        case lines.RolledBack():
            paths = [*line.lost[:MOST_PATHS], *line.newest_save_lost[:MOST_PATHS]]
        case _:
            paths = []
    return (*((token_of(key.key, p), p) for p in paths), *_indicators(line))


def _time(text: str, fallback: dt.datetime) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return fallback
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
