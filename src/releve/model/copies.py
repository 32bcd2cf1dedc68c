"""Nouns of the vault's copies: where they are, how far they are, what was proved of them."""

from enum import StrEnum

import msgspec

from releve.model.vault import FIRST


class CopyKind(StrEnum):
    SOURCE = "source"  # another vault, of which this one is the copy: it is pulled from
    VAULT = "vault"  # another vault that pulls from this one: read for checking and healing
    S3 = "s3"  # a bucket with Object Lock: objects are put there


class Copy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DATA/copies/<name>/copy.json. Secrets stay in a file of their own."""

    name: str
    kind: CopyKind
    url: str
    secret_file: str  # two lines: name, secret
    public_key: str = ""  # of the other vault, 64 hex digits
    authority_file: str = ""
    bucket: str = ""
    prefix: str = ""
    lock_days: int = 0  # each object's COMPLIANCE retention
    doors: tuple[str, ...] = ()  # HOST:PORT that must not be reachable


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """DATA/copies/<name>/progress.json."""

    offset: int = 0  # bytes of the source's journal that are mirrored
    seq: int = 0
    hash: str = FIRST
    received_ns: int = 0
    head_seq: int = 0  # of the newest signed head that was seen
    done_seq: int = 0  # every receipt up to here was looked at
    owed: tuple[int, ...] = ()  # of those: could not be had, tried again each time
    ran_ns: int = 0
    verified_ns: int = 0
    objects: int = 0
    bytes: int = 0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One attack on a WORM claim, and how it ended."""

    attack: str
    held: bool
    said: str = ""


class Probe(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="probe"):
    """DATA/copies/<name>/probe.json: what an attacker with the copy's own keys could not do, and when."""

    at_ns: int
    claim: str  # endpoint, bucket and days that it is about
    trials: tuple[Trial, ...]

    @property
    def holds(self) -> bool:
        return bool(self.trials) and all(trial.held for trial in self.trials)


class Ran(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="copied"):
    """What one run brought."""

    objects: int
    bytes: int
    last_seq: int
    lost: tuple[str, ...] = ()  # receipted there, and not to be had as it was received


class Checked(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="verified"):
    """What a copy has of what it should."""

    objects: int
    bytes: int
    missing: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    waiting: int = 0  # received since the last run
