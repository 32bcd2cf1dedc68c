"""What vaults tell the server: heads that must follow each other, notices, standings, and silence."""

import datetime as dt

import msgspec

from releve.detect import vault_findings
from releve.detect.guard_findings import finding_id
from releve.flow.server.assist import alarms
from releve.flow.server.incidents import OpenIncidents
from releve.flow.server.ports import Store, StoredEvent, Unit, VaultHead, VaultRecord
from releve.flow.server.signin import digest
from releve.flow.vault.heads import open_head
from releve.flow.vault.names import vault_word
from releve.flow.vault.standing import open_standing, read_signed
from releve.model import event as ev
from releve.model.standing import EnrolledVault, SeenHead, Standing
from releve.model.vault import Head, SignedHead
from releve.sense import vault_notice
from releve.triage.vaults import is_silent

_replace = msgspec.structs.replace
_signed_head = msgspec.json.Decoder(SignedHead).decode
_HOUR_S = 3600


class VaultUnreadableError(Exception):
    """What came is nothing that a vault sends."""


class Asking(msgspec.Struct, frozen=True):
    """The vault whose token came with a request."""

    structure: str
    vault: str


def who(store: Store, token: str) -> Asking | None:
    """None for a token that is unknown, or of a vault that was removed, or whose structure left."""
    found = store.vault_of_token(digest(token)) if token else None
    return None if found is None else Asking(*found)


def enrol(store: Store, vault: EnrolledVault, token: str, now: dt.datetime, by: str) -> bool:
    """Take the vault in; only the token's hash is kept. False: the structure has one of that name."""
    with store.unit(vault.structure) as unit:
        unit.hold()
        if any(v.name == vault.name and v.removed_at is None for v in unit.vaults()):
            return False
        unit.put_vault(VaultRecord(vault=vault, token_hash=digest(token)))
        unit.record(now, by, f"vault/{vault.name}", "enrol", vault.public_key[:16])
    return True


def of_other(store: Store, owner: str, public_key: str, within: str) -> str:
    """The other structure whose place on this vault that is, by what it enrolled or by its name; empty: none's.

    `owner`: the name of the structure that asks. Empty `within`: any other that is on this vault.
    """
    own = vault_word(owner)
    for one in store.structures():
        if one.name == owner:
            continue
        if within and within == vault_word(one.name) != own:
            return one.name
        with store.unit(one.id, writes=False) as unit:
            theirs = [v for v in unit.vaults() if v.public_key == public_key and not v.removed_at]
        if any(not within or v.within == within for v in theirs):
            return one.name
    return ""


def remove(store: Store, structure: str, name: str, now: dt.datetime, by: str) -> bool:
    """Its token is worth nothing from now on; what it told stays. False: there is none."""
    with store.unit(structure) as unit:
        for vault in unit.vaults():
            if vault.name != name:
                continue
            record = unit.vault(vault.id, lock=True)
            if record is None or record.vault.removed_at is not None:
                continue
            gone = _replace(record.vault, removed_at=now)
            unit.put_vault(_replace(record, vault=gone, token_hash=f"-{vault.id}"))
            unit.record(now, by, f"vault/{name}", "remove")
            return True
    return False


def take_head(store: Store, asking: Asking, body: bytes, now: dt.datetime) -> str:
    """Keep a head that follows; why it does not (told as a finding), empty when it does.

    Raises: VaultUnreadableError.
    """
    try:
        signed = _signed_head(body)
    except msgspec.DecodeError as error:
        raise VaultUnreadableError from error
    with store.unit(asking.structure) as unit:
        record = _own(unit, asking)
        vault = record.vault
        head = open_head(bytes.fromhex(vault.public_key), signed)
        if why := _why_refused(vault.head, head):
            seq = head.seq if head else 0
            known = vault.head.seq if vault.head else 0
            event = ev.VaultProofRefused(seen_at=now, why=why, seq=seq, known_seq=known)
            _tell_hourly(unit, vault, event, now)
            broken = _replace(vault, broken=why, broken_at=now)
            unit.put_vault(_replace(record, vault=broken))
            return why
        if head is None or not _is_news(vault.head, head):
            return ""
        unit.add_vault_head(
            VaultHead(vault=vault.id, seq=head.seq, hash=head.hash, received_at=now, signed=body)
        )
        seen = SeenHead(seq=head.seq, hash=head.hash, at_ns=head.at_ns, received_at=now)
        unit.put_vault(_replace(record, vault=_replace(vault, head=seen, broken="")))
    return ""


def take_notice(store: Store, asking: Asking, body: bytes, now: dt.datetime) -> bool:
    """Keep a notice as an event with its finding; False when it came before.

    Raises: VaultUnreadableError.
    """
    try:
        event = vault_notice.read(body, now)
        at_ns = vault_notice.at_ns(body)
    except vault_notice.NoticeUnreadableError as error:
        raise VaultUnreadableError from error
    with store.unit(asking.structure) as unit:
        vault = _own(unit, asking).vault
        if vault.within and event.facts.get("structure", vault.within) != vault.within:
            return False  # another structure's: not this one's to see
        return _tell(unit, vault, event, f"notice-{event.notice}", at_ns, now)


def take_standing(store: Store, asking: Asking, body: bytes, now: dt.datetime) -> str:
    """Keep the newest standing; why it is refused, empty when it is kept.

    Raises: VaultUnreadableError.
    """
    try:
        signed = read_signed(body)
    except msgspec.DecodeError as error:
        raise VaultUnreadableError from error
    with store.unit(asking.structure) as unit:
        record = _own(unit, asking)
        vault = record.vault
        standing = open_standing(bytes.fromhex(vault.public_key), signed)
        if standing is None:
            _tell_hourly(unit, vault, ev.VaultProofRefused(seen_at=now, why="standing"), now)
            return "standing"
        if vault.within and standing.structure not in ("", vault.within):
            return "other_structure"  # another tenant of the same vault: not this one's to see
        before = msgspec.json.decode(record.standing, type=Standing) if record.standing else None
        if before is not None and (standing.seq, standing.at_ns) <= (before.seq, before.at_ns):
            return ""  # an old one that comes again says nothing of now
        within = standing.structure or vault.within
        told = _replace(vault, within=within, standing_at=now)
        unit.put_vault(_replace(record, vault=told, standing=signed.standing))
    return ""


def tell_silence(store: Store, structure: str, now: dt.datetime) -> bool:
    """An event for each vault that has fallen silent, once per silence; whether there was one."""
    with store.unit(structure, writes=False) as unit:
        silent = [vault for vault in unit.vaults() if is_silent(vault, now)]
    if not silent:
        return False
    told = False
    with store.unit(structure) as unit:
        for vault in silent:
            since = vault.head.received_at if vault.head else vault.enrolled_at
            event = ev.VaultWentSilent(seen_at=now, since=since)
            told |= _tell(unit, vault, event, "silence", int(since.timestamp()), now)
    return told


def _why_refused(known: SeenHead | None, head: Head | None) -> str:
    if head is None:
        return "signature"
    if known is None:
        return ""
    if head.seq < known.seq:
        return "went_back"
    return "changed" if head.seq == known.seq and head.hash != known.hash else ""


def _is_news(known: SeenHead | None, head: Head) -> bool:
    """A captured head that is sent again is no sign of life."""
    return known is None or head.seq > known.seq or head.at_ns > known.at_ns


def _own(unit: Unit, asking: Asking) -> VaultRecord:
    record = unit.vault(asking.vault, lock=True)
    if record is None or record.vault.removed_at is not None:
        raise VaultUnreadableError
    return record


def _tell_hourly(
    unit: Unit, vault: EnrolledVault, event: ev.VaultProofRefused, now: dt.datetime
) -> None:
    """What stays wrong is told again each hour: an incident that was closed is opened again."""
    _tell(unit, vault, event, f"proof-{event.why}", int(now.timestamp()) // _HOUR_S, now)


def _tell(
    unit: Unit, vault: EnrolledVault, event: ev.VaultEvent, spool: str, seq: int, now: dt.datetime
) -> bool:
    """Event, finding and incident in one transaction; False when this event was told before."""
    open_ = OpenIncidents(unit, vault.id)
    stored = StoredEvent(
        host=vault.id, spool=spool[:64], seq=seq, is_read=True, body=msgspec.json.encode(event)
    )
    if not unit.add_event(stored, now):
        return False
    identity = finding_id(vault.id, spool, seq)
    finding = vault_findings.find(event, vault=vault.id, identity=identity)
    open_.take(finding)
    open_.keep(now)
    alarms.sound_all(unit, open_.graver, now)
    return True
