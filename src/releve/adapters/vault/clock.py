"""The vault's clock: taken from the wall clock once a boot, then it runs on evenly.

Whoever sets the machine's clock (a thief, a broken NTP source) moves neither receipts nor expiry:
not the running gate's, nor, within one boot, those of a gate that is started again. A clock that
was wrong from the start is put right by `releve vault clock`, which is a deed in the chain.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from releve.adapters.durable import write

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


class _Anchor(msgspec.Struct, frozen=True, kw_only=True):
    boot: str
    elapsed_ns: int
    vault_ns: int


class VaultClock:
    """Clock of one vault, the same for all its processes of one boot."""

    def __init__(self, anchor_file: Path, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._file, self.wall_ns = anchor_file, wall_ns
        self._shift_ns = 0
        anchor = self._read()
        if anchor is None or not anchor.boot or anchor.boot != _boot():
            self.set(wall_ns())
        else:
            self._shift_ns = anchor.vault_ns - anchor.elapsed_ns

    def now_ns(self) -> int:
        return self._shift_ns + _elapsed_ns()

    def ahead_ns(self) -> int:
        """How far the wall clock is before the vault's."""
        return self.wall_ns() - self.now_ns()

    def set(self, now_ns: int) -> None:
        """From now on it is so late; the chain still lets no time go back."""
        elapsed = _elapsed_ns()
        self._shift_ns = now_ns - elapsed
        anchor = _Anchor(boot=_boot(), elapsed_ns=elapsed, vault_ns=now_ns)
        write(self._file, msgspec.json.encode(anchor))

    def _read(self) -> _Anchor | None:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._file.read_bytes(), type=_Anchor)
        return None


def _elapsed_ns() -> int:
    return time.monotonic_ns() if _BOOTTIME is None else time.clock_gettime_ns(_BOOTTIME)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
