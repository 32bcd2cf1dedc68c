"""A touch that nothing was added to for a while, in a quarter of its memory."""

import msgspec

from releve.model.held import Judged, Name
from releve.recover.rollback import Touch

_FIELDS = tuple(name for name in Touch.__struct_fields__ if name != "file")
_Names = tuple[Name, ...]
_Row = tuple[int, int, int, int, int, int, bool, bool, bool, _Names, _Names, Judged]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode


def pack(touch: Touch) -> bytes:
    """All of it but its file."""
    return _encode([getattr(touch, name) for name in _FIELDS])


def unpack(file: bytes, packed: bytes) -> Touch:
    """The touch of `file` that was packed."""
    return Touch(file=file, **dict(zip(_FIELDS, _decode(packed), strict=True)))
