"""Tokens of a provider: whether one is true, ours, fresh, and of this very sign-in."""

import datetime as dt
import hashlib
from typing import Any

import msgspec
from joserfc import jwk, jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from releve.model.identity import Provider, Vouched

# Signatures by a private key only: "none" and HMAC (a key that both sides know) are no proof.
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
)  # fmt: skip
_LEEWAY = dt.timedelta(minutes=1)
_OLDEST = dt.timedelta(minutes=10)
_LONGEST_SUBJECT = 255  # OpenID Connect Core, 2
_SHORTEST_RSA = 342  # letters of a modulus of 2048 bits
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class NotTrusted(Exception):  # noqa: N818  # a control value of this room
    """`why`: for who runs the server."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class KeyUnknown(NotTrusted):
    """The token names a key that is not among these: the provider may have a new one."""


class NotStrong(NotTrusted):
    """The token is true, but not of the strength that is required."""


class _Jwks(msgspec.Struct):
    keys: list[dict[str, Any]]


def keys_of(body: bytes) -> jwk.KeySet:
    """Those that can sign as allowed; others are left out. Raises: NotTrusted, when none is left."""
    try:
        rows = msgspec.json.decode(body, type=_Jwks).keys
    except msgspec.DecodeError as error:
        raise NotTrusted("its keys cannot be read") from error
    found = []
    for row in rows:
        if row.get("kty") not in ("RSA", "EC") or row.get("use", "sig") != "sig":
            continue
        if row["kty"] == "RSA" and len(str(row.get("n", ""))) < _SHORTEST_RSA:
            continue
        try:
            found.append(jwk.import_key(row))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not found:
        raise NotTrusted("it has no key that signs as allowed (RSA of 2048 bits or more, or EC)")
    return jwk.KeySet(list(found))


def read_id_token(
    token: str, keys: jwk.KeySet, provider: Provider, nonce: str, now: dt.datetime
) -> Vouched:
    """Whom the provider vouches for. Raises: NotTrusted, KeyUnknown, NotStrong."""
    claims = _claims(
        token, keys, provider, now, sub={"essential": True}, exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )  # fmt: skip
    _check_parties(claims, provider)
    if "events" in claims:
        raise NotTrusted("it is a logout token")
    subject = claims["sub"]
    if not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise NotTrusted("its subject is empty or too long")
    _check_strength(claims, provider)
    email = claims.get("email")
    verified = isinstance(email, str) and claims.get("email_verified") is True
    return Vouched(
        subject=subject, session=_text(claims, "sid"), email=str(email) if verified else ""
    )


def read_logout_token(
    token: str, keys: jwk.KeySet, provider: Provider, now: dt.datetime
) -> Vouched:
    """Whose session at the provider has ended: by subject, session, or both. Raises: NotTrusted."""
    claims = _claims(token, keys, provider, now, events={"essential": True})
    events = claims["events"]
    if not isinstance(events, dict) or _LOGOUT not in events or "nonce" in claims:
        raise NotTrusted("it is no logout token")
    said = Vouched(subject=_text(claims, "sub"), session=_text(claims, "sid"))
    if not said.subject:
        raise NotTrusted("it names nobody")
    return said


def account_digest(provider: Provider, subject: str) -> str:
    """What is kept of an account at a provider."""
    return _digest("sub", provider, subject)


def invite_digest(provider: Provider, email: str) -> str:
    return _digest("email", provider, email.strip().lower())


def session_digest(provider: Provider, session: str) -> str:
    return _digest("sid", provider, session) if session else ""


def _claims(
    token: str, keys: jwk.KeySet, provider: Provider, now: dt.datetime, **more: Any
) -> dict[str, Any]:
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=int(_LEEWAY.total_seconds()),
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": provider.client_id},
            iat={"essential": True},
            **more,
        ).validate(claims)
    except InvalidKeyIdError as error:
        raise KeyUnknown("it is signed by a key that the provider does not publish") from error
    except (JoseError, ValueError, TypeError) as error:
        raise NotTrusted(f"it does not verify ({error})") from error
    if claims["iat"] < (now - _OLDEST).timestamp():
        raise NotTrusted("it is too old")
    return claims


def _check_parties(claims: dict[str, Any], provider: Provider) -> None:
    """OpenID Connect Core, 3.1.3.7: a token of several audiences says for whom it was made."""
    party = claims.get("azp")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if party != provider.client_id and (several or party is not None):
        raise NotTrusted("it was made for another client")


def _check_strength(claims: dict[str, Any], provider: Provider) -> None:
    if provider.require_acr and claims.get("acr") not in provider.require_acr:
        raise NotStrong(f"its acr is {claims.get('acr')!r}")
    methods = claims.get("amr")
    said = methods if isinstance(methods, list) else []
    if provider.require_amr and not set(map(str, said)) & set(provider.require_amr):
        raise NotStrong(f"its amr is {said!r}")


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    return value if isinstance(value, str) else ""


def _digest(kind: str, provider: Provider, value: str) -> str:
    # None of the parts can hold a line's end but the last: no two triples read alike.
    told = f"{kind}\n{provider.name}\n{provider.issuer}\n{value}"
    return hashlib.sha256(told.encode()).hexdigest()
