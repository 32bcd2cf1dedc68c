"""The smallest io_uring that can write: one entry at a time, through ctypes (Linux 5.6 and later)."""

import ctypes
import mmap
import os
from struct import pack_into, unpack_from

from releve.apps.simulate.profile import SkipProfile

_SETUP, _ENTER = 425, 426
_WRITE = 23
_ENTRY = 64
_GET_EVENTS = 1
_SQES_OFFSET = 0x10000000


class Ring:
    """A ring of one entry; x86-64 and aarch64 share these system call numbers."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        parameters = bytearray(120)
        buffer = (ctypes.c_char * 120).from_buffer(parameters)
        self._ring = self._libc.syscall(_SETUP, 1, buffer)
        if self._ring < 0:
            raise SkipProfile(f"io_uring est fermé ici ({os.strerror(ctypes.get_errno())})")
        # struct io_uring_params: 40 bytes, then sq_off (40 bytes), then cq_off.
        entries, completions = unpack_from("<II", parameters, 0)
        self._head, self._tail, self._mask, _, _, _, self._array = unpack_from(
            "<7I", parameters, 40
        )
        cq_head, cq_tail, cq_mask, _, _, cqes = unpack_from("<6I", parameters, 80)
        self._cq = (cq_head, cq_tail, cq_mask, cqes)
        self._sq = mmap.mmap(self._ring, self._array + entries * 4)
        self._cqmap = mmap.mmap(self._ring, cqes + completions * 16, offset=0)
        self._entries = mmap.mmap(self._ring, entries * _ENTRY, offset=_SQES_OFFSET)

    def write(self, handle: int, content: bytes) -> None:
        """Queue one write at offset 0 and wait for it."""
        held = ctypes.create_string_buffer(content, len(content))
        self._entries[:_ENTRY] = bytes(_ENTRY)
        address = ctypes.addressof(held)
        pack_into("<BBHiQQI", self._entries, 0, _WRITE, 0, 0, handle, 0, address, len(content))
        (tail,) = unpack_from("<I", self._sq, self._tail)
        pack_into("<I", self._sq, self._array, 0)
        pack_into("<I", self._sq, self._tail, tail + 1)
        done = self._libc.syscall(_ENTER, self._ring, 1, 1, _GET_EVENTS, None, 0)
        if done < 0:
            raise OSError(ctypes.get_errno(), "io_uring_enter")
        (head,) = unpack_from("<I", self._cqmap, self._cq[0])
        pack_into("<I", self._cqmap, self._cq[0], head + 1)
