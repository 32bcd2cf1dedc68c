"""The first page: the result in one sentence, the figures, what it means, what did not hold."""

import collections
from collections.abc import Iterator, Sequence

from releve.model.proof import AttackResult, Simulation
from releve.report import figures, show, words
from releve.report.document import (
    Block,
    Bullets,
    Callout,
    Heading,
    Lead,
    Prose,
    Section,
    Tile,
    Tiles,
)
from releve.report.promises import Promises, Unit, Verdict, judge, tally
from releve.report.redact import without_names
from releve.report.text import Text, Voice

LOST_ENTRY = ": perdu"  # how the simulation writes a lost file; it is told by its count already
NAMED_BY_CASE = frozenset(
    {"files_lost", "not_as_before", "honest_stopped_tuned", "honest_stopped_held_out"}
)
MOST_SHOWN = 3  # more would push the page over; the tables name all


def first_page(simulation: Simulation, promises: Promises, voice: Voice) -> Section:
    run = figures.attacks_run(simulation)
    verdicts = [judge(promise, simulation) for promise in promises.promises]
    broken = tuple(verdict for verdict in verdicts if verdict.outcome == "broken")
    blocks: list[Block] = [_lead(simulation, voice, calm=not broken)]
    if run:
        blocks.append(Prose(words=voice.say(words.WHAT_HAPPENED)))
    failures = tuple(_failures(simulation, voice))
    if failures:
        blocks.append(_callout(failures, voice))
    elif run:
        blocks.append(Prose(words=_by_kind(run, voice), tone="quiet"))
    blocks.append(Tiles(tiles=tuple(_tiles(simulation, voice))))
    meaning = tuple(_meaning(simulation, voice))
    if meaning:
        blocks += [Heading(words=voice.say(words.MEANING)), Bullets(items=meaning)]
    blocks.append(Prose(words=voice.say(words.PROMISES_LINE, **tally(promises, simulation))))
    if broken:
        blocks += _broken(broken, voice)
    blocks += [Heading(words=voice.say(words.CONDITIONS)), *_conditions(run, voice)]
    return Section(anchor="resultat", title="", blocks=tuple(blocks), sheet=False)


def _by_kind(run: Sequence[AttackResult], voice: Voice) -> str:
    counts = collections.Counter(attack.kind for attack in run)
    said = [
        voice.say(words.KIND_COUNT, kind=voice.say(name), n=voice.number(counts[kind]))
        for kind, name in words.KIND_GROUPS.items()
        if counts[kind]
    ]
    return voice.say(words.BY_KIND, kinds=voice.listed(said)) if said else ""


def by_design(attack: AttackResult) -> bool:
    """Not stopped, for a reason that was said, and nothing was lost by it."""
    reason = attack.over or bool(attack.condition)
    return not attack.stopped and reason and attack.files_lost == 0


def condition_of(attack: AttackResult, voice: Voice) -> str:
    """What is said beside an attack: that it was over, else its own condition, which is French."""
    if attack.over:
        return voice.say(words.OVER_MEANS)
    # Our own sentence: the folder `tenu` of a run would take that word out of it.
    return without_names(attack.condition) if voice.lang == "fr" else ""


def _conditions(run: Sequence[AttackResult], voice: Voice) -> Iterator[Prose]:
    """The conditions of every figure, then those of attacks that are not stopped by design."""
    yield Prose(words=voice.say(words.CONDITION_TEXT), tone="quiet")
    apart = [attack for attack in run if by_design(attack)]
    over = {attack.name for attack in apart if attack.over}
    if over:
        which = voice.listed([voice.attack(name) for name in sorted(over)])
        yield Prose(words=f"{which} : {voice.say(words.OVER_MEANS)}", tone="quiet")
    cases = {attack.name: attack.condition for attack in apart if not attack.over}
    told = [f"{voice.attack(name)} : {without_names(said)}" for name, said in cases.items()]
    if told:
        yield Prose(words=" ".join(told), tone="quiet", lang="" if voice.lang == "fr" else "fr")


def _broken(broken: Sequence[Verdict], voice: Voice) -> Iterator[Prose]:
    """Promises that are not held and that no case above has named already, with their figures."""
    told = [
        f"{voice.say(verdict.promise.promise).rstrip('.')} ({value})"
        for verdict in broken
        if verdict.promise.measure not in NAMED_BY_CASE
        for value in [show.amount(voice, verdict.measured.value, verdict.promise.unit)]
    ]
    if told:
        more = len(told) - MOST_SHOWN
        shown = told[:MOST_SHOWN] + ([voice.count(words.AND_MORE, more)] if more > 0 else [])
        said = words.NOT_HELD if len(told) == len(broken) else words.NOT_HELD_EITHER
        line = voice.say(said, which=voice.listed(shown)).rstrip(".") + "."
        yield Prose(words=line, tone="bad")


def _lead(simulation: Simulation, voice: Voice, *, calm: bool) -> Lead:
    run = figures.attacks_run(simulation)
    if not run:
        return Lead(words=voice.say(words.LEAD_NONE), tone="bad")
    files = voice.number(simulation.environment.files)
    lost = sum(attack.files_lost for attack in run)
    if lost == 0:
        # Green only when nothing else failed either: a calm colour over a red box would mislead.
        calm = calm and not any(True for _ in _failures(simulation, voice))
        said = voice.count(words.LEAD_SAFE, len(run), files=files)
        return Lead(words=said, tone="good" if calm else "")
    said_lost = voice.count(words.FILES_LOST, lost)
    return Lead(
        words=voice.count(words.LEAD_LOST, len(run), files=files, lost=said_lost), tone="bad"
    )


def _tiles(simulation: Simulation, voice: Voice) -> Iterator[Tile]:
    run = figures.attacks_run(simulation)
    skipped = len(simulation.attacks) - len(run)
    where = show.systems(tuple({attack.fs for attack in run}))
    beside = [voice.say(words.ON_SYSTEMS, fs=where)] if where else []
    beside += [voice.count(words.SKIPPED_COUNT, skipped)] if skipped else []
    yield Tile(
        label=voice.say(words.TILE_ATTACKS),
        value=voice.number(len(run)),
        rests_on=voice.listed(beside),
    )
    yield _tile_lost(simulation, voice)
    yield _tile_spread(voice, words.TILE_TOUCHED, figures.files_touched(simulation), "files")
    yield _tile_spread(voice, words.TILE_STOP, figures.stop_delay(simulation), "ms")
    yield _tile_spread(voice, words.TILE_ROLLBACK, figures.rollback_time(simulation), "ms")
    yield _tile_honest(simulation, voice)


def _tile_lost(simulation: Simulation, voice: Voice) -> Tile:
    lost = figures.files_lost(simulation)
    newest = figures.newest_save_lost(simulation)
    label = voice.say(words.TILE_LOST)
    if lost.value is None:
        return Tile(label=label, value=voice.say(words.NOT_MEASURED), rests_on="", tone="quiet")
    said = voice.say(words.LOST_OF, n=voice.number(lost.n), newest=voice.number(newest.value or 0))
    value = voice.number(lost.value)
    return Tile(label=label, value=value, rests_on=said, tone="bad" if lost.value else "good")


def _tile_spread(voice: Voice, label: Text, measured: figures.Measured, unit: Unit) -> Tile:
    if measured.value is None:
        return Tile(
            label=voice.say(label), value=voice.say(words.NOT_MEASURED), rests_on="", tone="quiet"
        )
    worst = show.bare(voice, measured.worst, unit)
    if measured.never:
        worst = voice.count(words.NEVER_IN, measured.never)
    said = voice.say(words.MEDIAN_OF, worst=worst, n=voice.number(measured.n))
    value = show.bare(voice, measured.median, unit)
    return Tile(label=voice.say(label), value=value, rests_on=said)


def _tile_honest(simulation: Simulation, voice: Voice) -> Tile:
    tuned = figures.honest_stopped_tuned(simulation)
    held_out = figures.honest_stopped_held_out(simulation)
    label = voice.say(words.TILE_HONEST)
    if tuned.value is None and held_out.value is None:
        return Tile(label=label, value=voice.say(words.NOT_MEASURED), rests_on="", tone="quiet")
    stopped = (tuned.value or 0) + (held_out.value or 0)
    said = voice.say(
        words.HONEST_OF, tuned=voice.number(tuned.n), held_out=voice.number(held_out.n)
    )
    value = voice.number(stopped)
    return Tile(label=label, value=value, rests_on=said, tone="bad" if stopped else "good")


def _meaning(simulation: Simulation, voice: Voice) -> Iterator[str]:
    run = figures.attacks_run(simulation)
    if not run:
        return
    lost = sum(attack.files_lost for attack in run)
    different = any(attack.wrong for attack in run)
    if lost:
        yield voice.count(words.MEANING_LOST, lost)
    elif not different:
        yield voice.say(words.MEANING_SAFE)
    newest = sum(attack.newest_save_lost for attack in run)
    if newest:
        yield voice.count(words.MEANING_NEWEST, newest)
    else:
        yield voice.say(words.MEANING_NEWEST_NONE)
    whole = [attack for attack in run if not attack.files_lost]  # a lost file stays unreadable
    breaks = [time for time in map(unreadable_ms, whole) if time is not None]
    if breaks:
        spread = figures.spread(breaks, ())
        yield voice.say(
            words.MEANING_BREAK,
            median=show.duration(voice, spread.median),
            worst=show.duration(voice, spread.worst),
            n=voice.number(spread.n),
            of=voice.number(len(run)),
        )
    honest = (figures.honest_stopped_tuned(simulation), figures.honest_stopped_held_out(simulation))
    if any(part.n for part in honest) and not any(part.value for part in honest):
        yield voice.count(words.MEANING_HONEST, sum(part.n for part in honest))


def unreadable_ms(attack: AttackResult) -> float | None:
    """From the first destructive write to the last file put back, its writer stopped or not.

    None if nothing was put back, or not measured.
    """
    judged = attack.first_write_to_stop_ms if attack.stopped else figures.judged_ms(attack)
    if judged is None or attack.rollback_ms is None:
        return None
    return judged + attack.rollback_ms


def _callout(failures: tuple[str, ...], voice: Voice) -> Callout:
    shown = failures
    if len(failures) > MOST_SHOWN:
        more = voice.count(words.AND_MORE, len(failures) - MOST_SHOWN)
        shown = (*failures[:MOST_SHOWN], more)
    return Callout(title=voice.say(words.BAD), items=shown)


def _failures(simulation: Simulation, voice: Voice) -> Iterator[str]:
    """All that did not hold, one line a case, the worst first."""
    run = figures.attacks_run(simulation)
    for attack in sorted(run, key=lambda attack: -attack.files_lost):
        what = tuple(_failed(attack, voice))
        if what:
            name = voice.attack(attack.name)
            yield voice.say(words.BAD_ATTACK, attack=name, fs=attack.fs, faults=voice.listed(what))
    yield from _failures_beside(simulation, voice)


def _failed(attack: AttackResult, voice: Voice) -> Iterator[str]:
    if attack.files_lost:
        yield voice.count(words.FILES_LOST, attack.files_lost)
    different = [entry for entry in attack.wrong if not entry.endswith(LOST_ENTRY)]
    if different:
        sorts = ", ".join(sorted({voice.say(_sort(entry)) for entry in different}))
        yield voice.count(words.BAD_WRONG, len(different), sorts=sorts)
    if not attack.stopped and not by_design(attack):
        yield voice.say(words.BAD_OVER if attack.over else words.BAD_STOP)


def _failures_beside(simulation: Simulation, voice: Voice) -> Iterator[str]:
    for work in simulation.honest:
        if work.stopped and not work.wanted_stop and not work.skipped:
            yield voice.say(words.BAD_HONEST, work=voice.task(work.name), fs=work.fs)
    for part in simulation.care:
        if not part.ok:
            yield voice.say(words.BAD_CARE, part=care_part(part.name, voice))


def care_part(name: str, voice: Voice) -> str:
    known = words.CARE_PARTS.get(name)
    return voice.say(known) if known else name


def _sort(entry: str) -> Text:
    """What differs, in words of our own: the simulation's sentence may name files."""
    said = entry.rsplit(": ", 1)[-1]
    for start, sort in words.SORTS.items():
        if said.startswith(start):
            return sort
    return words.SORT_OTHER
