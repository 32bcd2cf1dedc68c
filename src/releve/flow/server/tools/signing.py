"""Messages signed as the Standard Webhooks specification says (v1, HMAC-SHA256)."""

import base64
import hashlib
import hmac

KEY_BYTES = 32
_MARK = "whsec_"


def told_key(key: bytes) -> str:
    """The key as people give it to the receiver's library."""
    return _MARK + base64.b64encode(key).decode()


def headers(identity: str, seconds: int, body: bytes, key: bytes) -> dict[str, str]:
    """`seconds`: of this try, since 1970; a receiver refuses old ones."""
    signed = b".".join((identity.encode(), str(seconds).encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{signature}",
    }
