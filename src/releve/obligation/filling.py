"""What fills a field of a dossier: one function per name. Empty: a person completes it."""

from collections.abc import Callable, Mapping

from releve.model.obligation import State
from releve.obligation import facts, words
from releve.obligation.case import Case

Filler = Callable[[Case], str]
_PEOPLE = ("lead", "it", "dpo", "insurer", "police", "software")


def fillers(questions: tuple[str, ...], duties: tuple[str, ...]) -> Mapping[str, Filler]:
    """Every name that a form may use, for these questions and duties of the content."""
    found: dict[str, Filler] = dict(_NAMED)
    found |= {f"contact.{role}": _contact(role) for role in _PEOPLE}
    found |= {f"answer.{question}": _answer(question) for question in questions}
    found |= {f"clock.{duty}": _sending(duty) for duty in duties}
    found |= {f"reason.{duty}": _why_not(duty) for duty in duties}
    found |= {f"delay.{duty}": _delay(duty) for duty in duties}
    return found


def _profile(name: str) -> Filler:
    def fill(case: Case) -> str:
        return str(getattr(case.profile, name)) if case.profile else ""

    return fill


def _kind(case: Case) -> str:
    return words.KINDS[case.profile.kind] if case.profile else ""


def _staff(case: Case) -> str:
    return words.number(case.profile.staff) if case.profile and case.profile.staff else ""


def _is_ose(case: Case) -> str:
    return ("oui" if case.profile.is_ose else "non") if case.profile else ""


def _contact(role: str) -> Filler:
    def fill(case: Case) -> str:
        found = case.profile.contact(role) if case.profile else None
        return words.listed((found.name, found.phone, found.mail)) if found else ""

    return fill


def _dpo_or_lead(case: Case) -> str:
    return _contact("dpo")(case) or _contact("lead")(case)


def _insurer(case: Case) -> str:
    policy = case.profile.insurer_policy if case.profile else ""
    return words.listed((_contact("insurer")(case), f"police n° {policy}" if policy else ""))


def _told(name: str) -> Filler:
    return lambda case: case.told.texts.get(name, "")


def _told_by(case: Case) -> str:
    return words.listed((case.told.by, case.told.role))


def _answer(question: str) -> Filler:
    def fill(case: Case) -> str:
        said = case.told.answers.get(question, "")
        return words.ANSWERS.get(said, said)

    return fill


def _sending(duty: str) -> Filler:
    def fill(case: Case) -> str:
        clock = case.clock(duty)
        sending = clock.first_sending if clock else None
        if sending is None or sending.sent_at is None:
            return ""
        reference = f", référence {sending.reference}" if sending.reference else ""
        return f"le {words.moment(sending.sent_at, case.zone)}{reference}"

    return fill


def _why_not(duty: str) -> Filler:
    def fill(case: Case) -> str:
        clock = case.clock(duty)
        if clock is None or clock.state is not State.NOT_DUE:
            return ""
        decision = clock.decisions[-1]
        return f"{reason(case, decision.reason)} ({decision.by})"

    return fill


def _delay(duty: str) -> Filler:
    def fill(case: Case) -> str:
        clock = case.clock(duty)
        if clock is None or clock.due_at is None:
            return ""
        if (clock.sent_at or case.now) > clock.due_at:
            return ""
        return f"sans objet : dans le délai, qui court jusqu’au {words.moment(clock.due_at, case.zone)}"

    return fill


def _others_told(case: Case) -> str:
    """Whoever outside was told; the register stays in the structure, and its entry tells nobody."""
    return _sendings(case, {duty.id for duty in case.law.duty if not duty.texts})


def _authorities_told(case: Case) -> str:
    return _sendings(case, {duty.id for duty in case.law.duty if duty.authority})


def _sendings(case: Case, duties: set[str]) -> str:
    sent = [c for c in case.clocks if c.sent_at is not None and c.duty in duties]
    if not sent:
        return "aucune à cette heure"
    return " ; ".join(f"{words.duty(case.law, c.duty)}, {_sending(c.duty)(case)}" for c in sent)


def reason(case: Case, said: str) -> str:
    """A reason in words: what a person wrote, or the answer that says so."""
    asked, _, answer = said.partition("=")
    question = next((q for q in case.law.question if q.id == asked), None)
    return f"{question.ask.fr} {words.ANSWERS.get(answer, answer)}" if question else said


_NAMED: Mapping[str, Filler] = {
    **{
        f"profile.{name}": _profile(name)
        for name in (
            "legal_name", "siren", "siret", "finess", "address", "representative",
            "insurer_policy",
        )
    },
    "profile.kind": _kind,
    "profile.staff": _staff,
    "profile.is_ose": _is_ose,
    "contact.dpo_or_lead": _dpo_or_lead,
    "insurer.both": _insurer,
    "incident.first_signal": facts.first_signal,
    "incident.aware": facts.aware,
    "incident.significant": facts.significant,
    "incident.end": facts.end,
    "incident.status": facts.status,
    "incident.hosts": facts.hosts,
    "incident.detected": facts.detected,
    "incident.figures": facts.figures,
    "incident.description": facts.description,
    "incident.timeline": facts.timeline,
    "incident.programs": facts.programs,
    "breach.nature": facts.nature,
    "breach.origin": facts.origin,
    "breach.cause": facts.cause,
    "breach.severity": facts.severity,
    "data.persons": facts.persons,
    "data.persons_count": facts.persons_count,
    "data.records": facts.records,
    "data.categories": facts.categories,
    "data.protection": facts.protection,
    "data.leaves_eu": facts.leaves_eu,
    "care.endangered": facts.endangered,
    "care.degraded": facts.degraded,
    "care.lost": facts.care_lost,
    "told.by": _told_by,
    "told.effects": _told("effects"),
    "told.measures": _told("measures"),
    "others.told": _others_told,
    "authorities.told": _authorities_told,
}  # fmt: skip
