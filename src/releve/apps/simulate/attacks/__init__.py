"""Every attack of the simulation, as rows: add one to its module's list and it runs, is tested and reported."""

from releve.apps.simulate.attacks import breaking, evasion, inplace, network, programs, wipers
from releve.apps.simulate.profile import Profile

PROFILES: tuple[Profile, ...] = (
    *programs.PROFILES,
    *inplace.PROFILES,
    *evasion.PROFILES,
    *wipers.PROFILES,
    *breaking.PROFILES,
)
NETWORK: tuple[Profile, ...] = network.PROFILES
COMPANIONS: tuple[Profile, ...] = breaking.COMPANIONS

# What `--quick` shows, and on which file system: each idea once, each file system with its own risk.
QUICK: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gpg-rm", ("btrfs",)),
    ("in-place-fast", ("ext4", "xfs", "btrfs")),
    ("wipe-unlink", ("ext4",)),
    ("decoy-storm", ("ext4", "btrfs")),
    ("openssl-mv", ("xfs",)),
    ("7z-sdel", ("ext4",)),
    ("intermittent", ("btrfs",)),
    ("rename-over", ("xfs",)),
    ("fork-per-file", ("xfs",)),
    ("orphans", ("ext4",)),
    ("mmap", ("btrfs",)),
    ("racer", ("xfs",)),
)


def by_name(name: str) -> Profile | None:
    """The attack or companion of that name."""
    return next((row for row in (*PROFILES, *COMPANIONS) if row.name == name), None)
