"""Judges a database by its own engine's word and its row counts, never by its bytes."""

from collections.abc import Mapping

from releve.detect.files.limits import LIMITS, FileLimits
from releve.detect.ransom.formats import LIMITS as LIMITS_OF_CONTENT
from releve.detect.ransom.formats.uniform import is_flat, looks_uniform
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
    if before and (turned := sorted(set(before.legible) & set(now.sealed))):
        names = ", ".join(turned[:3])
        why = Why(
            code="columns",
            fr=f"colonnes devenues illisibles : {names}",
            en=f"columns that became unreadable: {names}",
            count=len(turned),
        )
        return _harmed(data_set, Verdict.BAD, why)
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
    return _harmed(data_set, Verdict.BAD if emptied else Verdict.SUSPECT, why)


def is_sealed(sample: bytes) -> bool | None:
    """Whether values of one column, joined, are ciphertext or its hex or base64; None: too short."""
    if len(sample) < LIMITS_OF_CONTENT.sample_least:
        return None
    return looks_uniform(sample, LIMITS_OF_CONTENT) or is_flat(sample, LIMITS_OF_CONTENT)


def _harmed(data_set: str, verdict: Verdict, why: Why) -> Judgement:
    """Sound for its engine, yet not as it should be: the next state looks normal beside this one."""
    wounds = (data_set,)
    return Judgement(data_set=data_set, verdict=verdict, why=(why,), wounds=wounds, alarmed=True)


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
