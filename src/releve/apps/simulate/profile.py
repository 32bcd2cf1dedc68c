"""A profile: one attack, companion or honest workload, as a row of a list."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from releve.apps.simulate.field import Field

Act = Callable[[Field], None]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One attack. `act` runs inside the attackers' namespace; `prepare` runs before the guard starts."""

    name: str  # stable, for --only and the report
    kind: str  # "encryptor", "evasion", "wiper", "breaking", "smb", "companion"
    title: str  # French
    title_en: str
    act: Act
    needs: tuple[str, ...] = ()  # programs
    only_fs: tuple[str, ...] = ()  # file systems on which it makes sense; empty: all
    limit: int = 0  # victims at most; 0: the whole share
    seconds: float = 40.0  # it is ended after that
    beside: tuple[str, ...] = ()  # companions started first, as other users
    prepare: Callable[[Path], None] | None = None
    files: int = 0  # a corpus of its own size; 0: the usual one
    condition: str = ""  # French, shown beside the figure


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One honest workload: `prepare(area, share)` fills its area, `act(area)` works on it."""

    name: str
    title: str
    title_en: str
    prepare: Callable[[Path, Path], None]
    act: Callable[[Path], None]
    held_out: bool
    needs: tuple[str, ...] = ()
    wanted_stop: bool = False
    as_root: bool = False  # an administrator's work


class SkipProfile(Exception):  # noqa: N818 - not an error: a reason
    """The profile cannot run on this machine; the message says why (French)."""
