"""Pages that rows were removed from still hold them: here they are given back, or overwritten."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.versions import drop_copies


def wipe(engine: sa.Engine) -> bool:
    """False when somebody else was reading, so that traces may be left in SQLite's log: call it again."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in t.metadata.sorted_tables:
                name = connection.dialect.identifier_preparer.format_table(table)
                connection.exec_driver_sql(f"VACUUM {name}")
        return True
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError("SQLite's own driver is needed")
        drop_copies(Path(str(engine.url.database)))
        try:
            driver.execute("VACUUM")
        except sqlite3.OperationalError:
            return False
        is_busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
