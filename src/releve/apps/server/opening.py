"""Opening the store: for short commands too, which need nothing of the web."""

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home


def open_store(home: Home, url: str = "") -> SqlStore:
    return SqlStore(open_engine(url or sqlite_url(home.path)))
