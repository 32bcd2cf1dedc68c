"""Waits until nothing noticed so far is still under way."""

import threading

from releve.flow.guard.ground import Desks
from releve.flow.guard.read.intake import Intake
from releve.flow.guard.work import Job
from releve.flow.ports import Clock


class Quiet:
    """Knows all places where work may wait."""

    def __init__(self, intake: Intake, desks: Desks, clock: Clock) -> None:
        self._intake, self._desks, self._clock = intake, desks, clock
        self.comparing = False  # everything is being compared with the originals

    def wait(self, most_s: float) -> None:
        """Until nothing noticed so far waits to be held or judged; at most `most_s`."""
        end = self._clock.steady() + most_s
        while self._clock.steady() < end:
            self._intake.wait()
            self._desks.hold.hasten(_at_once)
            if (
                not self._intake.is_behind
                and not self.comparing
                and self._desks.hold.is_idle()
                and (self._desks.judge.is_idle() or threading.current_thread().name == "judge")
            ):
                return
            self._clock.sleep(0.001)


def _at_once(job: Job) -> bool:
    """All that was saved is held now: what somebody else saved a moment ago is kept, too."""
    job.at_once = not job.tries
    return job.at_once
