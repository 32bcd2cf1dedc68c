"""What an incident, its data and the care it stopped say in a dossier. Empty: nobody knows yet."""

from releve.model.incident import Stop
from releve.obligation import words
from releve.obligation.case import Case

_UNSTOPPED = "attaque sans auteur trouvé, que rien n’a arrêtée"
_UNSTOPPED_MANY = "attaques sans auteur trouvé, que rien n’a arrêtées"
_MOST_STOPS = 20  # of a timeline that a person reads aloud to a policeman


def first_signal(case: Case) -> str:
    return words.moment(case.told.first_signal, case.zone)


def aware(case: Case) -> str:
    return words.moment(case.told.aware_at, case.zone)


def significant(case: Case) -> str:
    return words.moment(case.told.significant_at, case.zone)


def end(case: Case) -> str:
    closed = case.incident.closed_at
    return words.moment(closed, case.zone) if closed else ""


def status(case: Case) -> str:
    if case.incident.closed_at is not None:
        return "clos"
    return "contenu" if case.harm.stops and case.harm.is_held else "en cours"


def hosts(case: Case) -> str:
    return words.listed(case.hosts)


def detected(case: Case) -> str:
    harm = case.harm
    if not harm.stops and not harm.unstopped:
        return ""
    stops = [stop for stop in case.incident.stops if _is_stop(stop) or not harm.stops]
    at = words.moment(min((s.at for s in stops), default=case.incident.opened_at), case.zone)
    if not harm.stops:
        return f"Par Relève, qui a constaté une attaque le {at} ; son auteur n’a pas été trouvé."
    return f"Par Relève, qui a arrêté un programme le {at}."


def figures(case: Case) -> str:
    """Counts only: a file name may name a patient."""
    harm = case.harm
    if not harm.stops and not harm.touched:
        return ""
    said = [words.counted(harm.stops, "programme arrêté", "programmes arrêtés")]
    if harm.unstopped:
        said.append(words.counted(harm.unstopped, _UNSTOPPED, _UNSTOPPED_MANY))
    said.append(_files(harm.touched))
    if harm.is_settled:
        said.append(words.counted(harm.restored, "fichier rétabli", "fichiers rétablis"))
        said.append(words.counted(harm.lost, "fichier perdu", "fichiers perdus"))
    else:
        said.append("remise en état en cours")
    return f"{words.listed(said)} (mesuré par Relève)."


def _is_stop(stop: Stop) -> bool:
    return stop.action != "none"


def _ended(stop: Stop) -> str:
    return "programme arrêté" if _is_stop(stop) else "attaque constatée, auteur non trouvé"


def description(case: Case) -> str:
    parts = [words.sentence(case.told.texts.get("happened", ""))]
    if case.hosts:
        where = words.listed(case.hosts)
        parts.append(f"Premier signe le {first_signal(case)}, sur : {where}.")
    parts.append(figures(case))
    return " ".join(part for part in parts if part)


def timeline(case: Case) -> str:
    """In order of time; of many stops the first ones, and how many more there were."""
    told, stops = case.told, sorted(case.incident.stops, key=lambda s: s.at)
    lines = [(told.first_signal, "premier signe")]
    lines += [(s.at, f"{_ended(s)}, {_files(s.files_touched)}") for s in stops[:_MOST_STOPS]]
    if more := case.harm.stops + case.harm.unstopped - min(len(stops), _MOST_STOPS):
        last = stops[-1].at if stops else case.incident.last_at
        kind = ("constat", "constats") if case.harm.unstopped else ("arrêt", "arrêts")
        lines.append((last, words.counted(more, f"autre {kind[0]}", f"autres {kind[1]}")))
    lines.append((told.aware_at, f"prise de connaissance, dite par {told.by}"))
    lines += [
        (clock.sent_at, f"{words.duty(case.law, clock.duty)} : envoyé")
        for clock in case.clocks
        if clock.sent_at is not None
    ]
    if case.incident.closed_at is not None:
        lines.append((case.incident.closed_at, "incident clos"))
    ordered = sorted(lines, key=lambda line: line[0])
    return "\n".join(f"{words.moment(at, case.zone)} : {what}" for at, what in ordered)


def programs(case: Case) -> str:
    seen = {words.listed((s.program, s.user, s.client)): None for s in case.incident.stops}
    return " ; ".join(line for line in seen if line)


def nature(case: Case) -> str:
    """What is certain from the counts, and what the answers say; confidentiality is never guessed."""
    harm, said = case.harm, case.told.answers
    parts = ["indisponibilité" if harm.touched else "", "altération" if harm.touched else ""]
    parts.append("perte" if harm.lost else "")
    if said.get("health_data") == "yes":
        parts.append("confidentialité ou intégrité de données de santé touchée")
    return words.listed(parts)


def origin(case: Case) -> str:
    is_attack = case.told.answers.get("malicious") != "no"
    found = case.harm.stops or case.harm.unstopped
    return "programme malveillant" if is_attack and found else ""


def cause(case: Case) -> str:
    said = case.told.answers.get("malicious")
    return {"yes": "malveillante", "no": "accidentelle"}.get(said or "", "")


def severity(case: Case) -> str:
    risk = case.told.answers.get("risk", "unknown")
    return "" if risk == "unknown" else words.ANSWERS[risk]


def persons(case: Case) -> str:
    counts: dict[str, list[int]] = {}
    for entry in case.touched_data():
        for category, count in entry.persons.items():
            counts.setdefault(category, []).append(count)
    said = (f"{words.PERSONS.get(c, c)} : {_about(ns)}" for c, ns in counts.items())
    return words.listed(said)


def persons_count(case: Case) -> str:
    """A sum over sets or categories is a bound: a minor is a patient, a patient has images."""
    counts = [n for entry in case.touched_data() for n in entry.persons.values() if n]
    if not counts:
        return ""
    twice = " (une personne peut figurer dans plusieurs jeux ou catégories)"
    return _about(counts) + (twice if len(counts) > 1 else "")


def records(case: Case) -> str:
    total = sum(entry.records for entry in case.touched_data())
    return f"environ {words.number(total)}" if total else ""


def categories(case: Case) -> str:
    seen = {c: None for entry in case.touched_data() for c in entry.categories}
    return words.listed(words.CATEGORIES.get(c, c) for c in seen)


def protection(case: Case) -> str:
    entries = case.touched_data()
    if not entries:
        return ""
    ciphered = [e.name for e in entries if e.encrypted_at_rest]
    said = (
        f"chiffrées au repos : {words.listed(ciphered)}" if ciphered else "non chiffrées au repos"
    )
    return f"Données {said}, d’après la carte des données."


def leaves_eu(case: Case) -> str:
    """Only what the data map says: that data stay in the Union does not say where persons live."""
    if any(e.leaves_eu for e in case.touched_data()):
        return "des données sortent de l’Union européenne, d’après la carte des données"
    return ""


def endangered(case: Case) -> str:
    said = case.told.answers
    if said.get("patient_harm") == "yes":
        return "réel"
    if said.get("care_safety") == "yes":
        return "potentiel"
    return "non" if said.get("patient_harm") == said.get("care_safety") == "no" else ""


def degraded(case: Case) -> str:
    """Nobody says when it began: not before the first sign."""
    said = case.told.answers.get("disturbed")
    if said == "yes":
        return f"oui, au plus tôt depuis le {first_signal(case)} (premier signe)"
    return "non" if said == "no" else ""


def care_lost(case: Case) -> str:
    services = case.stopped_care()
    if not services:
        return ""
    lost = sum(s.consultations_per_hour for s in services)
    names = words.listed(s.name for s in services)
    return f"{names} : jusqu’à {lost:g} consultations par heure".replace(".", ",")


def _about(counts: list[int]) -> str:
    most = " au plus" if len(counts) > 1 else ""
    return f"environ {words.number(sum(counts))}{most}"


def _files(n: int) -> str:
    return words.counted(n, "fichier touché", "fichiers touchés")
