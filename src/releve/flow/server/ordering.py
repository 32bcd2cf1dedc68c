"""What a person asks of hosts: at once, or waiting for one named person, or for two."""

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.server import actions
from releve.flow.server.ports import Unit
from releve.model.order import Isolate
from releve.respond.orders import needs_decision, people_needed
from releve.respond.playbooks import Proposal


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`together`: hosts that are isolated within it count as one mass action, of whichever incident.

    As long as an isolation holds by itself: those before are over, the others are cut at once.
    """

    together: dt.timedelta = dt.timedelta(minutes=Isolate().minutes)


LIMITS = Limits()
_MOST = 100_000


class Doer(msgspec.Struct, frozen=True, kw_only=True):
    """Who does it, when, and with which means."""

    by: str
    at: dt.datetime
    key: Ed25519PrivateKey
    new_id: Callable[[], str]


def ask(unit: Unit, asked: Sequence[Proposal], doer: Doer, why: str = "") -> tuple[str, ...]:
    """The ids of the new actions; `why`: for those who decide.

    Of one host the order goes out at once, unless it would stop care: then it waits for a named
    person. Several hosts wait for two; hosts that would be isolated within `LIMITS.together` are
    several, whoever asked it and however often.
    """
    hosts = {proposal.host for proposal in asked}
    if any(isinstance(proposal.task, Isolate) for proposal in asked):
        hosts |= _cut_lately(unit, doer.at)
    people = people_needed(len(hosts))
    made = (_ask_one(unit, proposal, doer, people=people, why=why) for proposal in asked)
    return tuple(identity for identity in made if identity)


def _ask_one(unit: Unit, proposal: Proposal, doer: Doer, *, people: int, why: str) -> str | None:
    """The new action's id; None when the structure has no such host. `people`: who must agree."""
    unit.hold()
    identity, record = doer.new_id(), unit.host(proposal.host)
    action = actions.propose(
        unit,
        proposal.host,
        proposal.task,
        actor=doer.by,
        identity=identity,
        now=doer.at,
        people=people,
        why=why,
    )
    if action is None or record is None:
        return None
    if people == 1 and not needs_decision(proposal.task, record.host):
        actions.approve(unit, identity, doer.key, actor=doer.by, now=doer.at)
    return identity


def _cut_lately(unit: Unit, now: dt.datetime) -> set[str]:
    """The structure's hosts that somebody would have isolated lately, of whichever incident."""
    since = now - LIMITS.together
    return {
        record.action.host
        for record in unit.actions(most=_MOST)
        if isinstance(record.action.task, Isolate)
        and record.action.state != "refused"
        and record.action.proposed_at > since
    }
