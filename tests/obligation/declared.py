"""A declared incident for tests: the shipped content, a practice with a data map, one stopped attack."""

import datetime as dt
import zoneinfo
from typing import Any

from releve.adapters.content import forms, law
from releve.model.dossier import Form
from releve.model.obligation import Declaration
from releve.model.structure import CareService, Contact, DataSetEntry, Profile, StructureKind
from releve.obligation.case import Case, Harm
from tests.report.incidents import incident, stop

LAW = law()
FORMS = forms()
T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
HOUR = dt.timedelta(hours=1)
FILES = DataSetEntry(
    name="Dossiers patients",
    hosts=("serveur-cabinet",),
    persons={"patients": 2400},
    categories=("identity", "health"),
    records=2400,
)
PRACTICE = Profile(
    kind=StructureKind.PRACTICE,
    legal_name="Cabinet du Parc",
    siren="123456789",
    siret="12345678900011",
    finess="350000001",
    address="1 rue du Parc, 35000 Rennes",
    staff=4,
    representative="Dr Camille Martin",
    insurer_policy="C-77",
    contacts=(
        Contact(name="Dr Camille Martin", role="lead", phone="02 99 00 00 01"),
        Contact(name="Mutuelle A", role="insurer", phone="01 00 00 00 02"),
    ),
    services=(
        CareService(
            id="soins", name="Consultations", hosts=("serveur-cabinet",), consultations_per_hour=6
        ),
    ),
    data_map=(
        FILES,
        DataSetEntry(name="Paie", hosts=("autre",), persons={"staff": 4}, records=48),
    ),
)


def profile(kind: StructureKind = StructureKind.PRACTICE, **changed: Any) -> Profile:
    import msgspec

    return msgspec.structs.replace(PRACTICE, kind=kind, **changed)


def told(**changed: Any) -> Declaration:
    facts: dict[str, Any] = {
        "incident": "abc",
        "version": 1,
        "first_signal": T0 - HOUR,
        "aware_at": T0,
        "significant_at": T0,
        "by": "Dr Camille Martin",
        "role": "gérante",
        "login": "claire",
        "at": T0,
    }
    return Declaration(**(facts | changed))


def case(**changed: Any) -> Case:
    from releve.obligation.clocks import started

    said = changed.pop("told", told())
    whose = changed.pop("profile", PRACTICE)
    facts: dict[str, Any] = {
        "law": LAW,
        "incident": incident(stop(), id=said.incident),
        "hosts": ("serveur-cabinet",),
        "harm": Harm(stops=1, touched=3, restored=3, lost=0),
        "profile": whose,
        "told": said,
        "clocks": started(LAW, whose, said),
        "zone": PARIS,
        "now": T0,
    }
    return Case(**(facts | changed))


def form(kind: str) -> Form:
    return next(one for one in FORMS if one.id == kind)
