"""One real incident as a report for the people who answer for care. Pure: no clock, no names."""

import datetime as dt
from collections.abc import Iterator

import msgspec

from releve.model.finding import Severity
from releve.model.incident import Entry, Incident, Stop
from releve.report import chart, show, words
from releve.report import incident_words as said
from releve.report.document import (
    Block,
    Bullets,
    Document,
    Drawing,
    Heading,
    Lead,
    Prose,
    Section,
    Step,
    Story,
    Tile,
    Tiles,
    Tone,
)
from releve.report.html import render
from releve.report.reasons import reason_steps
from releve.report.redact import without_names
from releve.report.text import FRANCE, Lang, Voice

MOST_STOPS = 6
_UNSTOPPED = "none"  # its author is unknown or gone: nothing was ended
HOLDING = frozenset({"killed", "client_blocked", "frozen", "ended", "over"})
TONES: dict[Severity, Tone] = {Severity.CRITICAL: "bad"}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What the incident's ids stand for, and whose clock the reader lives by."""

    structure: str
    host: str
    written_at: dt.datetime
    zone: dt.tzinfo = FRANCE


def incident_document(incident: Incident, place: Place, lang: Lang) -> Document:
    """The report in one language. Accounts of staff are left out; paths never came this far."""
    voice = Voice(lang)
    sections = [_result(incident, place, voice), _course(incident, place, voice)]
    if any(stop.reasons for stop in incident.stops):
        sections.append(_reasons(incident, place, voice))
    about = (
        (voice.say(said.STRUCTURE), place.structure),
        (voice.say(said.HOST), place.host),
        (voice.say(said.NUMBER), incident.id),
        (voice.say(said.WRITTEN), _moment(place.written_at, place, voice)),
    )
    return Document(
        lang=lang,
        title=voice.say(said.TITLE),
        kind=voice.say(said.KIND),
        about=about,
        footer=voice.say(said.FOOTER),
        sections=tuple(sections),
        description=voice.say(said.DESCRIPTION),
    )


def incident_html(incident: Incident, place: Place, lang: Lang) -> str:
    return render(incident_document(incident, place, lang))


def _moment(at: dt.datetime, place: Place, voice: Voice) -> str:
    return voice.moment(at.astimezone(place.zone))


def _clock(at: dt.datetime, place: Place) -> str:
    return at.astimezone(place.zone).strftime("%H:%M:%S")


def _result(incident: Incident, place: Place, voice: Voice) -> Section:
    if incident.closed_at is None:
        state = voice.say(said.OPEN, at=_moment(incident.last_at, place, voice))
    else:
        state = voice.say(said.CLOSED, at=_moment(incident.closed_at, place, voice))
    blocks: list[Block] = [_lead(incident, place, voice), Prose(words=state)]
    if incident.stops:
        blocks.append(Tiles(tiles=tuple(_tiles(incident.stops, voice))))
    to_do = tuple(_to_do(incident.stops, voice))
    if to_do:
        blocks += [Heading(words=voice.say(said.TO_DO)), Bullets(items=to_do)]
    close = _close(incident.stops, voice)
    if close:
        blocks += [Heading(words=voice.say(said.CLOSE_UP)), Drawing(svg=chart.close_up(close))]
    return Section(anchor="resultat", title="", blocks=tuple(blocks), sheet=False)


def _lead(incident: Incident, place: Place, voice: Voice) -> Lead:
    stops = incident.stops
    facts = {"at": _moment(incident.opened_at, place, voice), "host": place.host}
    lost = sum(stop.lost or 0 for stop in stops)
    if not stops:
        return Lead(words=voice.say(said.LEAD_OTHER, **facts))
    if lost:
        files = voice.count(words.FILES_LOST, lost)
        return Lead(words=voice.say(said.LEAD_LOST, lost=files, **facts), tone="bad")
    if all(stop.action == _UNSTOPPED for stop in stops):
        return Lead(words=voice.say(said.LEAD_UNSTOPPED, **facts), tone="bad")
    if any(stop.action not in HOLDING for stop in stops):
        return Lead(words=voice.say(said.LEAD_RUNNING, **facts), tone="bad")
    if any(stop.restored is None for stop in stops):
        return Lead(words=voice.say(said.LEAD_PENDING, **facts))
    is_over = all(stop.action == "over" for stop in stops)
    return Lead(
        words=voice.say(said.LEAD_OVER if is_over else said.LEAD_SAFE, **facts), tone="good"
    )


def _tiles(stops: tuple[Stop, ...], voice: Voice) -> Iterator[Tile]:
    ended = [stop for stop in stops if stop.action not in ("over", _UNSTOPPED)]
    over = voice.count(said.OF_FOUND, len(stops))
    pending = sum(stop.restored is None for stop in stops)
    waits = voice.count(said.PENDING, pending) if pending else over
    told = pending < len(stops)
    unknown = voice.say(said.NOT_TOLD)

    def total(amounts: Iterator[int | None]) -> int:
        return sum(amount or 0 for amount in amounts)

    lost = total(stop.lost for stop in stops)
    back_ms = sum(stop.rollback_ms or 0.0 for stop in stops)
    in_time = voice.say(said.IN_TIME, time=voice.duration(back_ms)) if told else ""
    touched = said.TILE_TOUCHED if ended else said.TILE_SEEN
    rows = (
        (touched, voice.number(total(stop.files_touched for stop in stops)), over),
        (said.TILE_RESTORED, voice.number(total(s.restored for s in stops)) if told else unknown,
         waits if pending else in_time),
        (said.TILE_LOST, voice.number(lost) if told else unknown, waits),
        (said.TILE_NEWEST, voice.number(total(s.newest_save_lost for s in stops)) if told
         else unknown, voice.say(said.NEWEST_MEANS)),
        (said.TILE_STOP, show.duration(voice, max((s.stop_ms for s in ended), default=None)),
         voice.count(said.OF_STOPS, len(ended))),
        (said.TILE_STOPS, voice.number(len(ended)), _nobody_stopped(stops, voice)),
    )  # fmt: skip
    for label, value, rests_on in rows:
        tone: Tone = "bad" if label is said.TILE_LOST and lost else ""
        yield Tile(label=voice.say(label), value=value, rests_on=rests_on, tone=tone)


def _nobody_stopped(stops: tuple[Stop, ...], voice: Voice) -> str:
    """How many others there were, that ended nobody."""
    kinds = ((said.OVER, "over"), (said.UNSTOPPED, _UNSTOPPED))
    counts = [(what, sum(stop.action == action for stop in stops)) for what, action in kinds]
    return ", ".join(voice.count(what, n) for what, n in counts if n)


def _to_do(stops: tuple[Stop, ...], voice: Voice) -> Iterator[str]:
    if not stops:
        return
    actions = dict.fromkeys(stop.action for stop in stops)
    needed = [voice.say(said.DO_ACTION[action]) for action in actions if action in said.DO_ACTION]
    if any(stop.restored is None for stop in stops):
        needed.append(voice.say(said.DO_PENDING))
    counts = (
        (said.DO_LOST, sum(stop.lost or 0 for stop in stops)),
        (said.DO_NEWEST, sum(stop.newest_save_lost or 0 for stop in stops)),
        (said.DO_KEPT_BOTH, sum(stop.kept_both or 0 for stop in stops)),
        (said.DO_LEFT, sum(stop.left or 0 for stop in stops)),
    )
    needed += [voice.count(what, count) for what, count in counts if count]
    yield from needed or [voice.say(said.NOTHING_TO_DO)]


def _close(stops: tuple[Stop, ...], voice: Voice) -> chart.Close | None:
    stop = next((stop for stop in stops if stop.rollback_ms is not None), None)
    if stop is None or stop.rollback_ms is None:
        return None
    back = stop.stop_ms + stop.rollback_ms
    told_stop, told_back = voice.duration(stop.stop_ms), voice.duration(back)
    return chart.Close(
        title=voice.say(said.CLOSE_UP),
        description=voice.say(words.DETAIL_DESC, stop=told_stop, back=told_back),
        stop_ms=stop.stop_ms,
        back_ms=back,
        first=voice.say(words.FIRST_WRITE),
        stop=voice.say(words.STOPPED_AFTER, time=told_stop),
        back=voice.say(words.BACK_AFTER, time=told_back),
    )


def _course(incident: Incident, place: Place, voice: Voice) -> Section:
    zone = incident.opened_at.astimezone(place.zone).tzname() or "UTC"
    steps = tuple(_entry(entry, place, voice) for entry in incident.timeline)
    blocks: list[Block] = [
        Prose(words=voice.say(said.COURSE_INTRO, zone=zone), tone="quiet"),
        Story(steps=steps),
    ]
    if incident.entries_left_out:
        left = voice.count(said.LEFT_OUT, incident.entries_left_out)
        blocks.append(Prose(words=left, tone="quiet"))
    return Section(
        anchor="deroulement", title=voice.say(said.COURSE), blocks=tuple(blocks), sheet=False
    )


def _entry(entry: Entry, place: Place, voice: Voice) -> Step:
    # The reason of a link names an account, and what a person wrote may name anybody.
    is_told = not entry.by and entry.kind != "linked"
    own = (entry.why if voice.lang == "fr" else entry.why_en or entry.why) if is_told else ""
    foreign = voice.lang != "fr" and not entry.why_en and bool(own)
    return Step(
        mark=_clock(entry.at, place),
        words=_event(entry, voice),
        small=without_names(own),
        tone="good" if entry.kind == "rolled_back" and not entry.figures.get("lost") else
        TONES.get(entry.severity, ""),
        lang="fr" if foreign and not _event(entry, voice) else "",
    )  # fmt: skip


def _event(entry: Entry, voice: Voice) -> str:
    figures = entry.figures
    if entry.kind in ("stopped", "would_stop"):
        action = words.ACTIONS.get(entry.action)
        return voice.count(
            said.SEEN if entry.action == _UNSTOPPED else said.STOPPED,
            int(figures.get("files_touched", 0)),
            action=voice.say(action) if action else "",
            time=voice.duration(figures.get("stop_ms", 0.0)),
        ).strip()
    if entry.kind == "rolled_back":
        return voice.count(
            said.ROLLED_BACK,
            int(figures.get("restored", 0)),
            time=voice.duration(figures.get("rollback_ms", 0.0)),
            lost=voice.number(figures.get("lost", 0)),
            newest=voice.number(figures.get("newest_save_lost", 0)),
        )
    known = said.KINDS.get(entry.kind)
    told = voice.say(known) if known else voice.say(said.KIND_OTHER, kind=entry.kind)
    if "count" in figures:
        told += " " + voice.say(said.COUNT, n=voice.number(figures["count"]))
    return told


def _reasons(incident: Incident, place: Place, voice: Voice) -> Section:
    blocks: list[Block] = []
    for number, stop in enumerate(incident.stops[:MOST_STOPS], start=1):
        at = _clock(stop.at, place)
        line = said.SEEN_LINE if stop.action == _UNSTOPPED else said.STOP_LINE
        blocks.append(Heading(words=voice.say(line, number=number, at=at)))
        if stop.client:
            blocks.append(Prose(words=voice.say(said.FROM_CLIENT, client=stop.client)))
        blocks.append(Story(steps=tuple(reason_steps(stop.reasons, voice))))
    if len(incident.stops) > MOST_STOPS:
        more = voice.count(said.MORE_STOPS, len(incident.stops) - MOST_STOPS)
        blocks.append(Prose(words=more, tone="quiet"))
    nobody = all(stop.action == _UNSTOPPED for stop in incident.stops)
    title = voice.say(said.REASONS_SEEN if nobody else said.REASONS)
    return Section(anchor="raisons", title=title, blocks=tuple(blocks), sheet=False)
