"""Emergency codes on paper: one A4 sheet, French with English beside, for someone at 3 a.m."""

import datetime as dt
from collections.abc import Sequence

from releve.report.markup import el, esc
from releve.report.sheet import INK, LINE, SOFT, printed_head
from releve.report.text import Voice

_MORE = f"""
@page {{ size: A4; margin: 14mm 16mm; }}
.codes {{ width: 100%; margin: 6mm 0; border: 1.2pt solid {INK}; border-collapse: collapse; }}
.codes td, .codes th {{ border-bottom: 0.5pt solid {LINE}; padding: 3mm 4mm; text-align: left; }}
.codes code {{ font: 17pt/1.2 "DejaVu Sans Mono", "Liberation Mono", monospace;
  letter-spacing: 0.05em; white-space: nowrap; }}
.codes .used {{ width: 55mm; color: {SOFT}; font-size: 8.5pt; }}
.both {{ display: grid; grid-template-columns: 1fr 1fr; gap: 8mm; }}
.both [lang=en] {{ color: {SOFT}; }}
.both ol {{ padding-left: 5mm; margin: 0; }} .both li {{ margin-bottom: 1.6mm; }}
"""
_STEPS = {
    "fr": (
        "Ouvrez la console par le réseau de la structure : Internet n’est pas nécessaire.",
        "Choisissez « Ni téléphone ni clé : code d’urgence imprimé ».",
        "Entrez votre identifiant et le premier code qui n’est pas rayé. Rayez-le.",
        "La session dure quatre heures. Toute la structure la voit, et le journal la garde.",
        "Feuille perdue ou vue par un autre : faites-la révoquer, puis imprimez-en une nouvelle.",
    ),
    "en": (
        "Open the console through the structure’s network: no Internet is needed.",
        "Choose “No phone and no key: printed emergency code”.",
        "Enter your login and the first code that is not crossed out. Cross it out.",
        "The session lasts four hours. The whole structure sees it, and the trail keeps it.",
        "Sheet lost or seen by another: have it revoked, then print a new one.",
    ),
}


def sheet(structure: str, name: str, codes: Sequence[str], day: dt.date) -> str:
    """The whole page, self-contained. The login is not on it: who finds the sheet has half of it."""
    title = f"Codes d’urgence — {structure}"
    head = printed_head(title, _MORE)
    kind = el("p", esc("Relève · secret · à garder sous clé"), class_="kind")
    about = el(
        "p",
        el("b", esc(structure)),
        el("br"),
        esc(f"{name} · {Voice('fr').day(day)}"),
        class_="about",
    )
    rows = [
        el(
            "tr",
            el("th", esc(number), scope="row"),
            el("td", el("code", esc(code))),
            el("td", esc("Utilisé le · used on"), class_="used"),
        )
        for number, code in enumerate(codes, 1)
    ]
    steps = [
        el("ol", *[el("li", esc(step)) for step in said], lang=lang)
        for lang, said in _STEPS.items()
    ]
    body = el(
        "body",
        el("header", el("div", kind, el("h1", esc("Codes d’urgence"))), about, class_="mast"),
        el("table", el("tbody", *rows), class_="codes"),
        el("div", *steps, class_="both"),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='fr')}\n"
