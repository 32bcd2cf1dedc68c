"""Touches that nothing was added to for a while, in a quarter of their memory."""

from collections.abc import Iterator
from struct import Struct

import msgspec

from releve.model.held import Judged, Name
from releve.recover.rollback import Touch

_FIELDS = tuple(name for name in Touch.__struct_fields__ if name != "file")
_Names = tuple[Name, ...]
_Row = tuple[int, int, int, int, int, int, bool, bool, bool, _Names, _Names, Judged]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode

_BLOCK = 32  # touches, on average: what a look has to search through
_AT_ONCE = 8  # blocks that are looked through for what is old
_LEAD = Struct("<qH")  # the file's hash, and its length; the file follows
_REST = Struct("<qI")  # when it may be forgotten (ns), and the row's length; the row follows
_NEVER = 2**63 - 1


class Packed:
    """Touches by their file, as bytes in blocks. Not for two threads at once.

    There are tens of thousands. As objects they would be three each, and what is freed around
    them could not be used. The blocks grow by one at a time (linear hashing, W. Litwin 1980),
    so that nobody waits while all of them are moved.
    """

    __slots__ = ("_blocks", "_count", "_swept", "_wide")

    def __init__(self) -> None:
        self._blocks = [bytearray()]
        self._wide = 1  # the power of two that is not above the number of blocks
        self._count = self._swept = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Touch]:
        for block in self._blocks:
            for start, _ in _records(block):
                yield _unpack(block, start)

    def put(self, touch: Touch) -> None:
        """Its file must not be there yet."""
        lead = _LEAD.pack(hash(touch.file), len(touch.file))
        row = _encode([getattr(touch, name) for name in _FIELDS])
        old_at = touch.last_ns if touch.judged is Judged.CLEAN else _NEVER
        block = self._blocks[self._place(hash(touch.file))]
        block += b"".join((lead, touch.file, _REST.pack(old_at, len(row)), row))
        self._count += 1
        if self._count > _BLOCK * len(self._blocks):
            self._split()

    def take(self, file: bytes) -> Touch | None:
        """The touch, which is no longer here."""
        block = self._blocks[self._place(hash(file))]
        # A row may hold anything, but for this: the hash is of a key that nobody knows.
        start = block.find(_LEAD.pack(hash(file), len(file)) + file)
        if start < 0:
            return None
        touch = _unpack(block, start)
        del block[start : _end(block, start)]
        self._count -= 1
        return touch

    def forget(self, before_ns: int) -> None:
        """Drop what is sound and was last added to before; of the next few blocks only."""
        for _ in range(min(_AT_ONCE, len(self._blocks))):
            self._swept = (self._swept + 1) % len(self._blocks)
            block = self._blocks[self._swept]
            kept = self._blocks[self._swept] = bytearray()
            for start, end in _records(block):
                if _old_at(block, start) >= before_ns:
                    kept += block[start:end]
                else:
                    self._count -= 1

    def _place(self, mark: int) -> int:
        place = mark & (2 * self._wide - 1)
        return place if place < len(self._blocks) else mark & (self._wide - 1)

    def _split(self) -> None:
        """One block more: the next in turn gives it its share."""
        at = len(self._blocks) - self._wide
        old, self._blocks[at] = self._blocks[at], bytearray()
        self._blocks.append(bytearray())
        for start, end in _records(old):
            mark, _ = _LEAD.unpack_from(old, start)
            self._blocks[self._place(mark)] += old[start:end]
        if len(self._blocks) == 2 * self._wide:
            self._wide *= 2


def _records(block: bytearray) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(block):
        end = _end(block, start)
        yield start, end
        start = end


def _rest(block: bytearray, start: int) -> int:
    length: int = _LEAD.unpack_from(block, start)[1]
    return start + _LEAD.size + length


def _old_at(block: bytearray, start: int) -> int:
    at: int = _REST.unpack_from(block, _rest(block, start))[0]
    return at


def _end(block: bytearray, start: int) -> int:
    rest = _rest(block, start)
    length: int = _REST.unpack_from(block, rest)[1]
    return rest + _REST.size + length


def _unpack(block: bytearray, start: int) -> Touch:
    rest = _rest(block, start)
    file = bytes(block[start + _LEAD.size : rest])
    row = _decode(memoryview(block)[rest + _REST.size : _end(block, start)])
    return Touch(file=file, **dict(zip(_FIELDS, row, strict=True)))
