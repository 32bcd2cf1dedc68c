"""Times from the first ring to a named person's acknowledgement, each with the cases it rests on."""

from collections.abc import Iterable

import msgspec

from releve.model.help import HelpRequest
from releve.report.figures import Measured, spread

PROMISE_S = 180.0


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """`times` in seconds: who never came counts as infinitely long."""

    times: Measured
    in_time: int  # within the promise
    waiting: int  # still being escalated: they count for nothing yet


def answers(requests: Iterable[HelpRequest]) -> Answers:
    known = [request for request in requests if request.is_asked]
    took = [s for s in (request.answer_s for request in known) if s is not None]
    never = sum(r.course.phase == "ended" for r in known)
    return Answers(
        times=spread(took, (), never=never),
        in_time=sum(seconds <= PROMISE_S for seconds in took),
        waiting=sum(r.course.phase == "ringing" for r in known),
    )
