"""What to do with each file that a convicted family touched: a pure decision per file."""

from collections.abc import Callable, Sequence

import msgspec

from releve.model.held import Generation, Judged, Name


class Touch(msgspec.Struct, kw_only=True, gc=False):
    """What one process did to one file, from the notifications (times ns since the epoch).

    Mutable, as it grows with every notification; `was` are the names that the file lost by it.
    """

    file: bytes
    folder: int
    first_ns: int
    last_ns: int
    bad_ns: int = 0  # when what was judged bad was noticed, 0 if nothing was
    wrote_ns: int = 0  # when it last changed the content, 0 if that was not noticed
    looked_ns: int = 0  # when what `judged` says was seen
    created: bool = False
    wrote: bool = False
    deleted: bool = False
    was: tuple[Name, ...] = ()  # tuples: an empty one costs nothing, and most are
    became: tuple[Name, ...] = ()
    judged: Judged = Judged.NOT_YET


class LeaveAsIs(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of the family's is left in it, or its work on it was honest."""


class PutBack(msgspec.Struct, frozen=True, kw_only=True):
    """Give back `generation` under `names`; `beside`: keep what stands there now in a second file.

    `before`: what it was before the damage, where `generation` is somebody else's save after that.
    """

    generation: Generation
    before: Generation | None = None
    beside: bool = False
    newest_lost: bool = False


class Quarantine(msgspec.Struct, frozen=True, kw_only=True):
    """The family made it: out of the folder, kept in the store."""


class Unrecoverable(msgspec.Struct, frozen=True, kw_only=True):
    """No held version: younger than the window, or never held (store full)."""

    newest_only: bool


Decision = LeaveAsIs | PutBack | Quarantine | Unrecoverable


_BEFORE_NS = 60_000_000_000  # how long before the first proved damage what looks sound is doubted
SETTLED_NS = (
    10_000_000_000  # what was made, or named, and stood for so long is no part of an attack
)
_LATE_NS = 100_000_000  # a save may be on the disk so long before its notification is read


def decide(
    touch: Touch,
    generations: Sequence[Generation],
    *,
    is_family: Callable[[str], bool],
    bad_since_ns: int,
    born_ns: int,
    others_ns: Sequence[int],
    window_ns: int,
    author_known: bool = True,
    ahead_ns: int = 0,
) -> Decision:
    """Choose what becomes of one touched file.

    Args:
        touch: all that the family did to it, merged.
        generations: held versions, oldest first.
        is_family: says whether a generation's writer belongs to the family.
        bad_since_ns: the family's first harmful act; its clean work before that is kept.
        born_ns: when the inode became known.
        others_ns: when somebody else saved it, as far as that is remembered, oldest first.
        window_ns: the promised delay between a save and its held copy.
        author_known: False when the "family" is everybody who may have written (evidence instead
            of certainty, or nobody watched): sound changes are other people's work and stay.
        ahead_ns: how far the guard's time is ahead of the wall clock, which ctime follows.
    """
    if not author_known:
        return _decide_unknown(touch, generations, bad_since_ns, born_ns, window_ns)
    # A program that was held still between its write and its close or renaming wrote before that.
    over_ns = next((at for at in others_ns if at > (touch.wrote_ns or touch.last_ns)), 0)

    def is_theirs(g: Generation) -> bool:
        """Held on a notification of the family's; what is in it was saved over that by somebody else."""
        return is_family(g.writer) and not 0 < over_ns < g.taken_ns

    good = [g for g in generations if _is_good(g, is_theirs, bad_since_ns)]
    if was_sound(touch, bad_since_ns, over_ns):
        return LeaveAsIs()
    own = bool(generations) and all(is_family(g.writer) for g in generations)
    if (touch.created or own) and not good:
        return LeaveAsIs() if touch.deleted else Quarantine()
    if not good:
        return Unrecoverable(newest_only=touch.first_ns - born_ns <= window_ns)
    best = _settled_last(good)
    mixed = [g for g in generations if g.id > best.id and not is_theirs(g) and g.writer]
    changed_ns = best.facts.ctime_ns + ahead_ns
    last_ns = max(others_ns, default=0)
    missed = last_ns > best.taken_ns and last_ns > changed_ns + window_ns
    damage_ns = touch.bad_ns or (touch.first_ns if over_ns and touch.wrote else 0)
    before = _before_damage(damage_ns, best, good, is_theirs)
    return PutBack(generation=best, before=before, beside=bool(mixed), newest_lost=missed)


def _before_damage(
    damage_ns: int,
    best: Generation,
    good: Sequence[Generation],
    is_theirs: Callable[[Generation], bool],
) -> Generation | None:
    """Who saved over the damage may not have seen what was there: that is given to them as well."""
    if not damage_ns or best.taken_ns <= damage_ns or is_theirs(best):
        return None
    older = [g for g in good if g.taken_ns < damage_ns]
    return _settled_last(older) if older else None


def was_sound(touch: Touch, bad_since_ns: int, over_ns: int = 0) -> bool:
    """Sound work of the family before its first harmful act. A new name given just before is none.

    An attacker that renames what it destroys begins, as often as not, with a file that is empty.
    `over_ns`: when somebody else next saved the file; what was looked at after that was theirs.
    """
    if over_ns and over_ns < touch.looked_ns + _LATE_NS:
        return False
    if touch.wrote_ns > touch.looked_ns:
        return False  # nobody has looked at it since
    is_renamed = bool(touch.was and touch.became) and not touch.created and not touch.deleted
    late = bad_since_ns - _BEFORE_NS if is_renamed else bad_since_ns
    return touch.judged is Judged.CLEAN and touch.last_ns < late


def _decide_unknown(
    touch: Touch, generations: Sequence[Generation], bad_since_ns: int, born_ns: int, window_ns: int
) -> Decision:
    """Only what is proved bad is undone outright; what may be honest is kept beside the original."""
    # A name of several went, like a deletion.
    unlinked = bool(touch.was) and not touch.became and not touch.created
    settled = _settled_before(touch, generations, bad_since_ns)
    if settled is not None:
        return PutBack(generation=settled)
    if (touch.judged is Judged.CLEAN and not unlinked) or (touch.created and touch.deleted):
        return LeaveAsIs()
    if touch.judged is Judged.NOT_YET and touch.last_ns < bad_since_ns - _BEFORE_NS:
        return LeaveAsIs()  # deleted or renamed well before anything was destroyed
    if touch.created:
        # A file that stayed empty was never judged: most likely the one it died on.
        opaque = touch.judged in (Judged.UNKNOWN, Judged.BAD) or touch.wrote
        if opaque and touch.last_ns >= bad_since_ns:
            return Quarantine()
        if touch.judged is not Judged.BAD:
            return LeaveAsIs()
    good = [
        g for g in generations
        if g.judged is Judged.CLEAN or (not g.writer and g.judged is not Judged.BAD)
    ]  # fmt: skip
    if not good:
        return Unrecoverable(newest_only=touch.first_ns - born_ns <= window_ns)
    doubtful = touch.wrote and not touch.deleted and touch.judged is not Judged.BAD
    return PutBack(generation=_settled_last(good), beside=doubtful)


def _settled_before(
    touch: Touch, generations: Sequence[Generation], bad_since_ns: int
) -> Generation | None:
    """The newest version from before of a file that somebody had made, if the attack destroyed it.

    Nobody tells its maker from the attacker: what stood there, held and sound, was no part of it;
    nor what nobody can read, if it was deleted and had stood there long before.
    """
    is_gone = touch.deleted and touch.judged is not Judged.CLEAN  # no sound file took its place
    is_destroyed = is_gone or touch.judged is Judged.BAD
    if not touch.created or not is_destroyed or touch.last_ns < bad_since_ns:
        return None
    long_before_ns = touch.last_ns - SETTLED_NS
    # What is half written looks sound, but is not deleted.
    before_ns = max(long_before_ns, bad_since_ns) if touch.deleted else long_before_ns
    opaque_ns = min(long_before_ns, bad_since_ns) if touch.deleted else 0
    held = [g for g in generations if g.settled and g.facts.size and g.judged is not Judged.BAD]
    sound = [
        g for g in held
        if g.taken_ns < (before_ns if g.judged is Judged.CLEAN else opaque_ns)
    ]  # fmt: skip
    return sound[-1] if sound else None


def _is_good(g: Generation, is_theirs: Callable[[Generation], bool], bad_since_ns: int) -> bool:
    if g.judged is Judged.BAD:
        return False
    if is_theirs(g):
        return g.judged is Judged.CLEAN and g.taken_ns < bad_since_ns
    # Somebody else's: sound, or not yet proved otherwise and from before the attack.
    return g.judged is Judged.CLEAN or g.taken_ns < bad_since_ns


def _settled_last(good: Sequence[Generation]) -> Generation:
    """The newest settled one; a torn one only if nothing else is held."""
    settled = [g for g in good if g.settled]
    return settled[-1] if settled else good[-1]


def keep(generations: Sequence[Generation], most: int) -> set[int]:
    """Which generations stay, at most `most`: the oldest, the last sound ones, and each writer's newest.

    A flood of saves by one family, sound ones as well, can thus not push out what others saved.
    """
    if len(generations) <= 2:
        return {g.id for g in generations}
    kept = {generations[0].id, generations[-1].id}
    clean = [g for g in generations if g.settled and g.judged is Judged.CLEAN]
    if clean:
        kept.add(clean[-1].id)
        if len(clean) > 1:
            kept.add(clean[-2].id)
    since = clean[-1].id if clean else 0
    sound = {g.writer: g.id for g in clean}
    newest = {g.writer: g.id for g in generations if g.id > since}
    for generation in (
        *sorted(sound.values(), reverse=True),
        *sorted(newest.values(), reverse=True),
    ):
        if len(kept) >= most:
            break
        kept.add(generation)
    return kept
