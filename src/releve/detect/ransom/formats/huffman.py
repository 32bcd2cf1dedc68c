"""The first Huffman symbols of a JPEG scan: ciphertext in its place makes no blocks."""

from collections.abc import Iterator

Tables = dict[int, dict[int, int]]
Band = tuple[int, int]  # first and last coefficient
Blocks = list[tuple[int, int]]  # (DC table, AC table) of each block of one minimum coded unit
_MOST_TABLES = 64  # before a scan; it can name eight
_LONGEST = 0xFFFF  # no code has more than 16 bits


class _Ended(Exception):  # noqa: N818 - no error: the sample was all good
    pass


class _Bits:
    """A scan's bits, read symbol by symbol."""

    __slots__ = ("at", "bits", "budget")

    def __init__(self, raw: bytes, budget: int) -> None:
        # One character a bit: shifting a long integer would copy all of it for each bit.
        self.bits = format(int.from_bytes(b"\1" + raw, "big"), "b").encode()
        self.at = 1
        self.budget = budget

    def symbol(self, table: dict[int, int] | None) -> int:
        """The next symbol, -1 if no code fits.

        Raises:
            _Ended: the sample is used up, or the table lives outside of the file.
        """
        self.budget -= 1
        if table is None or self.budget < 0:
            raise _Ended
        code, at, bits = 1, self.at, self.bits
        try:
            while code not in table:
                if code > _LONGEST:
                    return -1
                code = code << 1 | bits[at] & 1
                at += 1
        except IndexError:
            raise _Ended from None
        self.at = at
        return table[code]


def tables(segments: Iterator[bytes]) -> Tables:
    """Tables by class and number: code with a leading one bit -> symbol."""
    found: Tables = {}
    left = _MOST_TABLES
    for segment in segments:
        body = segment
        while len(body) >= 17 and left:
            left -= 1
            table, place = _table(body)
            found[body[0]] = table
            body = body[place:]
    return found


def _table(body: bytes) -> tuple[dict[int, int], int]:
    code, place, table = 0, 17, {}
    for bits, count in enumerate(body[1:17], start=1):
        for _ in range(count):
            if place < len(body):
                table[(1 << bits) | code] = body[place]
            code, place = code + 1, place + 1
        code <<= 1
    return table, place


def makes_blocks(raw: bytes, found: Tables, blocks: Blocks, band: Band, budget: int) -> bool:
    """Whether unstuffed bytes decode to blocks of the band, for `budget` symbols."""
    bits = _Bits(raw, budget)
    first, last = band
    try:
        while True:
            for dc, ac in blocks:
                if not _block(bits, found.get(dc), found.get(ac), first, last):
                    return False
    except _Ended:
        return True


def _block(
    bits: _Bits, dc: dict[int, int] | None, ac: dict[int, int] | None, first: int, last: int
) -> bool:
    k = first
    if k == 0:
        size = bits.symbol(dc)
        if not 0 <= size <= 15:
            return False
        bits.at += size
        k = 1
    while k <= last:
        symbol = bits.symbol(ac)
        if symbol < 0:
            return False
        size, run = symbol & 15, symbol >> 4
        if size == 0 and run < 15:
            # A run of ended bands exists in progressive scans only.
            if run and first == 0:
                return False
            bits.at += run
            return True
        k += run + 1
        bits.at += size
    return k <= 64
