"""How long after a declaration the first drafts of all legal dossiers are there, as files too.

    .venv/bin/python bench/obligation.py --quick --json

A hospital with everything switched on, an incident with 200 stops, a data map of 40 lines; the store is
SQLite on disk (synchronous FULL). `drafts_s`: the worst run from the declaration to the last of all drafts
complete and kept, where the console shows it. `files_s`: to the last of them written as JSON, PDF and DOCX.
"""

import argparse
import datetime as dt
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from releve.adapters.content import forms, law
from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.apps.console.dossier_files import file_of
from releve.flow.server import dossiers, obligations
from releve.flow.server.dossiers import Who
from releve.flow.server.enrol import ensure_structure
from releve.model.finding import Severity
from releve.model.incident import Incident, Stop
from releve.model.structure import Contact, DataSetEntry, Profile, StructureKind

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
STOPS, DATA_SETS = 200, 40
FILES = ("json", "pdf", "docx")


def hospital() -> Profile:
    data = tuple(
        DataSetEntry(
            name=f"Jeu {n}", hosts=("h1",), persons={"patients": 1000 + n}, records=5000,
            categories=("identity", "health", "nir"),
        )
        for n in range(DATA_SETS)
    )  # fmt: skip
    return Profile(
        kind=StructureKind.HOSPITAL, legal_name="Hôpital du Parc", is_ose=True, has_nis2_on=True,
        representative="Directrice", contacts=(Contact(name="DPO", role="dpo"),), data_map=data,
    )  # fmt: skip


def attack(structure: str) -> Incident:
    stops = tuple(
        Stop(
            family=f"f{n}", at=T0 + dt.timedelta(seconds=n), action="killed", stop_ms=5.0,
            files_touched=7, program="cryptor", restored=7, lost=0,
        )
        for n in range(STOPS)
    )  # fmt: skip
    return Incident(
        id="bench", structure=structure, host="h1", opened_at=T0, last_at=T0,
        severity=Severity.CRITICAL, stops=stops,
    )  # fmt: skip


def once(folder: Path) -> tuple[float, float, int]:
    """(seconds to the last draft kept, to the last file written, dossiers)."""
    engine = open_engine(sqlite_url(folder))
    store = SqlStore(engine, Seal(b"k" * 32))
    owner = ensure_structure(store, "Hôpital", "s1", T0)
    with store.unit(owner.id) as unit:
        unit.put_profile(hospital())
        unit.put_incident(attack(owner.id))
    rules, kinds, now = law(), forms(), T0 + dt.timedelta(hours=1)
    begun = time.perf_counter()
    with store.unit(owner.id) as unit:
        obligations.declare(unit, rules, "bench", obligations.Said(by="A"), login="a", now=now)
    with store.unit(owner.id) as unit:
        made = dossiers.make_all(unit, rules, kinds, "bench", Who(login="a", at=now))
    kept = time.perf_counter() - begun
    by_kind = {form.id: form for form in kinds}
    with store.unit(owner.id, writes=False) as unit:
        for one in made:
            for kind in FILES:
                body = file_of(unit, rules, by_kind[one.kind], one, kind)
                (folder / f"{one.kind}.{kind}").write_bytes(body)
    written = time.perf_counter() - begun
    engine.dispose()
    return kept, written, len(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="One run instead of ten.")
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    before = os.getloadavg()[0]
    runs = []
    for _ in range(1 if chosen.quick else 10):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(once(Path(folder)))
    found = {
        "drafts_s": round(max(run[0] for run in runs), 3),
        "drafts_median_s": round(statistics.median(run[0] for run in runs), 3),
        "files_s": round(max(run[1] for run in runs), 3),
        "files_median_s": round(statistics.median(run[1] for run in runs), 3),
        "dossiers": runs[0][2],
        "files": runs[0][2] * len(FILES),
        "runs": len(runs),
        "load_before": round(before, 2),
    }
    print(json.dumps(found) if chosen.as_json else "\n".join(f"{k}: {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()
