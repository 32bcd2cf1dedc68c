"""What an installer brings to its one host, and what the vault hands over for it."""

from enum import StrEnum

import msgspec


class Guarding(StrEnum):
    """What the guard does on a host with its folders."""

    ENFORCE = "enforce"  # stop and roll back
    WATCH = "watch"  # say what it would have stopped
    OFF = "off"


class HostPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One host as the onboarding file wants it. The only secret in it is the token, good once."""

    structure: str  # as the server names it
    host: str
    token: str = ""  # empty: it is enrolled already
    until: str = ""  # the token's last day
    folders: tuple[str, ...] = ()  # backed up, and guarded
    guard: Guarding = Guarding.ENFORCE
    vault_url: str = ""  # as hosts see it; empty: none is known yet
    vault_place: str = ""  # structure/host, as the vault names them
    deposit: str = ""  # the file beside the installer that holds a Deposit
    call: str = ""  # whom to call at night, for the key's sheet


class Deposit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host's right to deposit at the vault: a file 0600, from the vault to the host and nowhere else."""

    user: str
    secret: str
    structure: str  # as the vault names them
    host: str
    authority: str = ""  # PEM of the vault's own authority; empty: the machine's own ones hold
    reads_per_day: int = 0  # bytes that the vault gives back a day by this right; 0: not said


class ServerLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which server hears of a vault for one structure, and the token that it is told with."""

    structure: str  # as the vault names it
    url: str
    token: str
    authority: str = ""  # PEM of the server's own authority
