"""A key in three shares of which two are needed: SLIP-39, which other programs read, too.

The library is the reference implementation. It makes no claim against an observer of timing or
memory on the same machine; whoever is there has the host's own key anyway.
"""

from collections.abc import Sequence
from typing import Any

from releve.flow.keys import NEEDED, SHARES
from releve.model.errors import ReleveError
from releve.recover.paper import SECRET_BYTES, PaperKeyMistypedError


class SheetToolMissingError(ReleveError):
    """A library for the sheets of recovery keys is not there."""

    status = 8
    remedy = "Install the paper extra: `pip install 'releve[paper]'`."

    def __init__(self, name: str) -> None:
        super().__init__(f"The Python package {name} is not installed here.")


def split(secret: bytes) -> list[str]:
    """SHARES texts of 23 words, any NEEDED of which give the secret back.

    Raises: SheetToolMissingError.
    """
    slip = _library()
    # The secret is chance of full length: stretching a passphrase that is not there adds nothing.
    groups = slip.generate_mnemonics(1, [(NEEDED, SHARES)], secret, iteration_exponent=0)
    return [str(text) for text in groups[0]]


def check(words: str) -> None:
    """Return if a share is well read.

    Raises: SheetToolMissingError, PaperKeyMistypedError.
    """
    slip = _library()
    try:
        slip.Share.from_mnemonic(" ".join(words.lower().split()))
    except (slip.MnemonicError, ValueError) as error:
        raise PaperKeyMistypedError((), f"The share is misread: {error}.") from error


def combine(texts: Sequence[str]) -> bytes:
    """The secret.

    Raises: SheetToolMissingError, PaperKeyMistypedError (shares of different keys, the same twice).
    """
    slip = _library()
    try:
        secret = bytes(slip.combine_mnemonics([" ".join(t.lower().split()) for t in texts]))
    except (slip.MnemonicError, ValueError) as error:
        raise PaperKeyMistypedError((), f"The shares do not go together: {error}.") from error
    if len(secret) != SECRET_BYTES:
        raise PaperKeyMistypedError((), "The shares are of something else than a recovery key.")
    return secret


def _library() -> Any:
    try:
        import shamir_mnemonic  # type: ignore[import-untyped]
    except ImportError as missing:
        raise SheetToolMissingError("shamir-mnemonic") from missing
    return shamir_mnemonic
