"""A host as a terminal shows it: the words of its card on the console, in French."""

import datetime as dt

from releve.apps.console.views import HostView
from releve.apps.console.words import Words
from releve.model.finding import Finding
from releve.model.host import BackupState, DrillState, FolderState, HostState, PaperState

_T = Words("fr")
_NONE = "—"
SEEN = _T("would.seen")


def row(view: HostView, now: dt.datetime) -> str:
    """One line of `releve host list`."""
    mood = _T(f"mood.{view.mood}")
    cut = f"  {_T('hosts.isolated')}" if view.isolation else ""
    saved = f"{_T('hosts.backup')} : {_backup(view.host.state)}"
    return f"{mood:22}  {view.host.name}  {_seen(view, now)}  {saved}{cut}"


def card(view: HostView, now: dt.datetime) -> list[str]:
    """All of `releve host show`."""
    host, state = view.host, view.host.state
    role = f"  {host.care_role}" if host.care_role else ""
    found = [f"{host.name}  {_T(f'mood.{view.mood}')}  {_seen(view, now)}{role}  ({host.id})"]
    found += [_isolation(view)] if view.isolation else []
    found += [f"{_T('hosts.held')} : {_T.size(view.held_bytes)}", _window(view)]
    found += [f"{_T('hosts.backup')} : {_backup(state)}"]
    found += [f"{_T('hosts.drill')} : {_drill(state.drill)}"] if state.drill else []
    found += [f"{_T('hosts.paper')} : {_paper(state.paper)}"] if state.paper else []
    found += [line for folder in state.folders for line in _folder(folder)]
    found += [_T("hosts.dropped", n=state.events_dropped)] if state.events_dropped else []
    if state.is_demonstration:
        return [*found, _T("hosts.demonstration")]
    care = {"said": "_care", "presumed": "_presumed", "none": ""}[view.care]
    return [*found, _T(f"hosts.isolate_note{care}")]


def would_line(one: Finding, names: dict[str, str]) -> str:
    """A finding of `releve host would-stop`: when, by what and whom, where, how much, why."""
    program = one.program or _T("stop.unknown_program")
    who = " · ".join(filter(None, [program, one.user, names.get(one.host, "")]))
    touched = _T("stop.touched", n=int(one.figures.get("files_touched", 0)))
    why = one.reasons[0].why if one.reasons else ""
    return "  ".join(filter(None, [at(one.seen_at), who, touched, why]))


def at(moment: dt.datetime) -> str:
    return _T.moment(moment).striptags()


def _seen(view: HostView, now: dt.datetime) -> str:
    last = view.host.last_seen_at
    return f"{_T('hosts.seen')} {_T.ago(last, now)}" if last else _T("hosts.never")


def _isolation(view: HostView) -> str:
    told = view.isolation
    if told is None:
        return ""
    who = _T("hosts.isolated_by", who=told.by or _T("hosts.isolated_nobody"))
    begun = f"{_T('hosts.isolated')} {_T('hosts.isolated_since')} {at(told.since)}, {who}"
    return f"{begun} {_T('hosts.isolated_until')} {at(told.until)}."


def _window(view: HostView) -> str:
    if view.worst_p99_ms is None:
        said = _T("hosts.in_report") if view.host.state.is_demonstration else _NONE
    else:
        said = _T.duration(view.worst_p99_ms)
    of = f" ({_T('hosts.window_n', n=view.saves)})" if view.saves else ""
    return f"{_T('hosts.window_p99')} : {said}{of}"


def _backup(state: HostState) -> str:
    told: BackupState | None = state.backup
    if told is None:
        which = "backup_no_folders" if state.has_no_folders else "backup_none"
        return _T("hosts.in_report" if state.is_demonstration else f"hosts.{which}")
    said = at(told.last_good_at) if told.last_good_at else _T("hosts.backup_never")
    if told.ok:
        return said
    return f"{said}, {_T('hosts.backup_harmed' if told.is_harmed else 'hosts.backup_failed')}"


def _drill(told: DrillState) -> str:
    said = at(told.last_good_at) if told.last_good_at else _T("hosts.drill_none")
    if told.last_good_at and told.all_local_s is not None and told.rpo_s is not None:
        time, most = _T.lasting(told.all_local_s), _T.lasting(told.rpo_s)
        said += f" ({_T('hosts.drill_figures', time=time, rpo=most)})"
    return said if told.ok else f"{said}, {_T('hosts.drill_failed')}"


def _paper(told: PaperState) -> str:
    if told.tried_at:
        return f"{_T('hosts.paper_tried')} {at(told.tried_at)}"
    return _T("hosts.paper_untried" if told.made_at else "hosts.paper_none")


def _folder(told: FolderState) -> list[str]:
    seen = told.facts
    name = _T("folder.number", number=seen.label) if seen.label.isdigit() else seen.label
    marks = [_worded("mode", seen.mode), _worded("attribution", seen.attribution)]
    held = [_T("folder.held", size=_T.size(told.held_bytes))]
    held += [_T("folder.room", size=_T.size(told.room_bytes))] if seen.mode else []
    held += [_T("folder.files", n=seen.files)] if seen.files else []
    if told.percent < 100:
        held.append(_T("folder.baseline", percent=_T.number(told.percent)))
    first = "  ".join(filter(None, [name, *marks]))
    can = [f"      + {one}" for one in seen.can]
    cannot = [f"      - {one}" for one in seen.cannot]
    return [f"  {first} : {' · '.join(held)}", *can, *cannot]


def _worded(room: str, word: str) -> str:
    return _T(f"{room}.{word}") if _T.has(f"{room}.{word}") else word
