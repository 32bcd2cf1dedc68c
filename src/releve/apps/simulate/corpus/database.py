"""The practice's patient database: SQLite, in use during the attacks."""

import sqlite3
from pathlib import Path
from random import Random

from releve.apps.simulate.corpus import words


def build_database(path: Path, rng: Random, patients: int) -> None:
    """Write a database of invented patients and their visits."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA synchronous=OFF")
        db.execute(
            "CREATE TABLE patient (id INTEGER PRIMARY KEY, nom TEXT, prenom TEXT, ne INTEGER)"
        )
        db.execute(
            "CREATE TABLE visite (id INTEGER PRIMARY KEY, patient INTEGER, jour TEXT, note TEXT)"
        )
        db.execute("CREATE INDEX visite_patient ON visite (patient)")
        db.executemany(
            "INSERT INTO patient VALUES (?, ?, ?, ?)",
            [
                (k, rng.choice(words.LAST), rng.choice(words.FIRST), rng.randint(1931, 2019))
                for k in range(patients)
            ],
        )
        notes = words.sentences(rng, 40)
        db.executemany(
            "INSERT INTO visite (patient, jour, note) VALUES (?, ?, ?)",
            [
                (
                    rng.randrange(patients),
                    f"2025-{k % 12 + 1:02d}-{k % 28 + 1:02d}",
                    rng.choice(notes),
                )
                for k in range(patients * 3)
            ],
        )
    db.close()
