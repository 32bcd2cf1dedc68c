"""Decodes DICOM images with pydicom (extra `dicom`); with numpy down to the pixels.

Images are unfolded by a process that may be killed: a megabyte can unfold to more than the machine has.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from releve.adapters.foreign import ForeignError, ask

_TOGETHER = 20  # images asked in one process; one that ends it is found by asking each alone
_SECONDS, _BYTES_A_SECOND = 30.0, 4 << 20
_PILLOW_BITS = 8  # of a sample in JPEG Extended: Pillow reads no more
_MOST_MEMORY = 4 << 30  # the largest honest ones are series of a gigabyte in one file


class Seen(msgspec.Struct):
    """What became of the images that were asked."""

    broken: list[str] = []
    folded: list[str] = []  # whole, in a compression that nothing here can unfold: frames looked at


def decode(paths: Sequence[str]) -> tuple[str, Seen]:
    """How deep ("pixels", "frames", "missing": no pydicom here), and which do not decode."""
    if find_spec("pydicom") is None:
        return "missing", Seen()
    deep = find_spec("numpy") is not None
    all_seen = Seen()
    for at in range(0, len(paths), _TOGETHER):
        seen = _asked(paths[at : at + _TOGETHER])
        all_seen.broken += seen.broken
        all_seen.folded += seen.folded
    return ("pixels" if deep else "frames"), all_seen


def _asked(paths: Sequence[str]) -> Seen:
    seconds = _SECONDS + sum(Path(path).stat().st_size for path in paths) / _BYTES_A_SECOND
    try:
        return ask(__name__, "seen", *paths, kind=Seen, seconds=seconds, most_memory=_MOST_MEMORY)
    except ForeignError:
        if len(paths) == 1:
            return Seen(broken=list(paths))
        alone = [_asked([path]) for path in paths]
        return Seen(
            broken=[path for one in alone for path in one.broken],
            folded=[path for one in alone for path in one.folded],
        )


def seen(*paths: str) -> Seen:
    """Which do not decode, which cannot be unfolded here; for `ask`."""
    deep = find_spec("numpy") is not None
    found = Seen()
    for path in paths:
        match _decoded(path, deep):
            case False:
                found.broken.append(path)
            case None:
                found.folded.append(path)
            case _:
                pass
    return found


def _decoded(path: str, deep: bool) -> bool | None:
    """Whether it decodes; None: its frames are there, and no decoder for them is on this machine.

    Whatever a broken image makes the library raise, it is one answer: it does not decode.
    """
    import warnings

    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = pydicom.dcmread(path)
            if "PixelData" not in image:
                return bool(image.get("SOPClassUID"))  # a report or a structured document
            if not deep:
                return _has_frames(image)
            if not _can_unfold(image):
                return None if _has_frames(image) else False
            return bool(image.pixel_array.size)
    except Exception:  # noqa: BLE001
        return False


def _can_unfold(image: Any) -> bool:
    """Whether a decoder for its compression is here: for JPEG-LS, JPEG lossless or films there may be none."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import JPEGExtended12Bit

    syntax = image.file_meta.TransferSyntaxUID
    try:
        known = get_decoder(syntax)
    except NotImplementedError:
        return False
    if syntax == JPEGExtended12Bit and image.BitsStored > _PILLOW_BITS:
        return set(known.available_plugins) != {"pillow"}
    return bool(known.is_available)


def _has_frames(image: Any) -> bool:
    """As many bytes as the header says, or each compressed frame is there; of a film, some of it."""
    from pydicom.encaps import generate_fragments, generate_frames
    from pydicom.uid import MPEGTransferSyntaxes

    frames = int(image.get("NumberOfFrames") or 1)
    if image.file_meta.TransferSyntaxUID in MPEGTransferSyntaxes:
        return any(generate_fragments(image.PixelData))
    if image.file_meta.TransferSyntaxUID.is_compressed:
        found = list(generate_frames(image.PixelData, number_of_frames=frames))
        return len(found) == frames and all(found)
    size = image.Rows * image.Columns * image.get("SamplesPerPixel", 1) * frames
    return bool(len(image.PixelData) >= size * image.BitsAllocated // 8)
