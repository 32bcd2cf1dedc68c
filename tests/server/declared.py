"""A structure with one stopped attack, for tests of its legal clocks; a process that can be killed."""

import sys
import time
from pathlib import Path

from releve.adapters.content import forms, law
from releve.adapters.sql.engine import open_engine
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.flow.server import dossiers, obligations, profiles
from releve.flow.server.ingest import take
from releve.model.structure import DataSetEntry, Profile, StructureKind
from tests.server.world import T0, EnrolledHost, add_host, batch, rolled_back, stopped

LAW, FORMS = law(), forms()


def practice(host: str, kind: StructureKind = StructureKind.PRACTICE) -> Profile:
    data = DataSetEntry(
        name="Dossiers", hosts=(host,), persons={"patients": 900}, categories=("health",)
    )
    return Profile(kind=kind, legal_name="Cabinet du Parc", data_map=(data,))


def attacked(
    store: SqlStore, name: str = "Cabinet A", *, kind: StructureKind = StructureKind.PRACTICE
) -> tuple[EnrolledHost, str]:
    """A host and the incident of the attack that was stopped on it at T0."""
    host = add_host(store, f"serveur {name}", name)
    profiles.put(store, host.structure, practice(f"serveur {name}", kind), actor="a", now=T0)
    take(store, host.structure, host.id, batch(stopped("f1"), rolled_back("f1")), T0)
    with store.unit(host.structure, writes=False) as unit:
        return host, unit.open_incidents(host.id)[0].id


def declare(store: SqlStore, structure: str, incident: str, **said: object) -> None:
    """By Dr Martin at T0, with all drafts."""
    with store.unit(structure) as unit:
        words = obligations.Said(**{"by": "Dr Martin", "role": "gérante"} | said)
        obligations.declare(unit, LAW, incident, words, login="claire", now=T0)
        who = dossiers.Who(login="claire", at=T0)
        dossiers.make_all(unit, LAW, FORMS, incident, who)


def keep_ticking(url: str, structure: str, slow: str) -> None:
    """Ticks for ever, as a server of its own would; says when it begins."""
    store = SqlStore(open_engine(url), Seal(b"k" * 32))
    print("ticking", flush=True)
    hours = 0.0
    while True:
        import datetime as dt

        hours += 0.5
        with store.unit(structure) as unit:
            obligations.tick(unit, T0 + dt.timedelta(hours=hours))
            time.sleep(float(slow))  # the kill comes within the transaction as often as between two


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    keep_ticking(*sys.argv[1:])
