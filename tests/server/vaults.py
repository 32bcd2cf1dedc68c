"""A vault's own key for tests of the server: it signs real heads and standings, at any time."""

import datetime as dt
import itertools
import secrets

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.sql.store import SqlStore
from releve.flow.server import vaults
from releve.flow.server.vaults import Asking
from releve.flow.vault import heads
from releve.flow.vault import standing as standings
from releve.flow.vault.chain import Link
from releve.model.standing import EnrolledVault, Standing
from tests.server.world import T0

_numbers = itertools.count(1)


def hash_of(seq: int, chain: str = "a") -> str:
    """The hash of an entry of a chain that is named by a letter."""
    return (chain * 56) + f"{seq:08x}"


class ToldVault(msgspec.Struct):
    """An enrolled vault: what it tells is signed with its own key."""

    store: SqlStore
    structure: str
    id: str
    token: str
    key: Ed25519PrivateKey

    @property
    def asking(self) -> Asking:
        asking = vaults.who(self.store, self.token)
        assert asking is not None
        return asking

    def head(self, seq: int, at: dt.datetime = T0, chain: str = "a", key=None) -> bytes:
        at_ns = int(at.timestamp() * 1e9)
        made = heads.sign(key or self.key, Link(seq=seq, hash=hash_of(seq, chain)), at_ns, at_ns)
        return msgspec.json.encode(made)

    def tell_head(self, seq: int, at: dt.datetime = T0, chain: str = "a", key=None) -> str:
        return vaults.take_head(self.store, self.asking, self.head(seq, at, chain, key), at)

    def notice(self, what: str, at: dt.datetime = T0, about: str = "", **facts: str) -> bytes:
        at_ns = int(at.timestamp() * 1e9)
        return msgspec.json.encode({"notice": what, "at_ns": at_ns, "about": about, **facts})

    def tell_notice(self, what: str, at: dt.datetime = T0, about: str = "", **facts: str) -> bool:
        body = self.notice(what, at, about, **facts)
        return vaults.take_notice(self.store, self.asking, body, at)

    def tell_standing(self, told: Standing, at: dt.datetime = T0, key=None) -> str:
        body = msgspec.json.encode(standings.sign(key or self.key, told))
        return vaults.take_standing(self.store, self.asking, body, at)

    def seen(self) -> EnrolledVault:
        with self.store.unit(self.structure, writes=False) as unit:
            return unit.vault(self.id).vault

    def findings(self) -> list[str]:
        with self.store.unit(self.structure, writes=False) as unit:
            return [finding.kind for finding in unit.findings_of(self.id)]


def add_vault(
    store: SqlStore, structure: str, name: str, within: str = "", at: dt.datetime = T0
) -> ToldVault:
    key, token = Ed25519PrivateKey.generate(), secrets.token_urlsafe(32)
    made = EnrolledVault(
        id=f"vault{next(_numbers)}",
        structure=structure,
        name=name,
        public_key=key.public_key().public_bytes_raw().hex(),
        within=within,
        enrolled_at=at,
    )
    assert vaults.enrol(store, made, token, at, "admin")
    return ToldVault(store, structure, made.id, token, key)
