"""A vault's own key for tests of the server: it signs real heads and standings, at any time."""

import datetime as dt
import itertools
import secrets

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.sql.store import SqlStore
from releve.flow.server import vaults
from releve.flow.server.ingest import take
from releve.flow.server.vaults import Asking
from releve.flow.vault import heads
from releve.flow.vault import standing as standings
from releve.flow.vault.chain import Link
from releve.model import event as ev
from releve.model.standing import (
    CopyStanding,
    EnrolledVault,
    GenerationStanding,
    HoldStanding,
    HostStanding,
    JobStanding,
    OpeningStanding,
    RoomStanding,
    ScrubStanding,
    Standing,
)
from tests.server.world import T0, EnrolledHost, batch

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


def full_standing(vault: ToldVault, now: dt.datetime) -> Standing:
    """A standing with everything that a page can show."""
    ns, day = int(now.timestamp() * 1e9), 86_400_000_000_000
    generations = tuple(
        GenerationStanding(
            name=name, first_ns=ns - age * day, last_ns=ns - last * day,
            last_snapshot_ns=ns - last * day, objects=4210, bytes=31_000_000_000,
        )
        for name, age, last in (("2026-10", 52, 22), ("2026-11", 21, 0))
    )  # fmt: skip
    hosts = (
        HostStanding(
            host="serveur-fichiers", generations=generations, last_snapshot_ns=ns - day // 40,
            objects=8420, bytes=62_000_000_000, verified_7d_bytes=19_500_000_000,
            verified_30d_bytes=62_000_000_000, bytes_per_day=900_000_000,
        ),
        HostStanding(
            host="radiologie", generations=generations[:1], last_snapshot_ns=ns - 3 * day,
            objects=900, bytes=9_000_000_000, verified_7d_bytes=0, verified_30d_bytes=8_000_000_000,
            bad_objects=2,
        ),
    )  # fmt: skip
    copies = (
        CopyStanding(name="coffre2", kind="vault", ran_ns=0, verified_ns=ns - day, done_seq=0,
                     owed=0, is_overdue=False),
        CopyStanding(name="s3-lyon", kind="s3", ran_ns=ns - day // 6, verified_ns=ns - day,
                     done_seq=9300, owed=0, is_overdue=False, lock_days=434, probed_ns=ns - 2 * day,
                     trials=9, trials_held=9, immutable=True),
        CopyStanding(name="s3-paris", kind="s3", ran_ns=ns - 2 * day, verified_ns=0, done_seq=8000,
                     owed=3, is_overdue=True, lock_days=434, probed_ns=ns - day, trials=9,
                     trials_held=8),
        CopyStanding(name="s3-neuf", kind="s3", ran_ns=0, verified_ns=0, done_seq=0, owed=0,
                     is_overdue=False, lock_days=434),
    )  # fmt: skip
    waiting = OpeningStanding(
        id="o-2", host="", incident="I-8", by="Dr Roy", path="two_people", approvers=("martin",),
        asked_ns=ns - day // 100, opened_ns=0, expires_ns=0, first_read_ns=0,
    )  # fmt: skip
    opened = OpeningStanding(
        id="o-1", host="serveur-fichiers", incident="I-7", by="A. Martin", path="nuit",
        approvers=(), asked_ns=ns - day // 30, opened_ns=ns - day // 32, expires_ns=ns + day // 8,
        first_read_ns=ns - day // 40,
    )  # fmt: skip
    drill = msgspec.structs.replace(
        opened, id="o-3", incident="drill", by="essais", path="essais", is_drill=True
    )
    return Standing(
        vault="f" * 16, name="coffre", structure="cabinet", at_ns=ns, wall_ns=ns, seq=9320,
        hash=hash_of(9320), hosts=hosts, copies=copies, openings=(opened, waiting, drill), approvers=3,
        scrub=ScrubStanding(
            started_ns=ns - day, ended_ns=ns - day // 2, objects=9320, bytes=71_000_000_000,
            mb_per_s=412.5, bad=2,
        ),
        jobs=(
            JobStanding(name="scrub", last_ok_ns=ns - day, next_ns=ns + day // 9, failures=0,
                        is_overdue=False),
            JobStanding(name="forecast", last_ok_ns=0, next_ns=ns, failures=2, is_overdue=True),
        ),
        room=RoomStanding(
            at_ns=ns, disk_bytes=2 * 10**12, free_bytes=10**12, bytes_per_day=1_300_000_000,
            days_left=25.4, level="warn",
        ),
        holds=(
            HoldStanding(id="h-7d2e", host="radiologie", generation="2026-10", by="A. Martin",
                         since_ns=ns - 9 * day),
        ),
    )  # fmt: skip


def busy_vault(store: SqlStore, host: EnrolledHost, now: dt.datetime) -> ToldVault:
    """A vault that told everything, and was contradicted once; its host drilled and was judged."""
    vault = add_vault(store, host.structure, "coffre", at=now)
    vault.tell_head(9320, now)
    vault.tell_standing(full_standing(vault, now), now)
    about = {"by": "A. Martin", "host": "serveur-fichiers", "incident": "I-7", "path": "nuit"}
    vault.tell_notice("restore_opened", now, "o-1 A. Martin", **about)
    vault.tell_notice(
        "object_bad", now, "cabinet/radiologie/2026-10/data/" + 64 * "a", why="content"
    )
    vault.tell_notice("head_not_delivered", now, "k3jd82mxnq", why="the folder is not there")
    vault.tell_head(9000, now, "b")
    told = (
        ev.BackupRan(
            seen_at=now, ok=True, ms=900, snapshot_at=now, files=20412, bytes=61_000_000_000,
            bytes_added=7_000_000, databases=3, verdict="clean",
            clean_at=now - dt.timedelta(minutes=37),
        ),
        ev.DrillRan(seen_at=now, ok=True, is_expected=True),
        ev.DrillRan(
            seen_at=now - dt.timedelta(days=2), ok=True, drill="20261120-2000-4f1a2b",
            first_file_s=0.8, patient_list_s=3.4, databases_s=41.2, all_local_s=812.0, rpo_s=1830.0, rpo_judged=True,
            files=20410, bytes=60_900_000_000,
        ),
    )  # fmt: skip
    take(store, host.structure, host.id, batch(*told, spool="care"), now)
    return vault
