"""Opening the store: for short commands too, which need nothing of the web."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import seal_of
from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home


def open_store(home: Home, url: str = "") -> SqlStore:
    """Raises: SecondFactorKeyError."""
    engine = open_engine(url or sqlite_url(home.path))
    return SqlStore(engine, seal_of(engine, home.totp_key, AESGCM.generate_key(bit_length=256)))
