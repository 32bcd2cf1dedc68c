"""Witness files of a guard: planted before the baseline where asked for, taken away where not."""

from releve.adapters.store import canaries as witnesses
from releve.adapters.store.keeper import Keeper
from releve.flow.guard.guard import Guard


def tend(guard: Guard, *, canaries: bool) -> None:
    """Plant (or remove) the witnesses of every protected folder and tell the guard of them."""
    keys: set[bytes] = set()
    for volume in guard.volumes:
        keeper = volume.keeper
        if not isinstance(keeper, Keeper):
            continue
        for folder in range(len(keeper.folders)):
            if canaries:
                keys |= {volume.fsid + key for key in witnesses.plant(keeper, folder)}
            else:
                witnesses.remove(keeper, folder)
    guard.watch_canaries(frozenset(keys))
