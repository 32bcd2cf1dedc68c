"""After a restart: open convictions are carried to their end, from the journal."""

from collections.abc import Callable

from releve.flow.guard.book import merge
from releve.flow.guard.respond.conviction import Conviction, Journal, convicted, iso, rolled_back
from releve.flow.guard.respond.journaling import Diary
from releve.flow.guard.respond.undoing import Undo
from releve.flow.guard.respond.waiting import Waiting
from releve.flow.ports import Clock, Hands
from releve.model.lines import Alert
from releve.model.process import Process
from releve.recover.rollback import Touch

_READ_NS = 500_000_000  # so long after a deletion was read, its author stood in the journal


class Finish:
    """Stops what is left of convicted families and undoes what they did.

    Args:
        frozen: families that wait for a person's decision; those found are added.
    """

    def __init__(
        self,
        diary: Diary,
        undo: Undo,
        waiting: Waiting,
        hands: Hands,
        clock: Clock,
        say: Callable[[object], None],
        frozen: dict[str, Process],
    ) -> None:
        self._diary, self._undo, self._waiting, self._hands = diary, undo, waiting, hands
        self._clock, self._say, self._frozen = clock, say, frozen

    def stop_left(self) -> None:
        """After a restart, first of all: kill what still lives of open convictions, let suspects go."""
        decided = self._diary.open()
        for journal in self._diary.stills():
            if journal.family not in {one.family for one, _ in decided}:
                for process in self._diary.left(journal):
                    self._hands.thaw(process)
            self._diary.moves(journal.family)
        for journal, state in decided:
            for process in self._diary.left(journal):
                if state == "frozen":
                    self._frozen[journal.family] = process
                elif journal.kill:
                    self._hands.freeze(process)
                    self._hands.kill(process)

    def is_unsure(self) -> bool:
        """A roll-back is under way whose author nobody could name."""
        return any(state == "stopped" and not one.known for one, state in self._diary.open())

    def finish(self, unseen: dict[bytes, Touch], absent: Process) -> set[bytes]:
        """After a restart: finish the roll-back of open convictions.

        Args:
            unseen: what changed while nobody watched; on files that such a family had touched it
                is taken for the family's.
            absent: stands for whoever did that.

        Returns: the files that were looked after.
        """
        done: set[bytes] = set()
        for journal, state in self._diary.open():
            if state == "stopped":
                c, touched = self._finish(journal, unseen, absent)
                done |= touched
                if c.blocked:
                    self._wait(c, journal)
                    continue
                self._say(rolled_back(c, journal.family, self._clock.wall_ns()))
                if not journal.kill:
                    self._frozen.update((journal.family, p) for p in self._diary.left(journal)[:1])
            if state != "frozen" and journal.family not in self._frozen:
                self._diary.drop(journal.family)
            elif state == "stopped":
                self._diary.put(journal, "frozen")
        self._diary.commit()
        return done

    def _wait(self, c: Conviction, journal: Journal) -> None:
        """Its row stays: it is finished when its disk can be written to, or at another start."""
        family = journal.family
        self._waiting.add(c, family, lambda: self._diary.drop(family))

    def _finish(
        self, journal: Journal, unseen: dict[bytes, Touch], absent: Process
    ) -> tuple[Conviction, set[bytes]]:
        head = Process(0, journal.at_ns, None, program="journal", known=journal.known)
        action = "killed" if journal.kill else "frozen"
        c = convicted(head, "journal", action, journal.bad_since_ns, [], {head})
        touches: dict[bytes, Touch] = {}
        for touch in journal.touches:
            known = touches.get(touch.file)
            touches[touch.file] = merge(known, touch) if known is not None else touch
        for file in touches.keys() & unseen.keys():
            touches[file] = merge(touches[file], unseen[file])
        doubtful = {
            file: late
            for file, late in unseen.items()
            if file not in touches
            and late.deleted
            and not late.created
            and not self._is_anothers(file, journal)
        }
        attackers = {w for one, _ in self._diary.open() for w in one.writers}
        for writer in attackers | {absent.id}:  # they live on only by their ids
            pid, _, tick = writer.partition("-")
            c.tree.add(Process(int(pid), int(tick) * 10_000_000, None, known=False))
        # Whatever came while nobody watched, or is another attacker's, is no honest work in the way.
        c.seen.update((file, (0, late.judged)) for file, late in unseen.items())
        for other, _ in self._diary.open():
            c.seen.update((touch.file, (0, touch.judged)) for touch in other.touches)
        self._undo.undo(c, touches)
        restored = c.restored
        self._undo.undo(c, doubtful)
        self._say_doubtful(journal, c.restored - restored)
        return c, touches.keys() | doubtful.keys()

    def _is_anothers(self, file: bytes, journal: Journal) -> bool:
        """Deleted by somebody else: the deletion was read in time, and it is not among the family's."""
        gone = self._undo.gone_ns(file)
        return 0 < gone < journal.at_ns - _READ_NS

    def _say_doubtful(self, journal: Journal, count: int) -> None:
        if count:
            self._say(
                Alert(
                    kind="deletion_undone",
                    family=journal.family,
                    at=iso(self._clock.wall_ns()),
                    why=f"Fichiers remis, qui furent supprimés autour de l'arrêt du gardien : {count}. Rien ne dit "
                    "si ce fut l'attaque ou quelqu'un d'autre. Ce que vous aviez supprimé vous-même, "
                    "supprimez-le de nouveau.",
                    why_en=f"Files given back that were deleted around the end of the guard: {count}. Nothing tells "
                    "whether the attack or somebody else did. What you deleted yourself, delete again.",
                )
            )
