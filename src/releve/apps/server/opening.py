"""Opening the store: for short commands too, which need nothing of the web."""

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from releve.adapters.sql import tables as t
from releve.adapters.sql.engine import engine_to_read, open_engine, sqlite_path, sqlite_url
from releve.adapters.sql.seal import Unopened, seal_of
from releve.adapters.sql.store import SqlStore
from releve.adapters.sql.versions import version_of
from releve.adapters.sql.whose import Whose, whose
from releve.apps.server.home import Home
from releve.model.errors import ReleveError

_KEY_BITS = 256


class DatabaseMissingError(ReleveError):
    """There is no database to look at."""

    status = 101
    remedy = (
        "Name the server's folder with --home (RELEVE_SERVER_HOME), or its database with --db."
        " A new server is made by `releve server run`."
    )

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} holds no database of a server with an audit trail.")


def open_store(home: Home, url: str = "") -> SqlStore:
    """A server's that is there. Raises: DatabaseMissingError, SecondFactorKeyError, LaterDatabaseError."""
    if not (home.keys.is_dir() if url else sqlite_path(home.path).exists()):
        raise DatabaseMissingError(str(home.path))
    _refuse(home, url, Whose.NOBODY, Whose.OTHERS)
    return _opened(home, url)


def make_store(home: Home, url: str = "") -> SqlStore:
    """Home and database are made where there are none.

    Raises: DatabaseMissingError: another program's is there; SecondFactorKeyError, LaterDatabaseError.
    """
    refuse_others(home, url)
    home.make()
    return _opened(home, url)


def refuse_others(home: Home, url: str) -> None:
    """Before anything is made. Raises: DatabaseMissingError: another program's database is there."""
    _refuse(home, url, Whose.OTHERS)


def _refuse(home: Home, url: str, *those: Whose) -> None:
    """Opening a database of SQLite switches it to a log, before a table of it is read."""
    place = url or sqlite_url(home.path)
    if whose(place) in those:
        raise DatabaseMissingError(sa.make_url(place).render_as_string())


def _opened(home: Home, url: str) -> SqlStore:
    engine = open_engine(url or sqlite_url(home.path))
    return SqlStore(
        engine, seal_of(engine, home.totp_key, AESGCM.generate_key(bit_length=_KEY_BITS))
    )


def open_to_look(home: Home, url: str = "") -> SqlStore:
    """As it is: nothing is made or mended, and second factors stay sealed. Raises: DatabaseMissingError."""
    return SqlStore(engine_to_look(home, url), Unopened(AESGCM.generate_key(bit_length=_KEY_BITS)))


def engine_to_look(home: Home, url: str = "") -> sa.Engine:
    """Raises: DatabaseMissingError, LaterDatabaseError."""
    if not url and not sqlite_path(home.path).exists():
        raise DatabaseMissingError(str(home.path))
    _refuse(home, url, Whose.NOBODY, Whose.OTHERS)
    engine = engine_to_read(url or sqlite_url(home.path))
    if not sa.inspect(engine).has_table(t.audit_head.name):
        raise DatabaseMissingError(engine.url.render_as_string())
    with engine.begin() as connection:
        version_of(connection)
    return engine
