"""The audit trail from end to end, and the heads that were signed over it, of one structure."""

from collections.abc import Iterator

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows, entry_of
from releve.adapters.sql.rows import add
from releve.flow.server.audit import follow
from releve.flow.server.ports import AuditEntry, KeptHead

_AT_A_TIME = 1000


class AuditRows(PeopleRows):
    """A unit's trail as evidence; single entries are written and listed by PeopleRows."""

    def trail_is_whole(self) -> bool:
        return not follow(self.trail_after(0), ()).faults

    def trail_after(self, number: int) -> Iterator[AuditEntry]:
        query = self._select(t.audit).where(t.audit.c.number > number).order_by(t.audit.c.number)
        return map(
            entry_of, self._connection.execute(query.execution_options(yield_per=_AT_A_TIME))
        )

    def add_audit_head(self, head: KeptHead) -> bool:
        row = self._row(seq=head.seq, number=head.number, signed=head.signed)
        return add(self._connection, t.audit_head, row) == 1

    def audit_heads(self, *, after: int = 0, most: int = 0) -> list[KeptHead]:
        query = self._select(t.audit_head).where(t.audit_head.c.seq > after)
        query = query.order_by(t.audit_head.c.seq.desc())
        rows = self._connection.execute(query.limit(most) if most else query).all()
        return [KeptHead(seq=r.seq, number=r.number, signed=r.signed) for r in reversed(rows)]
