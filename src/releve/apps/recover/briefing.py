"""What `recover start` tells before it opens: from when, why, what is newer, what is not given back."""

import datetime as dt
from collections import Counter

import msgspec

from releve.apps.recover.state import Asked
from releve.model.vault import Right
from releve.recover.course import Cause, Course

_REFUSED = 3


class Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="course"):
    """The same for programs: counts and times only, no names."""

    target: str
    incident: str
    snapshot: str
    at: dt.datetime | None
    cut: dt.datetime | None
    first_suspect: str | None
    why: tuple[str, ...]
    newer: int
    newer_bytes: int
    instead: int
    databases: int
    withheld: int
    left: int
    view: str
    right: Right | None


def told(asked: Asked) -> Told | None:
    """None when no plan leads there."""
    course = asked.course
    if course is None:
        return None
    count = Counter(piece.cause for piece in course.pieces)
    return Told(
        target=asked.target,
        incident=asked.incident,
        snapshot=course.snapshot,
        at=course.at,
        cut=course.cut,
        first_suspect=course.first_suspect,
        why=tuple(why.code for why in course.why),
        newer=count[Cause.NEWER],
        newer_bytes=sum(piece.size for piece in course.pieces),
        instead=count[Cause.INSTEAD],
        databases=count[Cause.DATABASE],
        withheld=len(course.hidden),
        left=len(course.left),
        view=asked.view,
        right=asked.right,
    )


def sentences(asked: Asked) -> list[str]:
    """In French, for whoever stands there at night."""
    lines = [f"Reprise pour l'incident {asked.incident}."] if asked.incident else []
    lines += _right(asked)
    course = asked.course
    if course is None:
        return lines
    if course.cut:
        lines.append(f"Première écriture malveillante : {_local(course.cut)}.")
    when = f" du {_local(course.at)}" if course.at else ""
    why = f" : {course.why[0].fr}" if course.why else ""
    lines.append(f"{course.folder} revient de la sauvegarde {course.snapshot[:8]}{when}{why}.")
    lines += [f"    pas {name[:8]} : {why.fr}" for name, why in course.refused[:_REFUSED]]
    lines += _pieces(course)
    if course.hidden:
        lines.append(f"Pas rendus : {len(course.hidden)}")
        lines += [f"    {one.path} : {one.why.fr}" for one in course.hidden[:_REFUSED]]
    if course.elsewhere:
        lines.append(f"Hors de ce dossier : {', '.join(course.elsewhere)}.")
    return lines


def _pieces(course: Course) -> list[str]:
    lines = []
    if course.bases:
        lines.append(f"Les bases viennent de la sauvegarde {course.bases[:8]}.")
    for cause, words in _SAID.items():
        chosen = [piece for piece in course.pieces if piece.cause is cause]
        if chosen:
            size = sum(piece.size for piece in chosen) / 1e6
            times = [piece.at for piece in chosen if piece.at]
            until = f", jusqu'au {_local(max(times))}" if times else ""
            lines.append(f"{words} : {len(chosen)} ({size:.1f} Mo{until})")
    if course.left:
        lines.append(f"Plus récents, restés au coffre : {len(course.left)} (`releve restore`)")
    return lines


def _right(asked: Asked) -> list[str]:
    right = asked.right
    if right is None:
        return []
    way = (
        "deux personnes" if right.path == "two_people" else right.path.replace("agreed:", "chemin ")
    )
    opened = f", ouvert en {right.to_open_s:.0f} s" if right.to_open_s is not None else ""
    since = f"demandé il y a {right.since_asked_s:.0f} s"
    return [f"Droit {right.opening} ({way}{opened}), {since} ; vue {asked.view or '-'}."]


_SAID = {
    Cause.NEWER: "Plus récents et sains, posés avant l'ouverture",
    Cause.INSTEAD: "Version d'avant, à la place d'une qui ne peut revenir",
    Cause.DATABASE: "Bases prises dans une autre sauvegarde",
}


def _local(at: dt.datetime) -> str:
    return f"{at.astimezone():%d/%m/%Y %H:%M:%S}"
