"""What a recovery needs besides its command, as far as the server knows: the vault's right, a judged backup."""

import datetime as dt

import msgspec

from releve.flow.server.ports import Unit
from releve.flow.server.situations import told_vaults
from releve.flow.vault.names import is_word, vault_word
from releve.model.incident import Incident
from releve.model.standing import OpeningStanding, Standing


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """`structure`, `host`: as the vault names them, for the command that asks for the right.

    Every word in it is one that a vault may use, else left out: people paste commands into root's shell.
    """

    structure: str
    host: str
    told_at: dt.datetime  # by the vault's own clock: what follows is as of then
    opening: OpeningStanding | None = (
        None  # of this incident: the one that is open, else that waits
    )
    open_until: dt.datetime | None = None
    paths: tuple[str, ...] = ()  # agreed beforehand, for this host or for all
    has_approvers: bool = True


def way_back(unit: Unit, incident: Incident, names: dict[str, str], now: dt.datetime) -> Way | None:
    """None: no vault told how it stands, so nothing is known of rights."""
    told = [one for one in told_vaults(unit) if one.vault.removed_at is None and one.standing]
    if not told or (standing := told[0].standing) is None:
        return None
    hosts = [vault_word(names[one]) for one in incident.hosts if one in names]
    kept = {one.host for one in standing.hosts}
    host = next((one for one in hosts if one in kept), hosts[0] if hosts else "")
    opening = _opening(standing, {incident.id, *incident.merged}, now)
    is_open = opening is not None and bool(opening.opened_ns)
    return Way(
        structure=_word(told[0].vault.within or standing.structure),
        host=host,
        told_at=_moment(standing.at_ns),
        opening=opening,
        open_until=_moment(opening.expires_ns) if opening and is_open else None,
        paths=tuple(
            one.name for one in standing.paths or () if one.host in {"", host} and is_word(one.name)
        ),
        has_approvers=standing.approvers > 1,
    )


def unjudged(unit: Unit, incident: Incident) -> tuple[str, ...]:
    """Its hosts that back up and never told of a backup that was judged clean."""
    backups = {one.id: (one.name, one.state.backup) for one in unit.hosts()}
    known = [backups[one] for one in incident.hosts if one in backups]
    return tuple(name for name, backup in known if backup and backup.clean_at is None)


def _opening(standing: Standing, ids: set[str], now: dt.datetime) -> OpeningStanding | None:
    own = [one for one in standing.openings if one.incident in ids and not one.is_drill]
    valid = [one for one in own if not one.opened_ns or _moment(one.expires_ns) > now]
    found = max(valid, key=lambda one: (bool(one.opened_ns), one.asked_ns), default=None)
    return msgspec.structs.replace(found, id=_word(found.id)) if found else None


def _word(name: str) -> str:
    return name if is_word(name) else ""


def _moment(ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC)
