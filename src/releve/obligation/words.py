"""What dossiers say: French, for French authorities. Sentences are typed here, facts put in."""

import datetime as dt
from collections.abc import Iterable

from releve.model.law import Law
from releve.model.structure import StructureKind

KINDS = {
    StructureKind.PRACTICE: "cabinet libéral",
    StructureKind.HEALTH_CENTRE: "maison ou centre de santé",
    StructureKind.PHARMACY: "pharmacie",
    StructureKind.LABORATORY: "laboratoire de biologie médicale",
    StructureKind.RADIOTHERAPY: "centre de radiothérapie",
    StructureKind.NURSING_HOME: "EHPAD ou établissement médico-social",
    StructureKind.CLINIC: "établissement de santé privé",
    StructureKind.HOSPITAL: "établissement public de santé",
}
CATEGORIES = {
    "identity": "identité",
    "contact": "coordonnées",
    "health": "santé",
    "nir": "numéro de sécurité sociale (NIR)",
    "billing": "facturation",
    "bank": "données bancaires",
    "login": "identifiants de connexion",
    "images": "images médicales",
}
PERSONS = {
    "patients": "patients",
    "minors": "patients mineurs",
    "vulnerable": "personnes vulnérables",
    "staff": "personnel",
    "relatives": "proches",
}
ANSWERS = {
    "yes": "oui",
    "no": "non",
    "unknown": "inconnu à cette heure",
    "none": "risque improbable",
    "likely": "risque probable",
    "high": "risque élevé",
}


def moment(at: dt.datetime, zone: dt.tzinfo) -> str:
    """Local time with its zone: an hour that comes twice in autumn is told apart."""
    return at.astimezone(zone).strftime("%d/%m/%Y %H:%M %Z")


def number(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u202f")


def listed(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def sentence(text: str) -> str:
    """What a person wrote, closed, so that another sentence may follow it."""
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def counted(n: int, one: str, many: str) -> str:
    return f"{number(n)} {one if n < 2 else many}"


def duty(law: Law, identity: str) -> str:
    return next((d.name.fr for d in law.duty if d.id == identity), identity)
