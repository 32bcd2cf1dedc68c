"""Judges one data set between two snapshots, from the judged changes; nothing is read here."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

import msgspec

from releve.detect.files.kinds import DECODED, SEALED, ending, promised
from releve.detect.files.limits import LIMITS, FileLimits
from releve.model.clean import Change, Facts, How, Judgement, Totals, Verdict, Why


class Background(msgspec.Struct, frozen=True, kw_only=True):
    """What was known of the data set before this transition."""

    present: int  # files in it
    endings: AbstractSet[str] = frozenset()  # that were ever seen in it
    wounds: AbstractSet[str] = frozenset()  # paths that were not what they should be
    is_first: bool = False  # nothing to compare with: shares say nothing


def judge(
    data_set: str, changes: Sequence[Change], known: Background, limits: FileLimits = LIMITS
) -> Judgement:
    """The verdict with its reasons, the worst first; the paths that are wounds from now on."""
    work = _Work(changes, known, limits)
    reasons = [
        *work.canaries(),
        *work.malicious(),
        *work.destroyed(),
        *work.removals(),
        *work.endings(),
        *work.opaque(),
        *work.rewritten(),
        *work.notes(),
        *work.weak(),
        *work.unjudged(),
    ]
    reasons.sort(key=lambda pair: -_RANK.index(pair[0]))
    worst = max((verdict for verdict, _ in reasons), key=_RANK.index, default=Verdict.CLEAN)
    alarmed = any(why.code in _WHOLE and v is not Verdict.CLEAN for v, why in reasons)
    return Judgement(
        data_set=data_set,
        verdict=worst,
        why=tuple(why for _, why in reasons),
        totals=work.totals(),
        wounds=tuple(sorted(work.wounds(bad=worst))),
        healed=tuple(sorted(work.healed())),
        alarmed=alarmed,
    )


_RANK = (Verdict.CLEAN, Verdict.UNJUDGED, Verdict.SUSPECT, Verdict.BAD)
# Signs of the whole set that no single file explains: only a person takes them back.
_WHOLE = frozenset({"canary", "removed", "rewritten"})
_Found = tuple[Verdict, Why]


class _Work:
    """The counts of one transition, made once and asked by every sign."""

    def __init__(self, changes: Sequence[Change], known: Background, limits: FileLimits) -> None:
        self.known, self.limits = known, limits
        self.brought = [c for c in changes if c.facts is not None]
        self.added = [c for c in changes if c.how is How.ADDED]
        self.changed = [c for c in changes if c.how is How.CHANGED]
        gone = [c for c in changes if c.how is How.REMOVED]
        self.moved, self.removed = _moved(gone, self.brought)
        self.pairs = _pairs(self.removed, self.added, limits)
        self.lost = self._lost()

    def _lost(self) -> dict[str, float]:
        """Paths of destroyed files with their points: their own, or those of the pair."""
        own = {c.path: c.facts.points for c in self.brought if c.facts}
        paired = {new.path: self.limits.pair for _, new in self.pairs}
        points = {path: max(own.get(path, 0.0), paired.get(path, 0.0)) for path in {*own, *paired}}
        return {path: worth for path, worth in points.items() if worth >= self.limits.destroyed}

    def totals(self) -> Totals:
        return Totals(
            present=self.known.present,
            added=len(self.added),
            changed=len(self.changed),
            removed=len(self.removed),
            moved=len(self.moved),
            destroyed=len(self.lost),
            malicious=len(self._malicious()),
            unjudged=len(self._unjudged()),
            points=round(sum(self.lost.values()), 1),
        )

    # signs

    def canaries(self) -> Iterable[_Found]:
        gone, names = (*self.changed, *self.removed), self.limits.witnesses
        touched = [c for c in gone if PurePosixPath(c.path).name in names]
        # A witness that goes with its folder is honest; one that became unreadable is not.
        bad = [c for c in touched if c.facts is not None or self.pairs]
        if bad:
            yield Verdict.BAD, _why("canary", bad, "témoins modifiés", "witness files changed")

    def malicious(self) -> Iterable[_Found]:
        if found := self._malicious():
            names = sorted({name for c in found if c.facts for name in c.facts.matches})
            shown = ", ".join(names[:3])
            yield (
                Verdict.BAD,
                _why("match", found, f"fichiers reconnus ({shown})", f"files that match {shown}"),
            )

    def destroyed(self) -> Iterable[_Found]:
        points = sum(self.lost.values())
        if points < self.limits.suspect_points:
            return
        verdict = Verdict.BAD if points >= self.limits.bad_points else Verdict.SUSPECT
        brought = {c.path: c for c in self.brought}
        codes = Counter(
            (w.fr, w.en) for path in self.lost for w in (brought[path].facts or _NOTHING).why[:1]
        )
        fr, en = next(iter(dict(codes.most_common(1))), ("", ""))
        lead = (f" ({fr})", f" ({en})") if fr else ("", "")
        yield (
            verdict,
            Why(
                code="destroyed",
                fr=f"fichiers détruits ou chiffrés : {len(self.lost)}{lead[0]}",
                en=f"files destroyed or encrypted: {len(self.lost)}{lead[1]}",
                count=len(self.lost),
            ),
        )

    def removals(self) -> Iterable[_Found]:
        limits, count = self.limits, len(self.removed)
        share = count / max(1, self.known.present)
        if self.known.is_first or count < limits.removed_files or share < limits.removed_suspect:
            return
        verdict = Verdict.BAD if share >= limits.removed_bad else Verdict.SUSPECT
        part = round(share * 100)
        yield (
            verdict,
            _why("removed", self.removed, f"{part} % des fichiers ôtés", f"{part} % of files gone"),
        )

    def endings(self) -> Iterable[_Found]:
        """An ending never seen here on unreadable files, where originals went or gave it their names.

        A new program's packed resources have that ending, too; but nobody's file went for them.
        """
        if self.known.is_first:
            return
        new: dict[str, list[Change]] = defaultdict(list)
        for change in self.added:
            last = ending(change.path)
            if last and last not in self.known.endings and _is_damaged(change.facts):
                new[last].append(change)
        wanted = self.limits.new_extension_files
        for last, found in sorted(new.items()):
            renamed = [c for c in found if promised(c.path) not in ("", last)]
            if len(found) < wanted or not (renamed or len(self.removed) >= wanted):
                continue
            fr, en = f"extension jamais vue : {last}", f"new ending {last}"
            verdict = Verdict.BAD if len(self.removed) >= wanted else Verdict.SUSPECT
            yield verdict, _why("extension", found, fr, en)

    def opaque(self) -> Iterable[_Found]:
        """Many new unreadable files while originals went, wherever they went to."""
        found = [c for c in self.added if _is_unexplained(c)]
        least = self.limits.opaque_files
        if len(found) >= least and len(self.removed) >= least:
            if len(found) >= self.limits.opaque_share * len(self.added):
                yield (
                    Verdict.SUSPECT,
                    _why("opaque", found, "nouveaux fichiers illisibles", "new unreadable files"),
                )

    def rewritten(self) -> Iterable[_Found]:
        limits, count = self.limits, len(self.changed)
        if count < limits.changed_files or count < limits.changed_share * self.known.present:
            return
        unread = [c for c in self.changed if c.facts and not _reads(c.facts)]
        if len(unread) >= limits.unread_share * count:
            part = round(100 * count / max(1, self.known.present))
            yield (
                Verdict.SUSPECT,
                _why(
                    "rewritten",
                    unread,
                    f"{part} % des fichiers réécrits d'un coup, pour la plupart non reconnus",
                    f"{part} % of files rewritten at once, most of them not recognised",
                ),
            )

    def notes(self) -> Iterable[_Found]:
        """One small new text in many folders; honest on its own, a ransom note beside a loss."""
        by_content: dict[str, list[Change]] = defaultdict(list)
        for change in self.added:
            facts = change.facts
            if facts and 0 < facts.size <= self.limits.note_bytes and _is_text(facts):
                by_content[facts.sha256].append(change)
        for found in by_content.values():
            folders = {PurePosixPath(c.path).parent for c in found}
            if len(folders) >= self.limits.note_folders and (self.lost or self.removed):
                verdict = Verdict.BAD if self.lost else Verdict.SUSPECT
                if self.lost or len(self.removed) >= self.limits.removed_files:
                    fr = f"même texte nouveau dans {len(folders)} dossiers"
                    yield (
                        verdict,
                        _why("note", found, fr, f"one new text in {len(folders)} folders"),
                    )

    def weak(self) -> Iterable[_Found]:
        found = [
            c for c in self.brought
            if c.facts and 0 < c.facts.points < self.limits.destroyed and c.path not in self.lost
        ]  # fmt: skip
        if len(found) >= max(self.limits.weak_files, self.limits.weak_share * len(self.changed)):
            yield (
                Verdict.SUSPECT,
                _why("weak", found, "signes faibles répétés", "weak signs, many times"),
            )

    def unjudged(self) -> Iterable[_Found]:
        if found := self._unjudged():
            yield Verdict.UNJUDGED, _why("unjudged", found, "fichiers non jugés", "not judged")

    # wounds

    def wounds(self, *, bad: Verdict) -> set[str]:
        """Bad files that stand, and originals that went in a bad transition."""
        found = {*self.lost, *(c.path for c in self._malicious())}
        found |= {old.path for old, _ in self.pairs}
        if bad is Verdict.BAD and not self.known.is_first:
            if any(verdict is Verdict.BAD for verdict, _ in self.removals()):
                found |= {c.path for c in self.removed}
        return found

    def healed(self) -> set[str]:
        """Former wounds that are sound files again, or bad files that are gone."""
        sound = {
            c.path for c in self.brought
            if c.facts and c.facts.verdict is Verdict.CLEAN and c.path not in self.lost
            and not (c.how is How.CHANGED and c.facts.is_opaque)
        }  # fmt: skip
        return (sound | {c.path for c in self.removed}) & self.known.wounds - self.wounds(
            bad=Verdict.CLEAN
        )

    def _malicious(self) -> list[Change]:
        return [c for c in self.brought if c.facts and c.facts.verdict is Verdict.BAD]

    def _unjudged(self) -> list[Change]:
        arrived = [*self.added, *self.changed]
        return [c for c in arrived if c.facts is None or c.facts.verdict is Verdict.UNJUDGED]


_NOTHING = Facts(sha256="", size=0)


def _moved(gone: Sequence[Change], brought: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Removed paths whose content stands elsewhere now, and those whose does not."""
    there = {c.facts.sha256 for c in brought if c.facts and c.facts.size}
    moved: list[Change] = []
    removed: list[Change] = []
    for change in gone:
        is_moved = change.before is not None and change.before.sha256 in there
        (moved if is_moved else removed).append(change)
    return moved, removed


def _pairs(
    removed: Sequence[Change], added: Sequence[Change], limits: FileLimits
) -> list[tuple[Change, Change]]:
    """Readable files that went, each with the unreadable one that stands for it.

    First by name (`letter.docx` -> `letter.docx.locked`, `letter.locked`), then, for names made up
    by an encryptor, by place and size. A sealed archive for one file is a person's doing.
    """
    waiting = [c for c in added if _is_damaged(c.facts)]
    named: dict[str, Change] = {}
    sized: dict[tuple[PurePosixPath, int], list[Change]] = defaultdict(list)
    for change in waiting:
        for name in _roots(change.path):
            named.setdefault(name, change)
        if change.facts:
            room = change.facts.size // limits.pair_footer
            sized[PurePosixPath(change.path).parent, room].append(change)
    found: list[tuple[Change, Change]] = []
    taken: set[str] = set()
    for old in removed:
        if old.before is None or old.before.is_opaque or old.before.size == 0:
            continue
        new = named.get(old.path) or named.get(str(PurePosixPath(old.path).with_suffix("")))
        if new is None:
            new = _by_size(old, sized, taken, limits)
        if new is not None and new.path not in taken:
            taken.add(new.path)
            found.append((old, new))
    return found


def _roots(path: str) -> list[str]:
    """The names of which a file may be the encrypted form: itself without one and two endings."""
    pure = PurePosixPath(path)
    one = pure.with_suffix("") if pure.suffix else pure
    return [str(one), str(one.with_suffix("")) if one.suffix else str(one)]


def _by_size(
    old: Change,
    sized: dict[tuple[PurePosixPath, int], list[Change]],
    taken: set[str],
    limits: FileLimits,
) -> Change | None:
    if old.before is None:
        return None
    parent, size = PurePosixPath(old.path).parent, old.before.size
    room = size // limits.pair_footer
    near: list[Change] = [*sized.get((parent, room), ()), *sized.get((parent, room + 1), ())]
    for new in near:
        grown = new.facts.size - size if new.facts else -1
        if new.path not in taken and 0 <= grown <= limits.pair_footer and not promised(new.path):
            return new
    return None


def _reads(facts: Facts | None) -> bool:
    """Some check of this house understood it, and it is not sealed."""
    return facts is not None and facts.state == "valid" and not facts.is_opaque


def _is_damaged(facts: Facts | None) -> bool:
    """Unreadable, or broken: not merely of a format that nobody knows here."""
    return facts is not None and (facts.is_opaque or facts.state == "broken")


def _is_text(facts: Facts) -> bool:
    return facts.state == "valid" and facts.kind in ("text", "html", "rtf", "csv", "xml")


def _is_unexplained(change: Change) -> bool:
    facts = change.facts
    if facts is None or not facts.is_opaque or facts.size < 128:
        return False
    last = ending(change.path)
    return last not in SEALED and (facts.kind == "unknown" or last in DECODED)


def _why(code: str, found: Sequence[Change], fr: str, en: str) -> Why:
    return Why(code=code, fr=f"{fr} : {len(found)}", en=f"{en}: {len(found)}", count=len(found))
