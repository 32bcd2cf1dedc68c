"""A number for each of many files, without an object for each of them."""

import mmap
from array import array
from collections.abc import Iterator


class Rows:
    """File -> row, 0 or more; a row that was removed is given again.

    Tens of thousands of small objects that stay would keep what is freed between them from being
    used by anybody. Open addressing with linear probing (Knuth, The Art of Computer Programming
    3, 6.4, algorithms L and R), in one piece of memory that never has to grow.

    Args:
        most: files at once. The caller removes some before it adds another.
    """

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        slots = 1 << (2 * most - 1).bit_length()
        self._slots = memoryview(mmap.mmap(-1, 4 * slots)).cast("i")  # row + 1; 0: nobody
        self._mask = slots - 1
        self._hashes, self._lengths = array("q"), array("H")
        self._width, self._files = 32, bytearray()  # each in as many bytes as the longest
        self._free = array("i")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return (row for row, length in enumerate(self._lengths) if length)

    def get(self, file: bytes) -> int:
        """-1: there is none."""
        mark, slots, mask = hash(file), self._slots, self._mask
        at = mark & mask
        while row := slots[at]:
            if self._hashes[row - 1] == mark and self._file(row - 1) == file:
                return row - 1
            at = (at + 1) & mask
        return -1

    def add(self, file: bytes) -> int:
        """A row for a file (not empty) that has none."""
        if self._count >= self._most:
            raise OverflowError("no room for another file")
        if len(file) > self._width:
            self._widen(len(file))
        row = self._free.pop() if self._free else self._grow()
        start = row * self._width
        self._files[start : start + len(file)] = file
        self._hashes[row], self._lengths[row] = hash(file), len(file)
        at = hash(file) & self._mask
        while self._slots[at]:
            at = (at + 1) & self._mask
        self._slots[at] = row + 1
        self._count += 1
        return row

    def remove(self, row: int) -> None:
        """Its file has none any more."""
        slots, mask = self._slots, self._mask
        hole = self._hashes[row] & mask
        while slots[hole] != row + 1:
            hole = (hole + 1) & mask
        at = hole
        while other := slots[at := (at + 1) & mask]:  # whoever was pushed on by it comes back
            home = self._hashes[other - 1] & mask
            if (at - home) & mask >= (at - hole) & mask:
                slots[hole], hole = other, at
        slots[hole] = 0
        self._lengths[row] = 0
        self._free.append(row)
        self._count -= 1

    def _file(self, row: int) -> bytearray:
        start = row * self._width
        return self._files[start : start + self._lengths[row]]

    def _grow(self) -> int:
        self._files += bytes(self._width)
        self._hashes.append(0)
        self._lengths.append(0)
        return len(self._hashes) - 1

    def _widen(self, width: int) -> None:
        """The first file of a file system with longer handles."""
        wide = bytearray(width * len(self._hashes))
        for row in range(len(self._hashes)):
            wide[row * width : row * width + self._lengths[row]] = self._file(row)
        self._width, self._files = width, wide
