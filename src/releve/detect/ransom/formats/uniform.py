"""Do bytes look uniform, flat over a smaller alphabet, or constant?

Uniform is what good ciphertext is, and what deflate, JPEG and PNG streams nearly are:
on its own it convicts nobody (82 % of the windows of a docx pass).
"""

from collections import Counter
from math import sqrt

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Spots

_SYMBOLS = 256
_PATTERN = 16


def excess(sample: bytes) -> float:
    """Chi-square of the byte counts against uniform: 255 +- 23 for uniform bytes of any length."""
    squares = sum([count * count for count in Counter(sample).values()])
    return squares * _SYMBOLS / len(sample) - len(sample)


def looks_uniform(window: bytes, limits: ContentLimits) -> bool:
    """Whether a window could be ciphertext; short windows never are."""
    sample = _sample(window, limits.sample_bytes)
    length = len(sample)
    if length < limits.sample_least or sample.isascii():
        return False
    ones = int.from_bytes(sample, "little").bit_count()
    if abs(ones - 4 * length) > limits.ones_sigmas * sqrt(2 * length):
        return False
    return excess(sample) < limits.chi2_uniform


def _sample(window: bytes, length: int) -> bytes:
    # Four contiguous pieces, not a stride: a stride of two would see only the noisy low bytes
    # of 16-bit pixels and call an honest scan uniform.
    if len(window) <= length:
        return window
    piece = length // 4
    step = (len(window) - piece) // 3
    return b"".join([window[at * step : at * step + piece] for at in range(4)])


def is_flat(window: bytes, limits: ContentLimits) -> bool:
    """Whether a text uses its alphabet evenly, as base64 or hex of ciphertext does."""
    text = _sample(window, limits.sample_bytes).translate(None, b"\r\n")
    length = len(text)
    if length < limits.sample_least or b" " in text:
        return False
    counts = Counter(text)
    symbols = len(counts)
    if not 10 <= symbols <= 100:  # decimal digits to base94
        return False
    chi2 = sum([count * count for count in counts.values()]) * symbols / length - length
    return chi2 < symbols - 1 + limits.flat_sigmas * sqrt(2 * symbols)


def is_constant(window: bytes) -> bool:
    """Whether a window is one short pattern repeated, as wipers write."""
    if window.count(window[:1]) == len(window):
        return True
    period = window.find(window[:_PATTERN], 1, len(window) // 4 + _PATTERN)
    return period > 0 and window[period:] == window[:-period]


def places(size: int, count: int, window: int) -> Spots:
    """Offsets of at most `count` windows: every one of a small file, else spread, both ends in."""
    total = -(-size // window)
    if total <= count:
        return tuple(range(0, size, window))
    return tuple(sorted({(total - 1) * at // (count - 1) * window for at in range(count)}))


def uniform_share(data: Bytes, limits: ContentLimits, spots: Spots = ()) -> float:
    """Share 0..1 of the windows that look uniform; windows too short to tell are left out."""
    width = limits.window_bytes
    where = spots or places(data.size, limits.windows, width)
    windows = [data.read(at, width) for at in where]
    told = [window for window in windows if len(window) >= limits.sample_least]
    if not told:
        return 0.0
    return sum([looks_uniform(window, limits) for window in told]) / len(told)
