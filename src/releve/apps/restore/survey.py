"""What bringing a folder back would do, told before anything is done."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from releve.model.backup import Entry
from releve.report.text import Voice

_SHOWN = 10


class Plan(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="plan"):
    """Counts of files (links count as files); the names are at most ten of each kind."""

    path: str
    to: str
    source: str
    version_at: str
    make: int = 0  # not there now: deleted, renamed or moved since
    replace: int = 0  # there, and changed since that time
    same: int = 0  # there, of the same size, time, owner and mode; compared by hash when placed
    not_held: int = 0  # stood there, but no sound version is kept
    bytes: int = 0  # of what is made or replaced
    replaced_names: tuple[str, ...] = ()
    not_held_names: tuple[str, ...] = ()


def survey(entries: Sequence[Entry], plan: Plan) -> Plan:
    """The plan with its counts, by a look at what is at the destination now."""
    top = Path(plan.to)
    make = same = size = 0
    replaced: list[str] = []
    missing = [entry.path for entry in entries if not entry.held]
    for entry in entries:
        if entry.kind == "folder" or not entry.held:
            continue
        now = _look(top / entry.path)
        if now is not None and _is_same(now, entry):
            same += 1
            continue
        size += entry.size
        if now is None:
            make += 1
        else:
            replaced.append(entry.path)
    return msgspec.structs.replace(
        plan, make=make, same=same, bytes=size, replace=len(replaced), not_held=len(missing),
        replaced_names=tuple(replaced[:_SHOWN]), not_held_names=tuple(missing[:_SHOWN]),
    )  # fmt: skip


def sentences(plan: Plan, *, only_missing: bool) -> str:
    """The plan for people."""
    said = [f"  {plan.make} fichier(s) à remettre, {plan.same} déjà identique(s)"]
    if plan.replace:
        what = "gardé(s) tels quels" if only_missing else "à remplacer"
        names = _names(plan.replaced_names, plan.replace)
        said.append(f"  {plan.replace} fichier(s) changé(s) depuis, {what} : {names}")
    if plan.not_held:
        names = _names(plan.not_held_names, plan.not_held)
        said.append(f"  {plan.not_held} fichier(s) sans version saine à cette heure : {names}")
    said.append(f"  {Voice('fr').size(plan.bytes)} ; rien de ce qui est apparu depuis n'est effacé")
    return "\n".join(said)


def _names(names: Sequence[str], count: int) -> str:
    return ", ".join(names) + (", …" if count > len(names) else "")


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_same(now: os.stat_result, entry: Entry) -> bool:
    if stat.S_ISLNK(entry.mode):
        return stat.S_ISLNK(now.st_mode) and now.st_size == entry.size
    facts = (now.st_mode, now.st_uid, now.st_gid, now.st_size, now.st_mtime_ns)
    return facts == (entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns)
