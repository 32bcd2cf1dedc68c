"""Vaults and their heads, of one structure."""

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.audit import AuditRows
from releve.adapters.sql.rows import add, from_text, text
from releve.flow.server.ports import VaultHead, VaultRecord
from releve.model.standing import EnrolledVault

_vault = msgspec.json.Decoder(EnrolledVault).decode


class VaultRows(AuditRows):
    """A unit's vaults."""

    def vaults(self) -> list[EnrolledVault]:
        rows = self._rows(t.vault, t.vault.c.body)
        return sorted((_vault(r.body) for r in rows), key=lambda v: v.name)

    def vault(self, vault: str, *, lock: bool = False) -> VaultRecord | None:
        query = self._select(t.vault).where(t.vault.c.id == vault)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            return None
        return VaultRecord(vault=_vault(row.body), token_hash=row.token_hash, standing=row.standing)

    def put_vault(self, record: VaultRecord) -> None:
        self._put(
            t.vault,
            id=record.vault.id,
            name=record.vault.name,
            token_hash=record.token_hash,
            body=msgspec.json.encode(record.vault),
            standing=record.standing,
        )

    def add_vault_head(self, head: VaultHead) -> None:
        row = self._row(
            vault=head.vault,
            seq=head.seq,
            hash=head.hash,
            received_at=text(head.received_at),
            signed=head.signed,
        )
        add(self._connection, t.vault_head, row)

    def vault_heads(self, vault: str, *, most: int = 100) -> list[VaultHead]:
        query = self._select(t.vault_head).where(t.vault_head.c.vault == vault)
        query = query.order_by(t.vault_head.c.seq.desc()).limit(most)
        return [_head(row) for row in self._connection.execute(query)]


def _head(row: sa.Row[tuple[object, ...]]) -> VaultHead:
    return VaultHead(
        vault=row.vault,
        seq=row.seq,
        hash=row.hash,
        received_at=from_text(row.received_at),
        signed=row.signed,
    )
