"""What the vault's page shows: by host what came in, was read again, was drilled; by vault its proofs."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.apps.console.views import structure_name
from releve.flow.server.ports import Store
from releve.flow.server.situations import told_vaults
from releve.flow.vault.copying import PROOF_DAYS
from releve.flow.vault.names import vault_word
from releve.model.finding import Finding
from releve.model.host import BackupState, DrillState, Host
from releve.model.standing import CopyStanding, HostStanding, OpeningStanding, Standing
from releve.triage.outlook import BACKUP_LATE_AFTER, Concern, drill_is_late, is_urgent
from releve.triage.vaults import ToldVault, concerns, is_silent

_FINDINGS = 12


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What one vault has of a host. Shares are of its bytes; None: nothing to share."""

    vault: str
    told_at: dt.datetime
    standing: HostStanding
    last_at: dt.datetime | None
    share_week: float | None
    share_month: float | None
    is_scrubbed: bool


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """The RPO of now: how old the newest state is that would come back. `by`: what says so.

    "clean": the host judged this snapshot clean; "backup": the host made it, and judged nothing;
    "vault": the vault received a snapshot, and no agent tells of this host.
    """

    seconds: float
    since: dt.datetime
    by: str


class HostRow(msgspec.Struct, frozen=True, kw_only=True):
    """`mood`: "well" (a fresh backup and a good drill), "watching" (something lacks), "down"."""

    name: str
    anchor: str
    role: str
    mood: str
    kept: tuple[Kept, ...]
    backup: BackupState | None
    loss: Loss | None
    drill: DrillState | None
    drill_is_late: bool
    has_agent: bool
    is_demonstration: bool = False  # its backup was made outside it


class CopyRow(msgspec.Struct, frozen=True, kw_only=True):
    """`immutable`: proved by a probe that is young enough now, not only when the vault told it."""

    copy: CopyStanding
    immutable: bool
    ran_at: dt.datetime | None
    verified_at: dt.datetime | None
    probed_at: dt.datetime | None


class OpeningRow(msgspec.Struct, frozen=True, kw_only=True):
    opening: OpeningStanding
    asked_at: dt.datetime
    opened_at: dt.datetime | None
    expires_at: dt.datetime | None
    read_at: dt.datetime | None


class VaultRow(msgspec.Struct, frozen=True, kw_only=True):
    told: ToldVault
    silent: bool
    told_at: dt.datetime | None  # the vault's clock
    copies: tuple[CopyRow, ...]
    openings: tuple[OpeningRow, ...]
    scrubbed_at: dt.datetime | None
    foreseen_at: dt.datetime | None
    findings: tuple[Finding, ...]


class VaultPage(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: "empty" (no vault enrolled), "well", "today", "action"."""

    structure_name: str
    state: str
    concerns: tuple[Concern, ...]
    names: dict[str, str]
    hosts: tuple[HostRow, ...]
    vaults: tuple[VaultRow, ...]


def vault_page(store: Store, structure: str, now: dt.datetime) -> VaultPage:
    name = structure_name(store, structure)
    with store.unit(structure, writes=False) as unit:
        hosts = unit.hosts()
        told = tuple(one for one in told_vaults(unit) if one.vault.removed_at is None)
        findings = {one.vault.id: unit.findings_of(one.vault.id, most=_FINDINGS) for one in told}
    found = [
        Concern(kind=kind, host=vault, count=count) for kind, vault, count in concerns(told, now)
    ]
    rows = host_rows(hosts, told, now)
    if down := sum(row.mood == "down" for row in rows):
        found.append(Concern(kind="vault_hosts", count=down))
    return VaultPage(
        structure_name=name,
        state=_state(found, is_told=bool(told)),
        concerns=tuple(found),
        names={one.vault.id: one.vault.name for one in told},
        hosts=rows,
        vaults=tuple(_vault_row(one, findings[one.vault.id], now) for one in told),
    )


def _state(found: Sequence[Concern], *, is_told: bool) -> str:
    if found:
        return "action" if any(map(is_urgent, found)) else "today"
    return "well" if is_told else "empty"


def host_rows(
    hosts: Sequence[Host], told: Sequence[ToldVault], now: dt.datetime
) -> tuple[HostRow, ...]:
    """One row per host: those with an agent, and those that only a vault knows. Joined by name."""
    kept: dict[str, list[Kept]] = {}
    for one in told:
        if one.standing is not None:
            for standing in one.standing.hosts:
                known = _kept(one.vault.name, one.standing, standing)
                kept.setdefault(standing.host, []).append(known)
    rows = [
        _host_row(
            host.name, host, tuple(k for w in _words(host.name) for k in kept.pop(w, ())), now
        )
        for host in hosts
    ]
    rows += [_host_row(name, None, tuple(own), now) for name, own in kept.items()]
    return tuple(sorted(rows, key=lambda row: row.name.lower()))


def _host_row(name: str, host: Host | None, kept: tuple[Kept, ...], now: dt.datetime) -> HostRow:
    backup = host.state.backup if host else None
    drill = host.state.drill if host else None
    late = drill is not None and drill_is_late(drill, now)
    loss = _loss(backup, kept, now)
    return HostRow(
        name=name,
        anchor=_words(name)[0],
        role=host.care_role if host else "",
        mood=_mood(backup, drill, kept, loss, is_late=late),
        kept=kept,
        backup=backup,
        loss=loss,
        drill=drill,
        drill_is_late=late,
        has_agent=host is not None,
        is_demonstration=host is not None and host.state.is_demonstration,
    )


def _mood(
    backup: BackupState | None,
    drill: DrillState | None,
    kept: tuple[Kept, ...],
    loss: Loss | None,
    *,
    is_late: bool,
) -> str:
    is_old = loss is None or loss.seconds > BACKUP_LATE_AFTER.total_seconds()
    bad = any(one.standing.bad_objects for one in kept)
    judged = backup is not None and backup.verdict in ("bad", "suspect")
    if bad or judged or is_late or (drill is not None and not drill.ok):
        return "down"
    if backup is not None and not backup.ok and is_old:
        return "down"
    proved = drill is not None and drill.last_good_at is not None
    return "well" if proved and kept and not is_old else "watching"


def _loss(backup: BackupState | None, kept: tuple[Kept, ...], now: dt.datetime) -> Loss | None:
    if backup is not None and backup.clean_at is not None:
        return _since(backup.clean_at, "clean", now)
    if backup is not None and backup.last_good_at is not None:
        return _since(backup.last_good_at, "backup", now)
    times = [one.last_at for one in kept if one.last_at is not None]
    return _since(max(times), "vault", now) if times else None


def _since(at: dt.datetime, by: str, now: dt.datetime) -> Loss:
    return Loss(seconds=max(0.0, (now - at).total_seconds()), since=at, by=by)


def _kept(vault: str, whole: Standing, standing: HostStanding) -> Kept:
    return Kept(
        vault=vault,
        told_at=_when(whole.at_ns) or dt.datetime.fromtimestamp(0, dt.UTC),
        standing=standing,
        last_at=_when(standing.last_snapshot_ns),
        share_week=_share(standing.verified_7d_bytes, standing.bytes),
        share_month=_share(standing.verified_30d_bytes, standing.bytes),
        is_scrubbed=whole.scrub is not None,
    )


def _vault_row(told: ToldVault, findings: list[Finding], now: dt.datetime) -> VaultRow:
    standing = told.standing
    return VaultRow(
        told=told,
        silent=is_silent(told.vault, now),
        told_at=_when(standing.at_ns) if standing else None,
        copies=tuple(_copy_row(one, now) for one in standing.copies) if standing else (),
        openings=tuple(_opening_row(one) for one in standing.openings) if standing else (),
        scrubbed_at=_when(standing.scrub.ended_ns) if standing and standing.scrub else None,
        foreseen_at=_when(standing.room.at_ns) if standing and standing.room else None,
        findings=tuple(findings),
    )


def _copy_row(one: CopyStanding, now: dt.datetime) -> CopyRow:
    probed_at = _when(one.probed_ns)
    is_young = probed_at is not None and now - probed_at <= dt.timedelta(days=PROOF_DAYS)
    return CopyRow(
        copy=one,
        immutable=one.immutable and is_young,
        ran_at=_when(one.ran_ns),
        verified_at=_when(one.verified_ns),
        probed_at=probed_at,
    )


def _opening_row(one: OpeningStanding) -> OpeningRow:
    return OpeningRow(
        opening=one,
        asked_at=_when(one.asked_ns) or dt.datetime.fromtimestamp(0, dt.UTC),
        opened_at=_when(one.opened_ns),
        expires_at=_when(one.expires_ns),
        read_at=_when(one.first_read_ns),
    )


def _when(ns: int) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC) if ns else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _words(name: str) -> tuple[str, ...]:
    """The name as a vault may write it: an agent's host may be called by its full name, or in capitals."""
    return tuple(dict.fromkeys((name.lower().partition(".")[0], vault_word(name))))
