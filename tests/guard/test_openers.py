"""Who has a protected file mapped is seen, however many other mappings stand before it."""

import mmap
import os
from pathlib import Path

import pytest

from releve.adapters.linux.openers import MapsOpeners


@pytest.mark.parametrize("others", [0, 2000])
def test_a_writable_mapping_is_seen_behind_many_others(tmp_path: Path, others: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096):
        kept = [
            mmap.mmap(
                -1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                prot=mmap.PROT_READ | (mmap.PROT_WRITE if n % 2 else 0),  # alike ones would merge
            )
            for n in range(others)
        ]  # fmt: skip
        assert (os.getpid(), str(path)) in MapsOpeners(frozenset()).writers()
        for mapping in kept:
            mapping.close()


def test_a_process_that_ended_does_not_hide_the_next_one_of_its_number() -> None:
    openers = MapsOpeners(frozenset())
    pid = os.fork()
    if not pid:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead and not yet reaped: no mappings
        list(openers.writers())
        assert pid not in openers._bare
    finally:
        os.waitpid(pid, 0)
