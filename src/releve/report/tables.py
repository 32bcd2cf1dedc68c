"""The pages behind the figures: promises, what was not shown, the machine, every case."""

from collections.abc import Iterator, Sequence

from releve.model.proof import AttackResult, Environment, HonestResult, Simulation
from releve.report import show, words
from releve.report.document import Block, Bullets, Cell, Heading, Prose, Section, Table, Tone
from releve.report.first_page import by_design, care_part, condition_of
from releve.report.promises import Outcome, Promises, Verdict, judge, tally
from releve.report.redact import without_names
from releve.report.text import Text, Voice
from releve.report.timeline import kind, ordered

TONES: dict[Outcome, Tone] = {
    "held": "good",
    "broken": "bad",
    "unmeasured": "quiet",
    "counted": "quiet",
}
MARKS: dict[Outcome, str] = {"held": "✓", "broken": "✗", "unmeasured": "–", "counted": "·"}


def heads(voice: Voice, *names: str) -> tuple[str, ...]:
    return tuple(voice.say(words.HEAD[name]) for name in names)


def promise_page(simulation: Simulation, promises: Promises, voice: Voice) -> Section:
    verdicts = [judge(promise, simulation) for promise in promises.promises]
    intro = voice.say(
        words.PROMISES_INTRO,
        at=voice.moment(simulation.environment.at),
        host=simulation.environment.host,
        dated=voice.moment(promises.dated).split("\u00a0à")[0].split("\u00a0at")[0],
        **tally(promises, simulation),
    )
    table = Table(
        caption="",
        head=heads(voice, "promise", "measured", "verdict", "condition", "command"),
        rows=tuple(_promise_row(verdict, voice) for verdict in verdicts),
        name="promises",
    )
    source = voice.say(words.PROMISES_SOURCE, source=voice.say(promises.source))
    blocks = (Prose(words=intro), table, Prose(words=source, tone="quiet"))
    title = voice.say(words.PROMISES)
    return Section(anchor="promesses", title=title, blocks=blocks, one_page=True)


def _promise_row(verdict: Verdict, voice: Voice) -> tuple[Cell, ...]:
    promise, measured = verdict.promise, verdict.measured
    outcome = voice.say(words.OUTCOMES[verdict.outcome])
    return (
        Cell(main=voice.say(promise.promise)),
        Cell(
            main=show.amount(voice, measured.value, promise.unit),
            small=show.rests_on(voice, measured, promise.unit),
            tone=TONES[verdict.outcome] if verdict.outcome != "held" else "",
        ),
        Cell(
            main=f"{MARKS[verdict.outcome]}\u00a0{outcome}", tone=TONES[verdict.outcome], badge=True
        ),
        Cell(main=voice.say(promise.condition)),
        Cell(main=promise.command, code=True),
    )


def limits_page(simulation: Simulation, voice: Voice) -> Section:
    blocks: list[Block] = [Prose(words=voice.say(words.NOT_SHOWN_INTRO))]
    not_run = tuple(_not_run(simulation, voice))
    told = simulation.environment.not_shown
    if told:
        # These sentences come from the simulation, in French; a reader's browser is told so.
        blocks.append(Bullets(items=told, lang="fr" if voice.lang != "fr" else ""))
    if not_run:
        blocks.append(Bullets(items=not_run))
    if not told and not not_run:
        blocks.append(Prose(words=voice.say(words.NOT_SHOWN_NONE)))
    blocks.append(Heading(words=voice.say(words.ENVIRONMENT)))
    blocks.append(_environment(simulation, voice))
    if simulation.windows:
        blocks.append(_windows(simulation, voice))
    if simulation.care:
        blocks.append(_care(simulation, voice))
    return Section(anchor="limites", title=voice.say(words.NOT_SHOWN), blocks=tuple(blocks))


def _not_run(simulation: Simulation, voice: Voice) -> Iterator[str]:
    """Skipped attacks and work, each reason once with the file systems it holds for."""
    reasons: dict[tuple[str, str], list[str]] = {}
    cases = [(voice.attack(case.name), case.fs, case.skipped) for case in simulation.attacks]
    cases += [(voice.task(case.name), case.fs, case.skipped) for case in simulation.honest]
    for name, fs, skipped in cases:
        if skipped:
            why = without_names(skipped.rstrip(".")) + "."
            reasons.setdefault((name, why), []).append(fs)
    for (name, why), where in reasons.items():
        systems = show.systems(tuple(where))
        yield voice.say(words.NOT_RUN, attack=name, fs=systems, why=why)


def _environment(simulation: Simulation, voice: Voice) -> Table:
    values = _environment_values(simulation.environment, voice)
    values["seconds"] = voice.duration(simulation.seconds * 1000) if simulation.seconds else ""
    values["command"] = simulation.command
    rows = tuple(
        (Cell(main=voice.say(name)), Cell(main=values[key], code=key == "command"))
        for key, name in words.ENVIRONMENT_ROWS.items()
        if values[key]
    )
    return Table(caption="", head=(), rows=rows, name="facts")


def _environment_values(environment: Environment, voice: Voice) -> dict[str, str]:
    mode = words.MODES.get(environment.mode)
    rights = voice.say(words.AS_ROOT if environment.root else words.AS_USER)
    hardware = voice.say(
        words.HARDWARE, cpus=environment.cpus, memory=voice.size(environment.memory_bytes)
    )
    practice = voice.say(
        words.PRACTICE, files=voice.number(environment.files), size=voice.size(environment.bytes)
    )
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    return {
        "host": environment.host,
        "at": voice.moment(environment.at),
        "kernel": environment.kernel,
        "hardware": hardware,
        "load": voice.number(environment.load, 2),
        "practice": practice,
        "systems": show.systems(environment.file_systems),
        "mode": f"{voice.say(mode) if mode else environment.mode} ({rights})",
        "versions": versions,
    }


def _windows(simulation: Simulation, voice: Voice) -> Table:
    rows = tuple(
        (
            Cell(main=window.fs),
            Cell(main=voice.number(window.saves)),
            *(
                Cell(main=voice.duration(ms))
                for ms in (window.p50_ms, window.p99_ms, window.worst_ms)
            ),
        )
        for window in simulation.windows
    )
    head = heads(voice, "fs", "saves", "median", "p99", "worst")
    return Table(caption=voice.say(words.WINDOWS), head=head, rows=rows, numeric=(1, 2, 3, 4))


def _care(simulation: Simulation, voice: Voice) -> Table:
    rows = tuple(
        (
            Cell(main=care_part(part.name, voice), small=without_names(part.detail)),
            _mark(voice, good=part.ok, said=words.WORKED if part.ok else words.FAILED),
            Cell(main=voice.duration(part.ms)),
        )
        for part in simulation.care
    )
    head = heads(voice, "part", "result", "time")
    return Table(caption=voice.say(words.CHAIN), head=head, rows=rows, numeric=(2,))


def _mark(voice: Voice, *, good: bool, said: Text) -> Cell:
    return Cell(main=voice.say(said), tone="" if good else "bad")


def attacks_page(simulation: Simulation, voice: Voice) -> Section:
    rows = tuple(_attack_row(attack, voice) for attack in ordered(simulation.attacks))
    names = ("attack", "kind", "fs", "touched", "lost", "newest", "stop", "rollback", "as_before")
    table = Table(
        caption="", head=heads(voice, *names), rows=rows, numeric=(3, 4, 5, 6, 7), name="attacks"
    )
    return Section(anchor="attaques", title=voice.say(words.ATTACKS), blocks=(table,))


def _attack_row(attack: AttackResult, voice: Voice) -> tuple[Cell, ...]:
    known = (
        Cell(main=voice.attack(attack.name), small=condition_of(attack, voice)),
        Cell(main=kind(attack, voice)),
        Cell(main=attack.fs),
    )
    if attack.skipped:
        absent = Cell(main="–", tone="quiet")
        return (*known, *([absent] * 5), Cell(main=voice.say(words.NOT_MEASURED), tone="quiet"))
    stopped = attack.first_write_to_stop_ms if attack.stopped else None
    stop = Cell(main=voice.duration(stopped)) if stopped is not None else None
    unstopped = voice.say(words.OVER if attack.over else words.NEVER)
    never = Cell(main=unstopped, tone="" if by_design(attack) else "bad")
    unknown = Cell(main="–", tone="quiet")
    back = attack.rollback_ms
    return (
        *known,
        Cell(main=voice.number(attack.files_touched)),
        Cell(main=voice.number(attack.files_lost), tone="bad" if attack.files_lost else ""),
        Cell(main=voice.number(attack.newest_save_lost)),
        stop or (unknown if attack.stopped else never),
        Cell(main=voice.duration(back)) if back is not None else unknown,
        _mark(voice, good=not attack.wrong, said=words.NO if attack.wrong else words.YES),
    )


def honest_page(simulation: Simulation, voice: Voice) -> Section:
    parts = (
        (
            words.HONEST_TUNED,
            [w for w in simulation.honest if not w.wanted_stop and not w.held_out],
        ),
        (words.HONEST_HELD_OUT, [w for w in simulation.honest if not w.wanted_stop and w.held_out]),
        (words.HONEST_WANTED, [work for work in simulation.honest if work.wanted_stop]),
    )
    tables = tuple(_honest(works, caption, voice) for caption, works in parts if works)
    blocks: tuple[Block, ...] = tables or (
        Prose(words=voice.say(words.NOT_MEASURED), tone="quiet"),
    )
    return Section(anchor="honnete", title=voice.say(words.HONEST), blocks=blocks)


def _honest(works: Sequence[HonestResult], caption: Text, voice: Voice) -> Table:
    return Table(
        caption=voice.say(caption),
        head=heads(voice, "work", "fs", "stopped", "points", "slowdown"),
        rows=tuple(_honest_row(work, voice) for work in works),
        numeric=(3, 4),
        name="honest",
    )


def _honest_row(work: HonestResult, voice: Voice) -> tuple[Cell, ...]:
    if work.skipped:
        absent = Cell(main="–", tone="quiet")
        said = Cell(main=voice.say(words.NOT_MEASURED), tone="quiet")
        return (Cell(main=voice.task(work.name)), Cell(main=work.fs), said, absent, absent)
    wrong = work.stopped and not work.wanted_stop
    slow = show.amount(voice, work.slowdown, "ratio") if work.slowdown is not None else None
    # Why somebody honest was stopped is what its maker wants to know first; in French, as it came.
    why = without_names(work.why[0]) if wrong and work.why and voice.lang == "fr" else ""
    return (
        Cell(main=voice.task(work.name), small=why),
        Cell(main=work.fs),
        _mark(voice, good=not wrong, said=words.YES if work.stopped else words.NO),
        Cell(main=voice.number(work.points, 1)),
        Cell(main=slow) if slow else Cell(main="–", tone="quiet"),
    )
