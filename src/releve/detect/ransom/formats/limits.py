"""Thresholds and points of the judgement of contents, each with its reason."""

import msgspec


class ContentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file is looked at, when bytes count as uniform, and what each sign is worth."""

    # --- how much is read: the judge shares one interpreter with the reader of events
    window_bytes: int = 4096  # a page: the grain in which encryptors that skip parts do skip
    windows: int = 8  # spread over a file to measure its uniform share; 8 x 45 us at worst
    whole_bytes: int = 262_144  # up to here a file is read once and sliced in memory
    diff_bytes: int = 8 << 20  # up to here every byte is compared: 2 x 8 MB of page cache, 5 ms
    diff_windows: int = 192  # above: 5 % of a file, in one piece, still shows in 9 of them
    spots: int = 8  # changed places handed to the format checks
    inflate_bytes: int = 65_536  # decoded per stream to believe it: 0.2 ms
    deep_bytes: int = 12 << 20  # decoded to reach a changed place: 40 ms at worst, and rare
    members: int = 6  # members, streams or chunks decoded per file
    symbols: int = 400  # Huffman symbols of a JPEG scan: 0.25 ms
    symbols_uniform: int = 4000  # of a scan that looks uniform, as real ones rarely do
    crc_bytes: int = 2 << 20  # CRC-32 runs at 2 GB/s: 1 ms
    twin_bytes: int = 64 << 20  # an archive's CRC is compared with originals up to here: 40 ms

    # --- when bytes look uniform
    # The statistic sum(c*c)*256/n - n has mean 255 and variance 510(n-1)/n for EVERY n if the
    # bytes are uniform (no large-sample theory needed): 391 is six standard deviations above.
    # Text has 4,000 at n = 256, base64 1,020; deflate, JPEG and PNG streams pass as uniform.
    chi2_uniform: float = 391.0
    sample_bytes: int = 1024  # counting costs 30 ns a byte; 4 x 256 of a page decide as well
    sample_least: int = 128  # below this nothing is said about uniformity
    ones_sigmas: float = 5.0  # set bits of uniform bytes: 4n +- sqrt(2n); 2 us instead of 40
    nearly_all: float = 0.8  # share from which raw pixels, sound or a whole scan are foreign
    mostly: float = 0.5  # share of looked-at windows from which a file counts as opaque

    # --- text
    control_share: float = 0.02  # per 512 bytes; uniform bytes have 10 %, text has none
    high_share: float = 0.90  # bytes over 127 in an 8-bit text (latin-1 5 %, Cyrillic 80 %)
    flat_sigmas: float = 6.0  # an alphabet used evenly: base64, hex, base32, base85

    # --- points (endpoint.md 5.2); 10 convict
    type_lost: float = 3.0  # T: the file was something and is nothing now
    became_uniform: float = 3.0  # R alone: bytes turned uniform where they were not
    became_uniform_few: float = 2.0  # R alone, less than `few_share` of a file that still reads
    became_uniform_unknown: float = 1.0  # R in a format unknown here: it may hold packed parts
    also_uniform: float = 1.0  # R beside T: same fact seen twice, so it adds less
    interior: float = 2.0  # I: inside of a format that nobody edits in place
    emptied: float = 2.0  # E
    cut: float = 1.0  # E, weak: text cut to less than a tenth; people empty files by hand
    carrier: float = 3.0  # formally valid, carries ciphertext
    encoded: float = 3.0  # base64 or hex of ciphertext in place of a document
    sealed: float = 3.0  # gpg, age, openssl, or uniform bytes stand for the original
    sealed_archive: float = 2.0  # encrypted zip or 7z of one file: people do that too
    password: float = 1.5  # a document saved with a password: an honest act, rare in series
    kind_changed: float = 2.0  # a valid file of another kind under the same name
    opaque_archive: float = 0.5  # an archive that cannot be read here
    # Two broken files can be an accident, three are not: two files stay under 10.
    most_per_file: float = 4.0
    footer_bytes: int = 2048  # what encryptors append: keys, marks, sizes
    unknown_share: float = 0.25  # from this share on, no freed pages explain it
    few_share: float = 0.02
    small_bytes: int = 16  # emptying less than this destroys nothing (lock and pid files)


LIMITS = ContentLimits()
