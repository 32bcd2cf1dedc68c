"""What a command found or did, told to people: each fact by its name, in French or English."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from releve.apps.cli.called import spoken
from releve.apps.console.words import Words
from releve.apps.server.printable import printable

_NONE = "—"
# By the fact's key, which stays what programs read with --json.
NAMES: Mapping[str, tuple[str, str]] = {
    "actions": ("ordres", "orders"),
    "advice": ("avis", "advice"),
    "backup_at": ("dernière sauvegarde", "last backup"),
    "blanks": ("blancs à compléter", "blanks to fill in"),
    "bytes": ("taille", "size"),
    "care_stopped": ("soins arrêtés", "care that stands still"),
    "clocks": ("horloges légales", "legal clocks"),
    "closed_by": ("clos par", "closed by"),
    "consultations_lost_at_most": ("consultations perdues, au plus", "consultations lost, at most"),
    "contacts": ("contacts", "contacts"),
    "data_sets": ("jeux de données", "data sets"),
    "decided": ("décidé", "decided"),
    "decision": ("décision", "decision"),
    "done_at": ("fait", "done"),
    "dossiers": ("dossiers préparés", "dossiers made"),
    "drill_at": ("dernier essai de restauration", "last restore drill"),
    "duty": ("devoir", "duty"),
    "evidence": ("pièce", "piece of evidence"),
    "group": ("groupe", "group"),
    "guard_down": ("gardiens à l’arrêt", "guards down"),
    "hand_over": ("remise", "hand-over"),
    "holes_14_days": ("trous dans les 14 jours", "holes in the next 14 days"),
    "hosts": ("machines", "hosts"),
    "id": ("identifiant", "identifier"),
    "in": ("en fait partie", "part of it"),
    "incident": ("incident", "incident"),
    "incidents": ("incidents ouverts", "open incidents"),
    "insurer": ("assureur", "insurer"),
    "kind": ("nature", "kind"),
    "merged_into": ("réuni à", "merged into"),
    "open_clocks": ("horloges qui courent", "clocks that run"),
    "open_help": ("appels à l’aide ouverts", "open calls for help"),
    "open_steps": ("étapes ouvertes", "open steps"),
    "opened_at": ("ouvert", "opened"),
    "paper": ("papier", "paper"),
    "people": ("personnes", "people"),
    "per_cent": ("parts, en %", "shares, in %"),
    "playbook": ("fiche réflexe", "playbook"),
    "resumed_at": ("repris", "resumed"),
    "ring_on_attack": ("une attaque appelle l’astreinte", "an attack rings who is on call"),
    "run": ("déroulement", "run"),
    "seconds": ("durée", "time"),
    "service": ("soin", "service of care"),
    "services": ("activités de soins", "services of care"),
    "severity": ("gravité", "severity"),
    "sha256": ("SHA-256", "SHA-256"),
    "sheet": ("fiche imprimable", "printable sheet"),
    "shifts": ("tours d’astreinte", "shifts"),
    "since": ("depuis", "since"),
    "size": ("taille", "size"),
    "state": ("état", "state"),
    "step": ("étape", "step"),
    "steps": ("étapes", "steps"),
    "structure": ("structure", "structure"),
    "structures": ("structures", "structures"),
    "task": ("tâche", "task"),
    "undecided": ("propositions à décider", "proposals to decide"),
    "week": ("semaine", "week"),
    "withheld": ("rien n’est montré", "nothing is shown"),
}
_STATES: Mapping[str, tuple[str, str]] = {
    "open": ("ouvert", "open"),
    "closed": ("clos", "closed"),
    "merged": ("réuni à un autre", "merged into another"),
    "running": ("court", "running"),
    "sent-partial": ("envoyé, à compléter", "sent, to be completed"),
    "done": ("fait", "done"),
    "not-due": ("non dû", "not due"),
    "skipped": ("passée", "skipped"),
    "undone": ("à reprendre", "undone"),
    "proposed": ("proposée", "proposed"),
    "propose": ("proposée", "proposed"),
    "refused": ("refusée", "refused"),
}
_WITHHELD: Mapping[str, tuple[str, str]] = {
    "none_yet": ("pas encore de chiffres", "no figures yet"),
    "few": ("trop peu de structures consentent", "too few structures consent"),
    "withdrawn": ("une structure a retiré son accord", "a structure withdrew its consent"),
}
_WORDS = {"state": _STATES, "withheld": _WITHHELD}
_TEXTS = {"kind": "structure_kind", "severity": "severity", "decided": "ransom"}
_TIMES = ("backup_at", "done_at", "drill_at", "opened_at", "resumed_at", "since")
_SIZES = ("bytes", "size")


def told(facts: Mapping[str, Any]) -> list[str]:
    """A line a fact; none of what others wrote in one begins another."""
    t = Words(spoken())
    colon = t.either("\N{NO-BREAK SPACE}: ", ": ")
    return [
        printable(f"{t.either(*NAMES.get(key, (key, key)))}{colon}{_said(key, value, t)}")
        for key, value in facts.items()
    ]


def _said(key: str, value: object, t: Words) -> str:
    if isinstance(value, bool):
        return t.either("oui", "yes") if value else t.either("non", "no")
    if value in (None, "", [], {}, ()):
        return _NONE
    if isinstance(value, (int, float)):
        return _figure(key, value, t)
    if isinstance(value, Mapping):
        parts = (_said(name, one, t) for name, one in value.items())
        if key == "actions":
            return " ".join(parts)
        names = (t(f"sums.{name}") if t.has(f"sums.{name}") else str(name) for name in value)
        return ", ".join(map(" ".join, zip(names, parts, strict=True)))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_said(key, one, t) for one in value)
    return _word(key, str(value), t)


def _figure(key: str, value: float, t: Words) -> str:
    if key in _SIZES:
        return t.size(value)
    if key == "seconds":
        return t.exactly(value)
    return t.number(value, 0 if float(value).is_integer() else 1)


def _word(key: str, value: str, t: Words) -> str:
    if key in _TIMES:
        return t.moment(dt.datetime.fromisoformat(value)).striptags()
    if key == "week":
        return t.week(value)
    if value in _WORDS.get(key, {}):
        return t.either(*_WORDS[key][value])
    if key == "state" and t.has(f"order.{value}"):
        return t(f"order.{value}")
    section = _TEXTS.get(key, "")
    return t(f"{section}.{value}") if t.has(f"{section}.{value}") else value
