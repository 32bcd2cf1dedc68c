"""Judges a database by its own engine's word and its row counts, never by its bytes."""

from collections.abc import Mapping

from releve.detect.files.limits import LIMITS, FileLimits
from releve.model.clean import Judgement, TableRows, Verdict, Why


def judge(
    data_set: str, now: TableRows, before: TableRows | None, limits: FileLimits = LIMITS
) -> Judgement:
    """The verdict of one consistent copy against the copy of the snapshot before."""
    if not now.opens:
        why = Why(code="database", fr="la base ne s'ouvre pas", en="the database does not open")
        return Judgement(data_set=data_set, verdict=Verdict.BAD, why=(why,), wounds=(data_set,))
    if not now.is_sound:
        why = Why(
            code="database", fr="la base est endommagée", en="the database fails its own check"
        )
        return Judgement(data_set=data_set, verdict=Verdict.BAD, why=(why,), wounds=(data_set,))
    lost = _lost(now.rows, before.rows if before and before.is_sound else {}, limits)
    if not lost:
        return Judgement(data_set=data_set, verdict=Verdict.CLEAN, healed=(data_set,))
    names = ", ".join(f"{name} {before} → {after}" for name, before, after in lost[:3])
    emptied = all(after == 0 for _, _, after in lost)
    why = Why(
        code="rows",
        fr=f"lignes disparues : {names}",
        en=f"rows gone: {names}",
        count=sum(before - after for _, before, after in lost),
    )
    return Judgement(
        data_set=data_set,
        verdict=Verdict.BAD if emptied else Verdict.SUSPECT,
        why=(why,),
        wounds=(data_set,),
        alarmed=True,
    )


def _lost(
    now: Mapping[str, int], before: Mapping[str, int], limits: FileLimits
) -> list[tuple[str, int, int]]:
    """Tables that lost too much: name, rows before, rows now."""
    found = [(name, rows, now.get(name, 0)) for name, rows in sorted(before.items())]
    return [
        (name, rows, left)
        for name, rows, left in found
        if rows >= limits.rows_least and left < rows * (1 - limits.rows_lost)
    ]
