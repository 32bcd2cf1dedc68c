"""The key on paper: rows of signs that tell by themselves which of them was misread.

A row is two groups of four signs: 4 bytes of the key and one byte that checks these four and the
row's number, so that swapped rows are seen, too. The last row checks the whole. What the sheet
shows, hyphens included, *is* the password: whoever has the sheet and restic needs nothing of ours.
"""

import base64
import hashlib
from collections.abc import Sequence

from releve.model.errors import ReleveError

# 160 bits behind scrypt: nobody guesses them, and 48 signs can be typed at night.
SECRET_BYTES = 20
_ROW_BYTES, _ROW_SIGNS = 4, 8
DATA_ROWS = SECRET_BYTES // _ROW_BYTES
ROWS = DATA_ROWS + 1
_RFC = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SIGNS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_TO_SIGNS = bytes.maketrans(_RFC, _SIGNS)
_FROM_SIGNS = bytes.maketrans(_SIGNS, _RFC)
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": "", "\t": "", "\n": ""})


class PaperKeyMistypedError(ReleveError):
    """The typed recovery key is not as any sheet shows it; nothing was tried with it."""

    status = 3
    remedy = "Read the rows that are named again: each is two groups of four signs, without I, L, O and U."

    def __init__(self, rows: Sequence[int], why: str = "") -> None:
        named = ", ".join(map(str, rows))
        said = why or f"Row {named} of the key is misread or mistyped (its check does not fit)."
        super().__init__(said)
        self.rows = tuple(rows)


def rows_of(secret: bytes) -> tuple[str, ...]:
    """The rows of a key of SECRET_BYTES."""
    parts = [secret[at : at + _ROW_BYTES] for at in range(0, SECRET_BYTES, _ROW_BYTES)]
    data = [part + _check(number, part) for number, part in enumerate(parts, 1)]
    return tuple(map(_shown, [*data, _whole(secret)]))


def password_of(rows: Sequence[str]) -> str:
    """The repository's password that these rows are."""
    return "-".join(rows)


def mark_of(secret: bytes) -> str:
    """Tells one key from another on sheet, in logs and proofs; says nothing of the key."""
    return hashlib.sha256(b"releve paper mark\0" + secret).hexdigest()[:8]


def is_row(number: int, typed: str) -> bool:
    """Whether a row, counted from 1, is well read; of the last row only its form is judged."""
    read = _read(typed)
    if read is None:
        return False
    return number == ROWS or read[_ROW_BYTES:] == _check(number, read[:_ROW_BYTES])


def secret_of(typed: str) -> bytes:
    """The key that was typed, as one text; case, blanks and hyphens are free.

    Raises: PaperKeyMistypedError, which names the rows.
    """
    signs = _clean(typed)
    if len(signs) != ROWS * _ROW_SIGNS:
        wanted = ROWS * _ROW_SIGNS
        why = f"The key has {len(signs)} signs instead of {wanted} ({ROWS} rows of {_ROW_SIGNS})."
        raise PaperKeyMistypedError((), why)
    rows = [signs[at : at + _ROW_SIGNS] for at in range(0, len(signs), _ROW_SIGNS)]
    if wrong := [number for number, row in enumerate(rows, 1) if not is_row(number, row)]:
        raise PaperKeyMistypedError(wrong)
    read = [found for row in rows if (found := _read(row)) is not None]
    secret = b"".join(part[:_ROW_BYTES] for part in read[:DATA_ROWS])
    if read[-1] != _whole(secret):
        why = f"Each row is well formed, but row {ROWS} does not fit the others: one of them is misread."
        raise PaperKeyMistypedError((ROWS,), why)
    return secret


def _check(number: int, part: bytes) -> bytes:
    return hashlib.sha256(b"releve paper row\0" + bytes([number]) + part).digest()[:1]


def _whole(secret: bytes) -> bytes:
    return hashlib.sha256(b"releve paper key\0" + secret).digest()[: _ROW_BYTES + 1]


def _shown(part: bytes) -> str:
    signs = base64.b32encode(part).translate(_TO_SIGNS).decode()
    return f"{signs[:4]}-{signs[4:]}"


def _clean(typed: str) -> str:
    return "".join(typed.upper().split()).translate(_MISREAD)


def _read(row: str) -> bytes | None:
    signs = _clean(row)
    if len(signs) != _ROW_SIGNS or not set(signs) <= set(_SIGNS.decode()):
        return None
    return base64.b32decode(signs.encode().translate(_FROM_SIGNS))
