"""The service statement as a document: one page that names, for each figure, what it rests on."""

import datetime as dt
import zoneinfo

import msgspec

from releve.model.statement import OnCallFigures, Spread, Statement, VaultFigures
from releve.report import severities
from releve.report import statement_words as said
from releve.report.document import Block, Cell, Document, Prose, Section, Table, Terms
from releve.report.html import render
from releve.report.text import NBSP, Lang, Text, Voice, said_month

ANCHOR = "releve"
_MOST_SERVICES, _MOST_HOSTS = 5, 3
_MINUTE_S = 60


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says of its signature."""

    fingerprint: str
    file: str


def statement_html(made: Statement, lang: Lang, seal: Seal) -> str:
    return render(statement_document(made, lang, seal))


def statement_document(made: Statement, lang: Lang, seal: Seal) -> Document:
    """The statement in one language."""
    voice = Voice(lang)
    blocks: list[Block] = [Prose(words=words, tone="bad") for words in _warnings(made, voice)]
    blocks += [_times(made, voice), _counts(made, voice)]
    if made.care:
        blocks.append(_services(made, voice))
    signed = voice.say(said.SIGNED_BY, key=seal.fingerprint, file=seal.file)
    check = f"releve statement verify {seal.file}"
    pairs = ((voice.say(said.SIGNATURE), signed), (voice.say(said.CHECK), check))
    blocks += [Prose(words=voice.say(said.LIMITS), tone="quiet"), Terms(pairs=pairs)]
    return Document(
        lang=lang,
        title=made.name,
        kind=voice.say(said.KIND),
        about=(
            (voice.say(said.MONTH), said_month(made.month.name, lang)),
            (voice.say(said.MADE), _moment(made.made_at, made, voice)),
            (voice.say(said.ZONE), made.month.zone),
        ),
        footer=voice.say(said.FOOTER),
        sections=(
            Section(anchor=ANCHOR, title="", blocks=tuple(blocks), sheet=False, one_page=True),
        ),
        description=voice.say(said.DESCRIPTION),
    )


def _warnings(made: Statement, voice: Voice) -> list[str]:
    found = [] if made.is_whole else [voice.say(said.UNDER_WAY)]
    if made.told_since is not None and made.told_since > made.month.since:
        found.append(voice.say(said.TOLD_SINCE, at=_moment(made.told_since, made, voice)))
    return found


def _times(made: Statement, voice: Voice) -> Table:
    drills = made.drills
    lines = (
        (said.HELP, made.help_.times),
        (said.CARE, made.care_times),
        (said.FIRST_FILE, drills.first_file),
        (said.PATIENT_LIST, drills.patient_list),
        (said.DATABASES, drills.databases),
        (said.ALL_LOCAL, drills.all_local),
        (said.RPO, drills.rpo),
    )
    return Table(
        caption=voice.say(said.TIMES),
        head=tuple(map(voice.say, said.TIMES_HEAD)),
        rows=tuple(_time_row(name, times, voice) for name, times in lines),
        numeric=(1, 2, 3, 4),
    )


def _time_row(name: Text, times: Spread, voice: Voice) -> tuple[Cell, ...]:
    never = voice.say(said.WITH_NEVER, n=times.never) if times.never else ""
    figures = (times.mean, times.p95, times.worst)
    return (
        Cell(main=voice.say(name), small=never),
        *(_time(one, times, voice) for one in figures),
        Cell(main=voice.number(times.n)),
    )


def _time(seconds: float | None, times: Spread, voice: Voice) -> Cell:
    if seconds is not None:
        return Cell(main=voice.age(seconds))
    if times.never:
        return Cell(main=voice.say(said.NEVER), tone="bad")
    return Cell(main=voice.say(said.NOT_MEASURED), tone="quiet")


def _counts(made: Statement, voice: Voice) -> Table:
    rows = [*_of_help(made, voice), *_of_incidents(made, voice), *_of_hosts(made, voice)]
    for vault in made.vaults:
        rows += _of_vault(vault, made, voice)
    rows += [*_of_duties(made, voice), _of_on_call(made, voice)]
    return Table(
        caption=voice.say(said.COUNTS),
        head=tuple(map(voice.say, said.COUNTS_HEAD)),
        rows=tuple(rows),
    )


_Row = tuple[Cell, ...]


def _row(name: str, value: str | None, rests: str, voice: Voice) -> _Row:
    """`value` None: nobody measured it."""
    measured = Cell(main=value) if value is not None else _unmeasured(voice)
    return (Cell(main=name), measured, Cell(main=rests, tone="quiet"))


def _unmeasured(voice: Voice) -> Cell:
    return Cell(main=voice.say(said.NOT_MEASURED), tone="quiet")


def _share(part: int, whole: int, voice: Voice) -> str | None:
    """None where there is no case."""
    if not whole:
        return None
    return voice.say(said.OF, n=voice.number(part), all=voice.number(whole))


def _of_help(made: Statement, voice: Voice) -> list[_Row]:
    found = made.help_
    name = voice.say(said.HELP_IN_TIME, minutes=voice.number(found.promise_s / _MINUTE_S))
    rests = [voice.count(said.ASKED, found.asked)]
    if found.waiting:
        rests.append(voice.say(said.WAITING_CALLS, n=found.waiting))
    return [_row(name, _share(found.in_time, found.times.n, voice), voice.listed(rests), voice)]


def _of_incidents(made: Statement, voice: Voice) -> list[_Row]:
    found = made.incidents
    grave = [
        f"{voice.number(n)}{NBSP}{voice.count(word, n)}"
        for severity, word in severities.WORDS.items()
        if (n := found.by_severity.get(severity.value))
    ]
    rests = [*grave, voice.say(said.STILL_OPEN, n=found.open_)] if found.count else []
    rows = [_row(voice.say(said.INCIDENTS), voice.number(found.count), voice.listed(rests), voice)]
    files = f"{voice.number(found.restored)} / {voice.number(found.lost)}" if found.count else None
    told = [voice.say(said.FILES_OF if found.count else said.NO_CASE)]
    if found.pending:
        told.append(voice.say(said.PENDING, n=found.pending))
    return [*rows, _row(voice.say(said.FILES), files, voice.listed(told), voice)]


def _of_hosts(made: Statement, voice: Voice) -> list[_Row]:
    drills, hosts = made.drills, made.hosts
    ran, good = sum(h.backups for h in hosts), sum(h.backups_good for h in hosts)
    telling = sum(bool(h.backups) for h in hosts)
    of_hosts = voice.say(said.BACKUPS_OF, n=telling, all=len(hosts))
    guarded = made.protected
    return [
        _row(
            voice.say(said.DRILLS),
            _share(drills.good, drills.count, voice),
            "" if drills.count else voice.say(said.NO_CASE),
            voice,
        ),
        _row(voice.say(said.BACKUPS), _share(good, ran, voice), of_hosts, voice),
        _row(
            voice.say(said.PROTECTED),
            _share(guarded.protected, guarded.hosts, voice) if guarded else None,
            voice.say(said.PROTECTED_OF, at=_moment(made.made_at, made, voice)),
            voice,
        ),
    ]


def _of_vault(vault: VaultFigures, made: Statement, voice: Voice) -> list[_Row]:
    name = voice.say(said.VAULT, name=vault.vault)
    told = _moment(vault.told_at, made, voice)
    rows = []
    for host in vault.hosts[:_MOST_HOSTS]:
        last = host.last_snapshot_at
        value = _moment(last, made, voice) if last else voice.say(said.NO_SNAPSHOT)
        rests = voice.say(said.VAULT_OF, host=host.host, size=voice.size(host.bytes), at=told)
        rows.append(_row(name, value, rests, voice))
    if (more := len(vault.hosts) - _MOST_HOSTS) > 0:
        rows.append(_row(name, "…", voice.say(said.MORE_HOSTS, n=more), voice))
    return rows


def _of_duties(made: Statement, voice: Voice) -> list[_Row]:
    found = made.duties
    settled = found.in_time + found.late
    rests = voice.say(said.DUTIES_OF, late=found.late, waiting=found.waiting, not_due=found.not_due)
    free = found.sent_without_delay + found.owed_without_delay
    nothing = voice.say(said.NO_DUTY)
    return [
        _row(voice.say(said.DUTIES), _share(found.in_time, settled, voice), rests, voice),
        _row(
            voice.say(said.FREE_DUTIES),
            _share(found.sent_without_delay, free, voice),
            "" if free else nothing,
            voice,
        ),
    ]


def _of_on_call(made: Statement, voice: Voice) -> _Row:
    found = made.on_call
    if found is None:
        return _row(voice.say(said.ON_CALL), None, voice.say(said.NOBODY), voice)
    covered, whole = voice.number(found.covered_hours, 1), voice.number(found.hours, 1)
    value = voice.say(said.HOURS, n=covered, all=whole)
    rests = [voice.say(said.ON_CALL_OF), *_counted_when(found, made, voice)]
    return _row(voice.say(said.ON_CALL), value, voice.listed(rests), voice)


def _counted_when(found: OnCallFigures, made: Statement, voice: Voice) -> list[str]:
    """Of a month that is not counted as a whole: from when, and up to when."""
    if found.until is None or found.since is None:
        return []
    until = _moment(found.until, made, voice)
    if found.since > made.month.since:
        since = _moment(found.since, made, voice)
        return [voice.say(said.ON_CALL_FROM, since=since, until=until)]
    return [] if found.until >= made.month.until else [voice.say(said.ON_CALL_UNTIL, until=until)]


def _services(made: Statement, voice: Voice) -> Table:
    rows: list[_Row] = [
        (
            Cell(main=one.service),
            Cell(main=_moment(one.since, made, voice)),
            Cell(main=voice.say(said.NOT_RESUMED), tone="bad")
            if one.seconds is None
            else Cell(main=voice.age(one.seconds)),
            Cell(main=one.incident, code=True),
        )
        for one in made.care[:_MOST_SERVICES]
    ]
    if (more := len(made.care) - _MOST_SERVICES) > 0:
        empty = Cell(main="")
        rows.append((Cell(main=voice.say(said.MORE_SERVICES, n=more)), empty, empty, empty))
    head = tuple(map(voice.say, said.SERVICES_HEAD))
    return Table(caption=voice.say(said.SERVICES), head=head, rows=tuple(rows))


def _moment(at: dt.datetime, made: Statement, voice: Voice) -> str:
    return voice.moment(at.astimezone(zoneinfo.ZoneInfo(made.month.zone)))
