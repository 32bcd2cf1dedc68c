"""What groups, insurers and the days of a structure need of the database: part of `Unit` and `Store`."""

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from releve.model.circle import Circle, CircleKind, Cohort, Member, Membership, Sheet
from releve.model.posture import Posture


class CircleUnit(Protocol):
    def put_circle(self, kind: CircleKind) -> None:
        """This structure is one."""
        ...

    def membership(self, circle: str) -> Membership | None:
        """The one that ended too."""
        ...

    def memberships(self) -> list[Membership]:
        """Those that ended too."""
        ...

    def put_membership(self, membership: Membership) -> None: ...

    def add_sheet(self, sheet: Sheet, cohorts: Sequence[Cohort]) -> bool:
        """False when there is one of that week: it stays."""
        ...

    def sheet(self) -> tuple[Sheet, tuple[Cohort, ...]] | None:
        """The newest, and of whom it is."""
        ...

    def posture(self, day: dt.date) -> Posture | None: ...
    def put_posture(self, posture: Posture) -> None: ...
    def postures(self, since: dt.date) -> list[Posture]:
        """Oldest first."""
        ...


class CircleStore(Protocol):
    def circles(self) -> list[Circle]:
        """All groups and insurers, by name."""
        ...

    def members_seen_by(self, person: str, group: str, since: dt.date) -> list[Member]:
        """By name, those of a group that the person is at home in, with their days since then."""
        ...
