"""Who asks: the credential behind HTTP's basic authentication, at the gate and at the door for copies."""

import base64
import binascii

from releve.adapters.vault.answers import RefusedError, Scope, header
from releve.adapters.vault.records import Records
from releve.flow.vault import rules
from releve.flow.vault.names import is_word
from releve.flow.vault.rules import Verdict
from releve.model.vault import Credential


def who(scope: Scope, credentials: Records[Credential], now_ns: int) -> Credential:
    """The credential in force. Raises: RefusedError (401)."""
    scheme, _, token = header(scope, b"authorization").partition(" ")
    try:
        pair = base64.b64decode(token, validate=True).decode() if scheme == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    name, _, secret = pair.partition(":")
    held = credentials.get(name) if is_word(name) else None
    if held is None or not rules.is_secret(held, secret):
        raise RefusedError(401, Verdict.UNKNOWN)
    if not rules.in_force(held, now_ns):
        raise RefusedError(401, Verdict.OVER)
    return held
