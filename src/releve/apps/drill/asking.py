"""The clean room asks the gate for the right of its drill, on the path that was agreed on for drills."""

import hashlib
import secrets
import time
from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.adapters.vault.asked import open_for_drill, place_of
from releve.apps.recover.intent import Words, newest_envelope
from releve.apps.vault.deciders import read_private
from releve.flow.vault import drill_path, signoffs
from releve.model.errors import UsageError
from releve.model.vault import DrillAsk

_FILE = "right.json"


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """The path, and the clean room's key that proves who asks."""

    name: str
    key_file: str


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A right as it is kept for the drill: a killed one goes on with it."""

    credential: str
    secret: str
    expires_ns: int


def right_of(agreed: Agreed, words: Words, lent: Path) -> str:
    """The file of the right: the one that an interrupted drill had, while it lasts, or a new one.

    Raises: UsageError, KeyFileError, EnvelopeError, VaultUnreachableError, OpeningError.
    """
    file, now_ns = lent / _FILE, time.time_ns()
    if file.exists():
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        if now_ns < kept.expires_ns:
            return str(file)
    url = words.repository or (newest_envelope(words).url if words.envelope else "")
    place = place_of(url)
    if place is None:
        raise UsageError("--agreed needs the gate's address, from --envelope or --repository")
    secret = secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    ask = DrillAsk(agreement=agreed.name, asked_ns=now_ns, secret_sha256=digest)
    signature = signoffs.sign(read_private(agreed.key_file), drill_path.ask_statement(ask))
    ask = msgspec.structs.replace(ask, signature=signature)
    right = open_for_drill(place[0], ask, words.ca_file)
    made = _Kept(credential=right.opening, secret=secret, expires_ns=right.expires_ns)
    write(file, msgspec.json.encode(made))
    return str(file)


def forget_right(lent: Path) -> None:
    """It is of no use after the drill's certificate."""
    (lent / _FILE).unlink(missing_ok=True)
