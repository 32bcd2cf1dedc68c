"""SQLite: header, size maths, and the pages looked at are pages."""

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, valid
from releve.detect.ransom.formats.uniform import looks_uniform, places

_LEAVES = (0x0A, 0x0D)
_INNER = (0x02, 0x05)


def check(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    head = data.read(0, 100)
    page = int.from_bytes(head[16:18], "big")
    page = 65_536 if page == 1 else page
    if len(head) < 100 or page < 512 or page & (page - 1) or head[21:24] != b"\x40\x20\x20":
        return broken("sqlite", "header")
    if data.size % page:
        return broken("sqlite", "size is no multiple of the page size")
    pages = data.size // page
    declared = int.from_bytes(head[28:32], "big")
    if head[24:28] == head[92:96] and declared > pages * 2:
        return broken("sqlite", "pages are missing")
    where = {*places(data.size, limits.windows, page), *(spot // page * page for spot in spots)}
    most = max(pages, declared)
    bad = [at for at in where if not _is_page(data.read(at, page), at // page + 1, most, limits)]
    # One odd page that nobody touched is a flaw of this check, one at a changed place is not.
    if len(bad) > 1 or any(at <= spot < at + page for at in bad for spot in spots):
        return broken("sqlite", f"{len(bad)} of {len(where)} pages are no pages")
    return valid("sqlite")


def _is_page(content: bytes, number: int, pages: int, limits: ContentLimits) -> bool:
    """A tree page whose header holds, an overflow, free or map page; uniform bytes fail all."""
    at = 100 if number == 1 else 0
    kind = content[at] if len(content) > at else 0xFF
    if (kind in _LEAVES or kind in _INNER) and _is_tree(content, at, kind):
        return True
    pointer = int.from_bytes(content[:4], "big")
    if pointer <= pages and kind == 0:
        return True
    return not looks_uniform(content[: limits.window_bytes], limits)


def _is_tree(content: bytes, at: int, kind: int) -> bool:
    free, cells, start = (
        int.from_bytes(content[at + 1 + i : at + 3 + i], "big") for i in (0, 2, 4)
    )
    size, start = len(content), start or 65_536
    array_end = at + (8 if kind in _LEAVES else 12) + 2 * cells
    return free < size and array_end <= min(start, size) and (start <= size or start == 65_536)
