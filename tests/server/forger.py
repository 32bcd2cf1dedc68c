"""An OpenID provider that an attacker runs, or has got hold of: it says and signs what it is told to."""

import base64
import datetime as dt
import gzip
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from releve.model.identity import Provider
from tests.server.world import T0

CLIENT, SECRET = "releve", "secret/de relève"


class Forger:
    """`claims`: what the next token says; `metadata`: what it says of itself, over what is true."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.url}/realm"
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.published: list[dict[str, Any]] = [self.key.as_dict(private=False)]
        self.metadata: dict[str, Any] = {}
        self.token = ""
        self.status = 200
        self.packed = False
        self.asked: list[str] = []  # paths, in order
        self.forms: list[dict[str, list[str]]] = []
        self.authorizations: list[str] = []

    def provider(self, name: str = "forger", **more: Any) -> Provider:
        facts: dict[str, Any] = {
            "name": name, "title": "Faussaire", "issuer": self.issuer,
            "discovery": f"{self.issuer}/.well-known/openid-configuration", "client_id": CLIENT,
            "secret": SECRET, "scopes": ("openid", "email"), "added_at": T0,
        }  # fmt: skip
        return Provider(**{**facts, **more})

    def claims(self, at: dt.datetime, **changed: Any) -> dict[str, Any]:
        """True ones; what is changed to None is left out."""
        now = int(at.timestamp())
        said = {
            "iss": self.issuer, "aud": CLIENT, "sub": "u1", "iat": now, "exp": now + 300,
            "sid": "there1",
        }  # fmt: skip
        return {k: v for k, v in {**said, **changed}.items() if v is not None}

    def sign(self, claims: dict[str, Any], key: RSAKey | ECKey | None = None) -> None:
        key = key or self.key
        algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
        self.token = jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key)

    def sign_with_none(self, claims: dict[str, Any]) -> None:
        self.token = self._unsigned({"alg": "none", "kid": "k1"}, claims) + "."

    def sign_with_public_key(self, claims: dict[str, Any]) -> None:
        """HMAC, with as key what everybody can read: the trap of algorithm confusion."""
        signed = self._unsigned({"alg": "HS256", "kid": "k1"}, claims)
        proof = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
        self.token = f"{signed}.{_text(proof)}"

    def _unsigned(self, *parts: dict[str, Any]) -> str:
        return ".".join(_text(json.dumps(part).encode()) for part in parts)

    def answer(self, path: str) -> dict[str, Any]:
        if path.endswith("/openid-configuration"):
            said = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.url}/auth",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
            return {**said, **self.metadata}
        if path == "/keys":
            return {"keys": self.published}
        return {"id_token": self.token, "access_token": "a", "token_type": "Bearer"}


def _text(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


@contextmanager
def forging() -> Iterator[Forger]:
    """Listening on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            forger.asked.append(path)
            self._say(200, forger.answer(path))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            forger.forms.append(parse_qs(form))
            forger.authorizations.append(self.headers.get("authorization", ""))
            said = forger.answer("/token") if forger.status == 200 else {"error": "invalid_grant"}
            self._say(forger.status, said)

        def _say(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            if forger.packed:
                body = gzip.compress(body)
                self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forger = Forger(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield forger
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
