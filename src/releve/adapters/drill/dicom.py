"""Decodes DICOM images with pydicom (extra `dicom`); with numpy down to the pixels."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any


def decode(paths: Sequence[str]) -> tuple[str, list[str]]:
    """How deep ("pixels", "frames", "missing": no pydicom here), and which do not decode."""
    if find_spec("pydicom") is None:
        return "missing", []
    deep = find_spec("numpy") is not None
    return ("pixels" if deep else "frames"), [path for path in paths if not _decodes(path, deep)]


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
