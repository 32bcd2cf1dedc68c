"""A playbook on paper: the steps in order, boxes to tick, and the structure's own phone numbers."""

import datetime as dt
from collections.abc import Sequence

from releve.model.law import Mark, OutsideHelp
from releve.model.playbook import Playbook, PlaybookStep
from releve.model.structure import Profile
from releve.report.markup import EMPTY, Html, el, esc, join
from releve.report.sheet import INK, LINE, SOFT, TEAL, footer_rule, printed_head
from releve.report.text import Voice

_MORE = f"""
@page {{ size: A4; margin: 12mm 14mm 13mm; }}
body {{ font-size: 9.4pt; line-height: 1.35; }}
.mast {{ margin-bottom: 3mm; padding-bottom: 2mm; }}
.safe {{ border-left: 2.5pt solid {TEAL}; padding: 1.5mm 4mm; margin: 0 0 3mm; }}
.phones {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 0 5mm; margin: 0 0 4mm; font-size: 9pt; }}
.phones div {{ border-top: 0.75pt solid {INK}; padding: 1.2mm 0 1.8mm; break-inside: avoid; }}
.phones dt, .phones dd {{ border: 0; padding: 0; }}
.phones dt {{ font-size: 7.5pt; color: {SOFT}; font-weight: 400; }}
.phones dd.number {{ font-weight: 700; font-size: 11pt; }}
.outside {{ font-size: 8.5pt; margin: -1.5mm 0 3.5mm; }}
.steps {{ list-style: none; margin: 0; padding: 0; }}
.steps li {{ display: grid; grid-template-columns: 6mm 6mm 1fr 21mm 17mm; gap: 2mm; max-width: none; margin: 0;
  border-top: 0.5pt solid {LINE}; padding: 1.3mm 0; break-inside: avoid; }}
.steps .box {{ display: inline-block; width: 3.6mm; height: 3.6mm; border: 0.9pt solid {INK}; margin-top: 0.4mm; }}
.steps .who {{ color: {SOFT}; font-size: 8pt; }}
.steps .time {{ border-bottom: 0.5pt dotted {SOFT}; }}
.steps small {{ display: block; color: {SOFT}; font-size: 8pt; }}
.sources {{ font-size: 7.5pt; color: {SOFT}; margin-top: 4mm; }}
"""
_WHO = {
    "fr": {"doctor": "Médecin", "it": "Informatique", "operator": "Infogérant", "dpo": "DPO"},
    "en": {"doctor": "Doctor", "it": "IT", "operator": "Operator", "dpo": "DPO"},
}
_ROLES = {
    "fr": {
        "lead": "Responsable", "it": "Informatique", "dpo": "DPO", "insurer": "Assureur",
        "police": "Police, gendarmerie", "software": "Éditeur du logiciel", "other": "Autre",
    },
    "en": {
        "lead": "Lead", "it": "IT", "dpo": "DPO", "insurer": "Insurer",
        "police": "Police", "software": "Software editor", "other": "Other",
    },
}  # fmt: skip
_WORDS = {
    "fr": {
        "kind": "Relève · fiche réflexe · à garder sur papier",
        "printed": "Imprimée le {day}",
        "dated": "Contenu du {day}",
        "none": "Aucun numéro n’est enregistré. Écrivez-les ici :",
        "safe": "Ce qui est à l’abri",
        "undo": "Pour revenir en arrière :",
        "by_releve": "Relève peut le proposer depuis la console.",
        "time": "Heure",
        "steps": "Dans cet ordre",
        "phones": "À appeler, par un téléphone qui n’est pas touché",
        "policy": "Contrat",
        "outside": "Hors de la structure :",
        "unverified": "numéro non vérifié",
        "foot": "Relève, fiche réflexe. Notez l’heure de chaque étape. Aucun nom de patient ici.",
    },
    "en": {
        "kind": "Relève · playbook · keep it on paper",
        "printed": "Printed on {day}",
        "dated": "Content of {day}",
        "none": "No number is kept. Write them here:",
        "safe": "What is safe",
        "undo": "To take it back:",
        "by_releve": "Relève can propose it from the console.",
        "time": "Time",
        "steps": "In this order",
        "phones": "Whom to call, by a phone that was not hit",
        "policy": "Policy",
        "outside": "Outside the structure:",
        "unverified": "number not verified",
        "foot": "Relève, playbook. Note the time of each step. No patient’s name here.",
    },
}


def sheet(
    playbook: Playbook,
    structure: str,
    profile: Profile | None,
    day: dt.date,
    lang: str,
    *,
    outside: Sequence[OutsideHelp],
) -> str:
    """The whole page, self-contained; room for numbers where the structure told none.

    `outside`: who helps when nobody of one's own can be reached.
    """
    said = _WORDS[lang]
    title = f"{playbook.title.of(lang)} — {structure}"
    head = printed_head(title, _MORE + footer_rule(said["foot"]))
    safe = el("div", el("b", esc(said["safe"])), el("br"), esc(playbook.safe.of(lang)))
    steps = [_step(number, one, lang) for number, one in enumerate(playbook.steps, 1)]
    body = el(
        "body",
        _mast(playbook, structure, day, lang),
        el(
            "section",
            el("h3", esc(said["phones"])),
            _phones(profile, lang),
            _outside(outside, lang),
        ),
        el("div", safe, class_="safe"),
        el("section", el("h3", esc(said["steps"])), el("ol", *steps, class_="steps")),
        el("p", esc(" · ".join(playbook.sources)), class_="sources"),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang=lang)}\n"


def _mast(playbook: Playbook, structure: str, day: dt.date, lang: str) -> Html:
    said, voice = _WORDS[lang], Voice("en" if lang == "en" else "fr")
    about = [
        el("b", esc(structure)),
        esc(said["printed"].format(day=voice.day(day))),
        esc(said["dated"].format(day=voice.day(playbook.dated))),
    ]
    return el(
        "header",
        el(
            "div", el("p", esc(said["kind"]), class_="kind"), el("h1", esc(playbook.title.of(lang)))
        ),
        el("p", join(about, "<br>"), class_="about"),
        class_="mast",
    )


def _phones(profile: Profile | None, lang: str) -> Html:
    contacts = [c for c in profile.contacts if c.phone] if profile else []
    if not contacts:
        blank = [el("div", el("dt", Html("&nbsp;")), el("dd", Html("&nbsp;"))) for _ in range(6)]
        return join([el("p", esc(_WORDS[lang]["none"])), el("dl", *blank, class_="phones")])
    boxes = []
    for contact in contacts:
        role = _ROLES[lang].get(contact.role, contact.role)
        if contact.role == "insurer" and profile and profile.insurer_policy:
            role = f"{role} · {_WORDS[lang]['policy']} {profile.insurer_policy}"
        boxes.append(
            el(
                "div",
                el("dt", esc(role)),
                el("dd", esc(contact.name)),
                el("dd", esc(contact.phone), class_="number"),
            )
        )
    return el("dl", *boxes, class_="phones")


def _outside(outside: Sequence[OutsideHelp], lang: str) -> Html:
    """Steps name them: on paper nobody can look their numbers up."""
    told = []
    for one in outside:
        way = one.url.removeprefix("https://")
        if one.phone:
            doubt = "" if one.mark is Mark.VERIFIED else f" ({_WORDS[lang]['unverified']})"
            way = f"{one.phone}{doubt}, {way}"
        told.append(el("span", el("b", esc(one.name)), esc(f" {way}")))
    return el("p", esc(_WORDS[lang]["outside"] + " "), join(told, " · "), class_="outside")


def _step(number: int, step: PlaybookStep, lang: str) -> Html:
    said, more = _WORDS[lang], EMPTY
    if step.kind == "automatic":
        more = el("small", esc(said["by_releve"]))
    if step.undo is not None:
        back = el("small", esc(f"{said['undo']} {step.undo.of(lang)}"))
        more = join([more, back])
    return el(
        "li",
        el("span", el("span", class_="box")),
        el("b", esc(number)),
        el("span", esc(step.say.of(lang)), more),
        el("span", esc(_WHO[lang].get(step.who, step.who)), class_="who"),
        el("span", el("small", esc(said["time"])), class_="time"),
    )
