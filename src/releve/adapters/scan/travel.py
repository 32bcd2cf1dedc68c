"""A copy of the catalogue that travels with the backups: whoever loses the machine plans from there."""

import contextlib
import sqlite3
from pathlib import Path

from releve.flow.scan_ports import CatalogueError


def copy(catalogue: Path, place: Path) -> None:
    """Write one consistent state of it to another file, which is replaced whole.

    Raises: CatalogueError.
    """
    new = place.with_name(f".{place.name}.new")
    new.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(catalogue, isolation_level=None)) as database:
            database.execute("VACUUM INTO ?", (str(new),))
        new.chmod(0o600)
        new.replace(place)
    except (OSError, sqlite3.Error) as error:
        raise CatalogueError(str(place), str(error)) from error
