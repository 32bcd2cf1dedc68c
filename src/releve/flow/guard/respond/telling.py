"""What is said of a conviction: why, what was touched, how fast, and what a person may decide."""

from collections.abc import Callable, Iterable

from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Mark
from releve.flow.guard.book import Book
from releve.flow.guard.respond.conviction import Conviction, iso
from releve.flow.guard.work import Volume
from releve.flow.ports import Clock, Contain
from releve.model.held import Judged
from releve.model.lines import Alert, Point, Stopped
from releve.model.process import Process
from releve.recover.rollback import Touch, was_sound

_LOOKED_AT = 64  # touched files whose times are asked for; whoever is stopped waits for that
_LOOKED_AT_UNSEEN = 4096  # of an attack that nobody saw: in no order, and nobody waits


class Tell:
    """Turns convictions into lines.

    Args:
        volumes: by file system id.
        say: where lines go.
        evidence: what speaks against a family beside the marks.
    """

    def __init__(
        self,
        volumes: dict[bytes, Volume],
        book: Book,
        contain: Contain,
        clock: Clock,
        limits: Limits,
        say: Callable[[object], None],
        evidence: Callable[[Process], tuple[Point, ...]],
    ) -> None:
        self._volumes, self._book, self._contain = volumes, book, contain
        self._clock, self._limits, self._say = clock, limits, say
        self._evidence = evidence

    def bad_since(self, tree: set[Process], marks: list[Mark], kind: str) -> int:
        """The family's first harmful act: its sound work before that is kept."""
        touches = self._book.of(tree)
        files = {mark.file for mark in marks}
        bad = [
            t.bad_ns or (t.last_ns if t.deleted else t.first_ns)
            for t in touches.values()
            if t.bad_ns
            or t.file in files
            or (t.created and t.judged not in (Judged.CLEAN, Judged.NOT_YET))
            or (kind == "mass_deletion" and t.deleted)
        ]
        return min(bad, default=self._clock.now_ns())

    def stopped(
        self,
        head: Process,
        tree: set[Process],
        marks: list[Mark],
        kind: str,
        bad_since: int,
        stopped_ns: int,
        action: str,
        members: Iterable[Process],
        client: str = "",
    ) -> Stopped:
        """The line that tells who was stopped, and why."""
        touches = self._book.of(tree)
        originals = [
            t
            for t in touches.values()
            if not t.created and (t.wrote or t.deleted or t.was) and not was_sound(t, bad_since)
        ]
        told = originals
        if not head.known:  # nobody saw the writes: copies beside deleted originals say when
            sound = (Judged.CLEAN, Judged.NOT_YET)
            told = originals + [t for t in touches.values() if t.created and t.judged not in sound]
        first = self._first_write(told, bad_since, _LOOKED_AT if head.known else _LOOKED_AT_UNSEEN)
        points = tuple(
            Point(why=r.why_fr, why_en=r.why_en, score=r.score, path=mark.path)
            for mark in marks[:50]
            for r in mark.reasons
        )
        points += self._evidence(head)
        if kind == "mass_deletion":
            points += (
                Point(
                    why=f"{len(originals)} originaux supprimés sans rien écrire à leur place",
                    why_en=f"{len(originals)} originals deleted with nothing written in their place",
                    score=self._limits.convict,
                ),
            )
        return Stopped(
            family=head.id,
            points=points,
            files_touched=len(originals),
            action=action,
            first_write_to_stop_ms=round(max(0.0, (stopped_ns - first) / 1e6), 2),
            at=iso(stopped_ns),
            program=head.program,
            user=self._contain.user(head) or _account(head),
            client=client,
            pids=tuple(p.pid for p in members),
        )

    def _first_write(self, touches: list[Touch], bad_since: int, most: int) -> int:
        """Earliest ctime of a touched file; of a deleted one, when its deletion was noticed."""
        times, ahead = [], self._clock.now_ns() - self._clock.wall_ns()
        for touch in sorted(touches, key=lambda t: t.first_ns)[:most]:
            volume = self._volumes[touch.file[:8]]
            changed = volume.keeper.changed_ns(touch.file[8:])
            node = volume.keeper.node(touch.file[8:])
            held = volume.keeper.generations(node.id) if node is not None else ()
            if (
                changed
                and not touch.was
                and any(g.facts.ctime_ns == changed and g.judged is Judged.CLEAN for g in held)
            ):
                continue  # opened and closed, nothing written: that time is an older one
            times.append(changed or touch.first_ns - ahead)
        return min([*times, bad_since - ahead])

    def ended(self, head: Process) -> None:
        """A family of which nobody lives waits for no decision."""
        self._say(
            Alert(
                kind="family_ended",
                family=head.id,
                at=iso(self._clock.wall_ns()),
                why=f"{head.program or 'Le programme'} ne tourne plus ; ce qu'il a fait est annulé.",
                why_en=f"{head.program or 'The program'} no longer runs; what it did is undone.",
            )
        )

    def kind(self, c: Conviction) -> None:
        """After a roll-back: what a person has to know or to decide."""
        if c.action == "none" and c.head.known:
            self.ended(c.head)
        if c.action == "none" and not c.head.known:
            self._say(
                Alert(
                    kind="writer_unknown",
                    family=c.head.id,
                    at=iso(self._clock.wall_ns()),
                    why="Des fichiers ont été détruits puis remis, mais aucun programme n'a pu être désigné "
                    "avec certitude : aucun n'a été arrêté. Cherchez ce qui tourne, la garde continue.",
                    why_en="Files were destroyed and given back, but no program could be named for certain: "
                    "none was stopped. Look at what is running; the guard goes on.",
                )
            )
        if c.action == "frozen":
            self._say(
                Alert(
                    kind="frozen",
                    family=c.head.id,
                    at=iso(self._clock.wall_ns()),
                    why=f"{c.head.program or 'Un programme'} est suspendu, ses effets sont annulés : "
                    f"à vous de décider (`releve guard thaw {c.head.id}` ou `releve guard kill {c.head.id}`).",
                    why_en=f"{c.head.program or 'A program'} is frozen and its effects undone: you decide "
                    f"(`releve guard thaw {c.head.id}` or `releve guard kill {c.head.id}`).",
                )
            )


def _account(head: Process) -> str:
    """The number of the user it runs as; empty of an unknown author, of whom no user is known either."""
    return str(head.uid) if head.pid and head.uid >= 0 else ""
