"""The two pages of time: every attack on one axis, and the most telling one up close."""

from collections.abc import Iterator, Sequence

from releve.model.lines import RolledBack, Stopped
from releve.model.proof import AttackResult, Simulation
from releve.report import chart, figures, show, words
from releve.report.document import Block, Drawing, Prose, Section, Step, Story
from releve.report.first_page import unreadable_ms
from releve.report.reasons import reason_steps
from releve.report.redact import names_in
from releve.report.text import SECOND_MS, Voice

ROWS_A_PAGE = 48
# Lines of the drawing that a step, and what stands above the steps, take on paper.
STEP_ROWS, HEAD_ROWS, PAGE_ROWS = 2.6, 18, 56
LABEL = 44  # letters that fit before the file system
KIND_ORDER = tuple(words.KINDS)


def kind(attack: AttackResult, voice: Voice) -> str:
    return voice.say(words.KINDS.get(attack.kind, words.KIND_OTHER))


def ordered(attacks: Sequence[AttackResult]) -> list[AttackResult]:
    """By kind, then name, then file system: the same attack on three systems stands together."""

    def key(attack: AttackResult) -> tuple[int, str, int]:
        known = KIND_ORDER.index(attack.kind) if attack.kind in KIND_ORDER else len(KIND_ORDER)
        return known, attack.name, show.SYSTEM_ORDER.get(attack.fs, 9)

    return sorted(attacks, key=key)


def timeline(simulation: Simulation, voice: Voice) -> Section:
    run = ordered(figures.attacks_run(simulation))
    blocks: tuple[Block, ...] = (Prose(words=voice.say(words.NO_CHART), tone="quiet"),)
    if run:
        labels = _labels(simulation, voice)
        rows = [_row(attack, voice) for attack in run]
        intro = Prose(words=voice.say(words.TIMELINE_INTRO))
        drawings = [Drawing(svg=chart.overview(page, labels)) for page in _pages(rows)]
        blocks = (intro, *drawings)
    return Section(anchor="chronologie", title=voice.say(words.TIMELINE), blocks=blocks)


def _pages(rows: list[chart.Row]) -> Iterator[list[chart.Row]]:
    """Pages of equal length, so that the last one is not a lonely line."""
    count = -(-len(rows) // ROWS_A_PAGE)
    size = -(-len(rows) // count)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _row(attack: AttackResult, voice: Voice) -> chart.Row:
    stop = attack.first_write_to_stop_ms if attack.stopped else None
    return chart.Row(
        label=shortened(voice.attack(attack.name)),
        fs=attack.fs,
        group=voice.say(words.KIND_GROUPS.get(attack.kind, words.KIND_OTHER)),
        stop_ms=stop,
        back_ms=unreadable_ms(attack),
        touched=voice.number(attack.files_touched),
        lost=voice.number(attack.files_lost),
        is_lost=attack.files_lost > 0,
        is_over=attack.over,
    )


def shortened(label: str) -> str:
    return label if len(label) <= LABEL else label[: LABEL - 1].rstrip() + "…"


def _labels(simulation: Simulation, voice: Voice) -> chart.Labels:
    run = figures.attacks_run(simulation)
    times = [unreadable_ms(attack) or attack.first_write_to_stop_ms or 0.0 for attack in run]
    stop = figures.stop_delay(simulation)
    return chart.Labels(
        title=voice.say(words.TIMELINE),
        description=voice.say(
            words.CHART_DESC, n=voice.number(len(run)), stop=show.duration(voice, stop.median)
        ),
        touched=voice.say(words.AXIS_TOUCHED),
        lost=voice.say(words.AXIS_LOST),
        never=voice.say(words.LEGEND_NEVER),
        over=voice.say(words.LEGEND_OVER),
        legend=(
            voice.say(words.LEGEND_ATTACK),
            voice.say(words.LEGEND_STOP),
            voice.say(words.LEGEND_BACK),
        ),
        ticks=tuple((ms, _tick(voice, ms)) for ms in chart.decades(max(times))),
    )


def _tick(voice: Voice, ms: float) -> str:
    return f"{voice.number(ms)} ms" if ms < SECOND_MS else f"{voice.number(ms / SECOND_MS)} s"


def telling(attacks: Sequence[AttackResult]) -> AttackResult | None:
    """The attack to draw: one that lost something, else most reasons, else most files."""

    def weight(attack: AttackResult) -> tuple[int, int, int, str]:
        return attack.files_lost, figures.reasons(attack), attack.files_touched, attack.name

    drawable = [
        attack
        for attack in attacks
        if attack.stopped and unreadable_ms(attack) is not None and figures.reasons(attack)
    ]
    return max(drawable, key=weight, default=None)


def detail(simulation: Simulation, voice: Voice) -> Section | None:
    attack = telling(figures.attacks_run(simulation))
    if attack is None:
        return None
    steps = tuple(_steps(attack, voice))
    return Section(
        anchor="detail",
        sheet=not _fits_beneath(figures.attacks_run(simulation), len(steps)),
        title=voice.say(words.DETAIL, attack=voice.attack(attack.name), fs=attack.fs),
        blocks=(
            Drawing(svg=chart.close_up(_close(attack, voice))),
            Prose(words=voice.say(words.DETAIL_INTRO)),
            Story(steps=steps),
        ),
    )


def _fits_beneath(run: Sequence[AttackResult], steps: int) -> bool:
    """Whether the attack up close has room beneath the last drawing; else it takes a new page."""
    pages = -(-len(run) // ROWS_A_PAGE)
    rows = -(-len(run) // pages) + 1.3 * len({attack.kind for attack in run})
    return rows + HEAD_ROWS + steps * STEP_ROWS < PAGE_ROWS


def _close(attack: AttackResult, voice: Voice) -> chart.Close:
    stop, back = attack.first_write_to_stop_ms or 0.0, unreadable_ms(attack) or 0.0
    said_stop, said_back = show.duration(voice, stop), show.duration(voice, back)
    return chart.Close(
        title=voice.say(words.DETAIL, attack=voice.attack(attack.name), fs=attack.fs),
        description=voice.say(words.DETAIL_DESC, stop=said_stop, back=said_back),
        stop_ms=stop,
        back_ms=back,
        first=voice.say(words.FIRST_WRITE),
        stop=voice.say(words.STOPPED_AFTER, time=said_stop),
        back=voice.say(words.BACK_AFTER, time=said_back),
    )


def _steps(attack: AttackResult, voice: Voice) -> Iterator[Step]:
    names = names_in(attack)
    stops = [line for line in attack.lines if isinstance(line, Stopped)]
    points = [point for line in stops for point in line.points]
    yield Step(mark="0", words=voice.say(words.FIRST_WRITE).capitalize() + ".")
    yield from reason_steps(points, voice, names)
    for line in stops:
        action = words.ACTIONS.get(line.action)
        time = voice.duration(line.first_write_to_stop_ms)
        said = voice.say(action) if action else line.action
        yield Step(mark=voice.say(words.STOPPED_AFTER, time=time), words=said, tone="bad")
    for back in (line for line in attack.lines if isinstance(line, RolledBack)):
        yield _rollback_step(back, voice)


def _rollback_step(line: RolledBack, voice: Voice) -> Step:
    time = voice.duration(line.rollback_ms)
    beside = [
        voice.count(what, len(paths))
        for what, paths in (
            (words.QUARANTINED, line.quarantined),
            (words.KEPT_BOTH, line.kept_both),
            (words.LEFT, line.left),
        )
        if paths
    ]
    if line.lost:
        beside.insert(0, voice.count(words.FILES_LOST, len(line.lost)) + ".")
    return Step(
        mark=voice.say(words.LEGEND_BACK).capitalize(),
        words=voice.count(words.RESTORED, line.restored, time=time),
        small=" ".join(beside),
        tone="bad" if line.lost else "good",
    )
