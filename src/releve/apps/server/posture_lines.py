"""A structure's days as a terminal shows them: the words of the console's table, in French."""

from releve.apps.console.posture_views import Chart, commands
from releve.apps.console.words import Words
from releve.model.posture import Posture

_T = Words("fr")
_NONE = "—"


def lines(view: Chart, structure: str) -> list[str]:
    """Newest first, then what lacks with the command for it. `structure`: its name."""
    found = [_T("posture.span", since=_T.day(view.since), until=_T.day(view.until))]
    found += [_day(posture) for posture in view.days]
    if view.begins:
        begins = _T("posture.begins", day=_T.day(view.begins))
        found.append(begins if view.days else _T("posture.none"))
    known = commands(structure)
    return [*found, *(f"{_T(f'posture.do_{what}')} {known[what]}" for what in view.lacks)]


def _day(posture: Posture) -> str:
    told = [
        _T("situation.incidents", n=posture.incidents),
        *_guards(posture),
        f"{_T('hosts.backup')} : {_backup(posture)}",
        f"{_T('hosts.drill')} : {_drill(posture)}",
    ]
    return f"{_T.day(posture.day)}  {' · '.join(told)}"


def _guards(posture: Posture) -> list[str]:
    found = (
        [_T("posture.guarded", n=posture.guarded, hosts=_T.number(posture.hosts))]
        if posture.guarded
        else [_T("posture.guarded_none", n=posture.hosts)]
    )
    found += [_T("posture.watching", n=posture.watching)] if posture.watching else []
    return found + ([_T("posture.down", n=posture.down)] if posture.down else [])


def _backup(posture: Posture) -> str:
    said = _NONE
    if posture.backup_hours is not None:
        said = _T("posture.hours", n=posture.backup_hours)
    return f"{said} ({_T('posture.level_down')})" if posture.is_backup_late else said


def _drill(posture: Posture) -> str:
    said = _NONE if posture.drill_days is None else _T("span.days", n=posture.drill_days)
    return f"{said} ({_T('posture.level_watching')})" if posture.is_drill_late else said
