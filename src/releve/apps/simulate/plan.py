"""What a run shows: which attacks and which honest work on which file system."""

from collections.abc import Iterable

import msgspec

from releve.apps.simulate import attacks, honest
from releve.apps.simulate.places import FILE_SYSTEMS
from releve.apps.simulate.profile import Profile, Workload
from releve.model.errors import UsageError

SMB = attacks.network.SMB.name
PORTABLE_QUICK = ("in-place", "openssl-mv", "rename-over", "wipe-unlink", "truncate-write", "slow")
# Built to defeat a kernel's eyes; without them (portable mode) there is nothing to defeat.
_NEEDS_ROOT = frozenset({"nodatacow", "subvolume", "inode-exhaustion"})


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One file system's part of the run."""

    fs: str
    attacks: tuple[Profile, ...]
    honest: tuple[Workload, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run."""

    chapters: tuple[Chapter, ...]
    smb: str  # on which file system the SMB client attacks; empty: nowhere

    def size(self) -> int:
        """How many rows the table will have."""
        return sum(len(part.attacks) + len(part.honest) for part in self.chapters) + bool(self.smb)


def make_plan(*, full: bool, only: Iterable[str], fs: Iterable[str], portable: bool) -> Plan:
    """Choose by the command's words.

    Raises:
        UsageError: a name in `only` or `fs` is not known.
    """
    names = tuple(only)
    chosen = tuple(fs) or FILE_SYSTEMS
    _check(names, chosen)
    if portable:
        chapters = [_portable_chapter(full=full, names=names)]
    else:
        chapters = [_chapter(name, full=full, names=names) for name in chosen]
        if not tuple(fs) and (full or "inode-exhaustion" in names):
            chapters.append(_inode_chapter())
    kept = tuple(part for part in chapters if part.attacks or part.honest)
    smb = "" if portable or (names and SMB not in names) else chosen[-1]
    if smb and smb not in {part.fs for part in kept}:
        kept = (*kept, Chapter(fs=smb, attacks=(), honest=()))
    return Plan(chapters=kept, smb=smb)


def _check(names: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    rows: list[Profile | Workload] = [*attacks.PROFILES, *attacks.NETWORK, *honest.WORKLOADS]
    known = {row.name for row in rows}
    for name in names:
        if name not in known:
            raise UsageError(f"Unknown profile {name}; known: {', '.join(sorted(known))}")
    for name in chosen:
        if name not in FILE_SYSTEMS:
            raise UsageError(f"Unknown file system {name}; known: {', '.join(FILE_SYSTEMS)}")


def _chapter(fs: str, *, full: bool, names: tuple[str, ...]) -> Chapter:
    if names or full:
        rows = tuple(
            row
            for row in attacks.PROFILES
            if (not names or row.name in names) and (not row.only_fs or fs in row.only_fs)
        )
        work = tuple(row for row in honest.WORKLOADS if not names or row.name in names)
        return Chapter(fs=fs, attacks=rows, honest=work)
    rows = tuple(
        row
        for name, where in attacks.QUICK
        if fs in where and (row := attacks.by_name(name)) is not None
    )
    wanted = honest.QUICK.get(fs, ())
    work = tuple(row for row in honest.WORKLOADS if row.name in wanted)
    return Chapter(fs=fs, attacks=rows, honest=work)


def _portable_chapter(*, full: bool, names: tuple[str, ...]) -> Chapter:
    rows = tuple(
        row
        for row in attacks.PROFILES
        if row.name not in _NEEDS_ROOT
        and (row.name in names if names else full or row.name in PORTABLE_QUICK)
    )
    work = tuple(
        row
        for row in honest.WORKLOADS
        if (row.name in names if names else full or row.name in honest.PORTABLE_QUICK)
    )
    return Chapter(fs="", attacks=rows, honest=work)


def _inode_chapter() -> Chapter:
    row = attacks.by_name("inode-exhaustion")
    return Chapter(fs="ext4-inodes", attacks=(row,) if row else (), honest=())
