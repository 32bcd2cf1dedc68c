"""The breach register (GDPR 33.5): one line per declared incident, notified or not."""

import datetime as dt

import msgspec

from releve.model.obligation import Decision
from releve.obligation import words
from releve.obligation.case import Case
from releve.obligation.clocks import answers
from releve.obligation.dossier import all_fillers
from releve.obligation.filling import reason


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of the register: of which duty, who, when, and why."""

    duty: str
    name: str
    decision: Decision
    reason: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Facts, effects, remedial action; empty where nobody has said it yet.

    `personal_data`: the answer, presumed until somebody gave one.
    """

    incident: str
    aware_at: dt.datetime
    told_by: str
    personal_data: str
    facts: str
    nature: str
    persons: str
    categories: str
    records: str
    effects: str
    measures: str
    decisions: tuple[Taken, ...]


def entry(case: Case) -> Entry:
    known, told = all_fillers(case.law), case.told
    taken = (
        Taken(
            duty=clock.duty,
            name=words.duty(case.law, clock.duty),
            decision=decision,
            reason=reason(case, decision.reason),
        )
        for clock in case.clocks
        for decision in clock.decisions
    )
    return Entry(
        incident=case.incident.id,
        aware_at=told.aware_at,
        told_by=known["told.by"](case),
        personal_data=answers(case.law, told)["personal_data"],
        facts=known["incident.description"](case),
        nature=known["breach.nature"](case),
        persons=known["data.persons"](case),
        categories=known["data.categories"](case),
        records=known["data.records"](case),
        effects=told.texts.get("effects", ""),
        measures=told.texts.get("measures", ""),
        decisions=tuple(sorted(taken, key=lambda t: t.decision.at)),
    )
