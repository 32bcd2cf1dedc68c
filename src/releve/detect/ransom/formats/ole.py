"""OLE compound files (doc, xls, ppt, msg), and documents under a password inside of them."""

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, valid


def check(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    """Sector maths of the header and a directory that begins with its root entry."""
    head = data.read(0, 512)
    if len(head) < 512 or head[28:30] != b"\xfe\xff":
        return broken("ole", "header")
    shift = int.from_bytes(head[30:32], "little")
    if shift not in (9, 12):
        return broken("ole", "sector size")
    sector = 1 << shift
    first = int.from_bytes(head[48:52], "little")
    table = data.read((first + 1) * sector, sector)
    if table[:20] != "Root Entry".encode("utf-16-le"):
        return broken("ole", "the directory has no root entry")
    fat = data.read((int.from_bytes(head[76:80], "little") + 1) * sector, sector)
    if len(fat) < 4 or not _is_fat(fat, data.size >> shift):
        return broken("ole", "allocation table")
    if _is_sealed(data, sector, first):
        return valid("ole", "EncryptedPackage", encrypted=True)
    return valid("ole")


def _is_fat(fat: bytes, sectors: int) -> bool:
    """Every entry names a sector of the file or is one of the four marks."""
    entries = [int.from_bytes(fat[at : at + 4], "little") for at in range(0, len(fat) - 3, 4)]
    fit = sum([entry <= sectors or entry >= 0xFFFFFFFC for entry in entries])
    return fit * 10 >= len(entries) * 9


def _is_sealed(data: Bytes, sector: int, first: int) -> bool:
    # The chain of directory sectors is usually short and near; the name is rare enough to search.
    name = "EncryptedPackage".encode("utf-16-le")
    near = data.read((first + 1) * sector, 4096)
    return name in near or name in data.read(0, 8192) or name in data.read(data.size - 8192, 8192)
