"""What is known of one declared incident, put together for its dossiers and its register line."""

import datetime as dt

import msgspec

from releve.model.incident import Incident
from releve.model.law import Law
from releve.model.obligation import Declaration, Obligation
from releve.model.structure import CareService, DataSetEntry, Profile


class Harm(msgspec.Struct, frozen=True, kw_only=True):
    """The incident's sums. Files are counted, never named."""

    stops: int = 0  # of programs, whether they could be ended or had ended by themselves
    unstopped: int = 0  # attacks whose author nobody found: none of the stops
    touched: int = 0
    restored: int = 0
    lost: int = 0
    is_settled: bool = True  # every stop has told what became of its files
    is_held: bool = True  # no stopped program waits for a person, or goes on


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts`: names of those that the incident touched; `zone`: the structure's, for people."""

    law: Law
    incident: Incident
    hosts: tuple[str, ...]
    harm: Harm
    profile: Profile | None
    told: Declaration
    clocks: tuple[Obligation, ...]
    zone: dt.tzinfo
    now: dt.datetime

    def clock(self, duty: str) -> Obligation | None:
        return next((o for o in self.clocks if o.duty == duty), None)

    def touched_data(self) -> tuple[DataSetEntry, ...]:
        """The lines of the data map that name a touched host."""
        entries = self.profile.data_map if self.profile else ()
        return tuple(entry for entry in entries if set(entry.hosts) & set(self.hosts))

    def stopped_care(self) -> tuple[CareService, ...]:
        """The services of care that need a touched host or data set; the first to come back first."""
        services = self.profile.services if self.profile else ()
        names = {entry.name for entry in self.touched_data()}
        hit = (s for s in services if set(s.hosts) & set(self.hosts) or set(s.data_sets) & names)
        return tuple(sorted(hit, key=lambda s: s.rank))
