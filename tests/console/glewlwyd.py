"""A real OpenID provider, Debian's Glewlwyd: on loopback, with SQLite in a folder of its own."""

import gzip
import json
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import ECKey, RSAKey

DOCS = Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
PAGES = Path("/usr/share/glewlwyd/webapp")
WORDS = Path("/etc/glewlwyd/config-2.7.json/config.json")  # what its own pages read
MODULES = "/usr/lib/glewlwyd"
LOGIN, PASSWORD, EMAIL = "c.martin", "phrase-du-fournisseur", "claire@cabinet.example"
CLIENT, SECRET = "releve", "s3cret-de-releve"


class Glewlwyd:
    """Its host name is another site than the console's address: cookies behave as over the Internet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"http://localhost:{self._port}"
        self.issuer = f"{self.url}/api/oidc"
        self._process: subprocess.Popen[bytes] | None = None
        self._lay_out()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["glewlwyd", "-c", self._folder / "glewlwyd.conf"], stdout=log, stderr=log
            )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                httpx.get(f"{self.url}/config", trust_env=False, timeout=5)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def set_up(self, console: str, name: str) -> None:
        """An account, and the console at that address as its client."""
        with self.admin() as admin:
            self._do(admin, "POST", "/api/mod/plugin/", _plugin(self.issuer))
            openid = {"display_name": "openid", "password_required": True}
            self._do(admin, "PUT", "/api/scope/openid", openid)
            person = {
                "username": LOGIN, "password": PASSWORD, "email": EMAIL, "name": "Claire",
                "enabled": True, "scope": ["openid"],
            }  # fmt: skip
            self._do(admin, "POST", "/api/user/", person)
            self._take_ways_out(admin)
            client = {
                "client_id": CLIENT, "name": "Relève", "confidential": True, "enabled": True,
                "client_secret": SECRET, "authorization_type": ["code"], "scope": [],
                "redirect_uri": [f"{console}/login/identity/{name}/return"],
                "token_endpoint_auth_method": ["client_secret_basic"],
                "backchannel_logout_uri": f"{console}/login/identity/{name}/ended",
                "post_logout_redirect_uris": [f"{console}/login/identity/{name}/left"],
            }  # fmt: skip
            self._do(admin, "POST", "/api/client/", client)

    def _take_ways_out(self, admin: httpx.Client) -> None:
        """Where a client's people come back to is no field that it keeps of clients by itself."""
        kept = admin.get("/api/mod/client/database").json()
        field = {"multiple": True, "read": True, "write": True}
        kept["parameters"]["data-format"]["post_logout_redirect_uris"] = field
        self._do(admin, "PUT", "/api/mod/client/database", kept)
        self._do(admin, "PUT", "/api/mod/client/database/reset/", None)

    @contextmanager
    def admin(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=20) as client:
            self._do(client, "POST", "/api/auth/", {"username": "admin", "password": "password"})
            yield client

    def new_keys(self) -> None:
        """Other keys from now on, as when a provider rotates them."""
        with self.admin() as admin:
            self._do(admin, "PUT", "/api/mod/plugin/oidc", _plugin(self.issuer))
            self._do(admin, "PUT", "/api/mod/plugin/oidc/reset/", None)

    def _do(self, client: httpx.Client, method: str, path: str, body: Any) -> None:
        answer = client.request(method, path, json=body)
        assert answer.status_code == 200, (path, answer.text)

    def _lay_out(self) -> None:
        shutil.copytree(PAGES, self._folder / "pages", ignore=shutil.ignore_patterns("config.json"))
        shutil.copy(WORDS, self._folder / "pages" / "config.json")
        database = sqlite3.connect(self._folder / "db")
        database.executescript(gzip.decompress(DOCS.read_bytes()).decode())
        database.close()
        (self._folder / "glewlwyd.conf").write_text(self._settings())

    def _settings(self) -> str:
        lines = {
            "external_url": self.url, "bind_address": "127.0.0.1", "login_url": "login.html",
            "api_prefix": "api", "log_mode": "console", "log_level": "INFO",
            "cookie_same_site": "lax", "session_key": "GLEWLWYD2_SESSION_ID",
            "admin_scope": "g_admin", "profile_scope": "g_profile", "hash_algorithm": "SHA512",
            "admin_session_authentication": "cookie", "profile_session_authentication": "cookie",
            "static_files_path": str(self._folder / "pages"),
            "user_module_path": f"{MODULES}/user", "client_module_path": f"{MODULES}/client",
            "user_auth_scheme_module_path": f"{MODULES}/scheme",
            "plugin_module_path": f"{MODULES}/plugin",
        }  # fmt: skip
        kinds = {
            "html": "text/html", "css": "text/css", "js": "application/javascript",
            "json": "application/json", "woff2": "font/woff2", "png": "image/png",
        }  # fmt: skip
        mimes = ", ".join(f'{{ extension = ".{k}" mime_type = "{v}" }}' for k, v in kinds.items())
        text = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
        return (
            f"port = {self._port}\ncookie_secure = 0\nsession_expiration = 86400\n"
            f"login_api_enabled = true\n{text}"
            f'database = {{ type = "sqlite3" path = "{self._folder}/db" }};\n'
            f"static_files_mime_types = ( {mimes} )\n"
        )


def _plugin(issuer: str) -> dict[str, Any]:
    stamp = str(time.monotonic_ns())
    keys = (
        RSAKey.generate_key(2048, {"kid": f"rsa{stamp}", "alg": "RS256", "use": "sig"}),
        ECKey.generate_key("P-256", {"kid": f"ec{stamp}", "alg": "ES256", "use": "sig"}),
    )
    jwks = {"keys": [key.as_dict(private=True) for key in keys]}
    flags = ("token", "password", "client", "device", "refresh")
    return {
        "module": "oidc", "name": "oidc", "display_name": "oidc",
        "parameters": {
            "iss": issuer, "jwks-private": json.dumps(jwks), "jwks-show": True,
            "jwt-type": "rsa", "jwt-key-size": "256", "key": "", "cert": "",
            "access-token-duration": 3600, "refresh-token-duration": 86400, "code-duration": 600,
            "allow-non-oidc": False, "auth-type-code-enabled": True,
            "auth-type-id-token-enabled": True, "auth-type-code-revoke-replayed": True,
            **{f"auth-type-{flag}-enabled": False for flag in flags},
            "pkce-allowed": True, "pkce-required": True, "pkce-method-plain-allowed": False,
            "subject-type": "public", "email-claim": "mandatory",
            "session-management-allowed": True, "session-cookie-name": "GLEWLWYD2_OIDC_SID",
            "session-cookie-expiration": 86400, "back-channel-logout-allowed": True,
            "front-channel-logout-allowed": True,  # else its page of signing out has no way back
        },
    }  # fmt: skip
