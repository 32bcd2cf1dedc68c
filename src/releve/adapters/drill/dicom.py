"""Decodes DICOM images with pydicom (extra `dicom`); with numpy down to the pixels.

Images are unfolded by a process that may be killed: a megabyte can unfold to more than the machine has.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from releve.adapters.foreign import ForeignError, ask

_TOGETHER = 20  # images asked in one process; one that ends it is found by asking each alone
_SECONDS, _BYTES_A_SECOND = 30.0, 4 << 20
_MOST_MEMORY = 4 << 30  # the largest honest ones are series of a gigabyte in one file


def decode(paths: Sequence[str]) -> tuple[str, list[str]]:
    """How deep ("pixels", "frames", "missing": no pydicom here), and which do not decode."""
    if find_spec("pydicom") is None:
        return "missing", []
    deep = find_spec("numpy") is not None
    batches = [paths[at : at + _TOGETHER] for at in range(0, len(paths), _TOGETHER)]
    return ("pixels" if deep else "frames"), [bad for batch in batches for bad in _broken(batch)]


def _broken(paths: Sequence[str]) -> list[str]:
    seconds = _SECONDS + sum(Path(path).stat().st_size for path in paths) / _BYTES_A_SECOND
    try:
        return ask(
            __name__, "broken", *paths, kind=list[str], seconds=seconds, most_memory=_MOST_MEMORY
        )
    except ForeignError:
        return list(paths) if len(paths) == 1 else [bad for one in paths for bad in _broken([one])]


def broken(*paths: str) -> list[str]:
    """Which do not decode; for `ask`."""
    deep = find_spec("numpy") is not None
    return [path for path in paths if not _decodes(path, deep)]


def _decodes(path: str, deep: bool) -> bool:
    """Whatever a broken image makes the library raise, it is one answer: it does not decode."""
    import warnings

    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = pydicom.dcmread(path)
            if "PixelData" not in image:
                return bool(image.get("SOPClassUID"))  # a report or a structured document
            return bool(image.pixel_array.size) if deep else _has_frames(image)
    except Exception:  # noqa: BLE001
        return False


def _has_frames(image: Any) -> bool:
    """Without numpy: as many bytes as the header says, or each compressed frame is there."""
    from pydicom.encaps import generate_frames

    frames = int(image.get("NumberOfFrames") or 1)
    if image.file_meta.TransferSyntaxUID.is_compressed:
        found = list(generate_frames(image.PixelData, number_of_frames=frames))
        return len(found) == frames and all(found)
    size = image.Rows * image.Columns * image.get("SamplesPerPixel", 1) * frames
    return bool(len(image.PixelData) >= size * image.BitsAllocated // 8)
