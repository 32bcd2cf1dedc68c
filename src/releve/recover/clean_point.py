"""The clean point: per data set the last clean snapshot, and the newest clean version of each file.

Pure: everything comes from the catalogue. A snapshot is clean for a data set if its own transition
was, nothing that was destroyed earlier is still so, and its reading ended before the first
malicious write. What is younger is offered file by file, never if it may act when opened.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from releve.model.clean import (
    DataSet,
    Judgement,
    Kept,
    Newer,
    Plan,
    Point,
    SetPlan,
    Verdict,
    Why,
    Withheld,
)  # fmt: skip


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one data set, as the series of its judgements leaves it."""

    wounds: frozenset[str] = frozenset()
    alarmed_by: str = ""  # the snapshot whose alarm nobody has taken back


def step(body: Body, snapshot: str, judgement: Judgement, *, accepted: bool = False) -> Body:
    """The state after one more transition; a person who accepts it takes its signs back."""
    wounds = (body.wounds - frozenset(judgement.healed)) | frozenset(judgement.wounds)
    alarmed_by = body.alarmed_by or (snapshot if judgement.alarmed else "")
    if accepted:
        return Body()
    return Body(wounds=wounds, alarmed_by=alarmed_by)


def standing(
    points: Sequence[Point], data_set: str, accepted: frozenset[str] = frozenset()
) -> list[tuple[Point, Verdict, tuple[Why, ...]]]:
    """Each snapshot with what the data set is worth in it, oldest first; only where it is in."""
    body, found = Body(), []
    for point in points:
        judgement = next((j for j in point.judgements if j.data_set == data_set), None)
        if judgement is None:
            continue
        is_accepted = point.snapshot in accepted
        body = step(body, point.snapshot, judgement, accepted=is_accepted)
        found.append((point, *_worth(body, point, judgement, accepted=is_accepted)))
    return found


def plan(
    points: Sequence[Point],
    sets: Iterable[DataSet],
    versions: Mapping[str, Sequence[Kept]],
    *,
    first_write: dt.datetime | None = None,
    accepted: frozenset[str] = frozenset(),
) -> Plan:
    """Where each data set comes back from.

    Args:
        points: all judged snapshots, oldest first.
        sets: what is restored as one.
        versions: by data set, the versions of its files that came with any snapshot; `first` and
            `until` are places in `points`.
        first_write: the first malicious write, if an incident tells it.
        accepted: snapshots that a person looked at and took for good.
    """
    named = tuple(sets)
    choices = {s.name: _choose(standing(points, s.name, accepted), first_write) for s in named}
    suspect = _first_suspect(points, choices.values(), first_write)
    made = (_set_plan(s, points, choices[s.name], versions.get(s.name, ()), suspect) for s in named)
    first = points[suspect].snapshot if suspect is not None else None
    return Plan(cut=first_write, first_suspect=first, sets=tuple(made))


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The last clean snapshot of one data set, and those after it, each with its reason."""

    point: Point | None = None
    why: tuple[Why, ...] = ()
    refused: tuple[tuple[str, Why], ...] = ()


_Worth = Sequence[tuple[Point, Verdict, tuple[Why, ...]]]
_AFTER = Why(
    code="after",
    fr="lu après la première écriture malveillante",
    en="read after the first malicious write",
)


def _worth(
    body: Body, point: Point, judgement: Judgement, *, accepted: bool
) -> tuple[Verdict, tuple[Why, ...]]:
    if accepted:
        return Verdict.CLEAN, (
            Why(code="accepted", fr="accepté par une personne", en="accepted by a person"),
        )
    if judgement.verdict is not Verdict.CLEAN:
        return judgement.verdict, judgement.why
    if body.alarmed_by:
        short = body.alarmed_by[:8]
        return Verdict.SUSPECT, (
            Why(code="alarm", fr=f"doute depuis {short}", en=f"in doubt since {short}"),
        )
    if body.wounds:
        count = len(body.wounds)
        return Verdict.SUSPECT, (
            Why(
                code="wounds",
                fr=f"fichiers encore détruits ou malveillants : {count}",
                en=f"files still destroyed or malicious: {count}",
                count=count,
            ),
        )
    if not point.is_complete:
        return Verdict.UNJUDGED, (
            Why(code="unjudged", fr="jugement inachevé", en="not judged to the end"),
        )
    return Verdict.CLEAN, (
        Why(
            code="clean",
            fr=f"tout ce qui a changé est sain (fichiers : {_counted(judgement)})",
            en=f"all that changed is sound (files: {_counted(judgement)})",
        ),
    )


def _counted(judgement: Judgement) -> int:
    return judgement.totals.added + judgement.totals.changed


def _is_before(point: Point, first_write: dt.datetime | None) -> bool:
    """Its reading was over: what it holds of a moment is of some moment between begin and end."""
    return first_write is None or point.ended_at < first_write


def _choose(worth: _Worth, first_write: dt.datetime | None) -> _Choice:
    choice, refused = _Choice(), []
    for point, verdict, why in worth:
        if not _is_before(point, first_write):
            refused.append((point.snapshot, _AFTER))
        elif verdict is Verdict.CLEAN:
            choice, refused = _Choice(point=point, why=why), []
        else:
            refused.append((point.snapshot, why[0] if why else _UNSOUND))
    return msgspec.structs.replace(choice, refused=tuple(refused))


def _first_suspect(
    points: Sequence[Point], choices: Iterable[_Choice], first_write: dt.datetime | None
) -> int | None:
    """The place of the first snapshot of the doubts that still stand, in whatever data set."""
    doubted = {choice.refused[0][0] for choice in choices if choice.refused}
    for place, point in enumerate(points):
        if point.snapshot in doubted or not _is_before(point, first_write):
            return place
    return None


def _set_plan(
    data_set: DataSet,
    points: Sequence[Point],
    choice: _Choice,
    versions: Sequence[Kept],
    suspect: int | None,
) -> SetPlan:
    chosen = choice.point
    place = -1 if chosen is None else _place(points, chosen)
    newer, withheld = _newer(points, versions, place, suspect)
    return SetPlan(
        data_set=data_set.name,
        path=data_set.path,
        snapshot=chosen.snapshot if chosen else None,
        at=chosen.at if chosen else None,
        why=choice.why,
        refused=choice.refused,
        newer=newer,
        withheld=withheld,
    )


def _place(points: Sequence[Point], wanted: Point) -> int:
    return next(at for at, point in enumerate(points) if point.snapshot == wanted.snapshot)


def _newer(
    points: Sequence[Point], versions: Sequence[Kept], place: int, suspect: int | None
) -> tuple[tuple[Newer, ...], tuple[Withheld, ...]]:
    """The newest clean version of each file that is younger than the clean snapshot.

    A version that the clean snapshot holds needs a word only if it may act and came too late. What is
    younger with the same content (a new generation sends everything again) is not brought again.
    """
    shown: dict[str, str] = {}  # by path, the content that the clean snapshot gives back
    best: dict[str, Newer] = {}
    held: dict[str, Withheld] = {}
    last: dict[str, Newer] = {}  # by path, the version that may be given back
    for kept in sorted(versions, key=lambda k: k.first):
        why = _withheld(kept, suspect)
        point = points[kept.first]
        is_there = kept.first <= place and (kept.until is None or kept.until > place)
        if why is None:
            last[kept.path] = _offered(kept, point)
            if is_there:
                shown[kept.path] = kept.facts.sha256
            if kept.first > place and shown.get(kept.path) == kept.facts.sha256:
                best.pop(kept.path, None)
            elif kept.first > place:
                best[kept.path] = last[kept.path]
        elif kept.first > place or (is_there and _is_amiss(kept, why)):
            before, instead = held.get(kept.path), last.get(kept.path)
            held[kept.path] = Withheld(
                path=kept.path,
                snapshot=point.snapshot,
                why=why,
                instead=instead.snapshot if instead else None,
                sha256=instead.sha256 if instead else "",
                size=instead.size if instead else 0,
                is_shown=is_there or (before is not None and before.is_shown),
            )
    return tuple(best[path] for path in sorted(best)), tuple(held[path] for path in sorted(held))


def _offered(kept: Kept, point: Point) -> Newer:
    facts = kept.facts
    return Newer(
        path=kept.path,
        snapshot=point.snapshot,
        at=point.at,
        sha256=facts.sha256,
        size=facts.size,
    )


def _withheld(kept: Kept, suspect: int | None) -> Why | None:
    """Why a version is not offered on its own; None if it is."""
    if kept.facts.verdict is not Verdict.CLEAN:
        return kept.facts.why[0] if kept.facts.why else _UNSOUND
    if suspect is not None and kept.first >= suspect:
        if kept.facts.is_active:
            return _ACTIVE
        if kept.facts.is_opaque or kept.facts.state != "valid":
            return _UNREAD
    return None


def _is_amiss(kept: Kept, why: Why) -> bool:
    """Of what a clean snapshot holds, only what may act or is not sound stays behind."""
    return why is _ACTIVE or kept.facts.verdict is not Verdict.CLEAN


_UNSOUND = Why(code="unsound", fr="version non saine", en="not a sound version")
_ACTIVE = Why(
    code="active",
    fr="programme, script ou document à macros, après le premier doute",
    en="program, script or document with macros, after the first suspect",
)
_UNREAD = Why(
    code="unread",
    fr="contenu non reconnu, après le premier doute",
    en="content not recognised, after the first suspect",
)
