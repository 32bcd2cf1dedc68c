"""The one style sheet of every report: A4 on paper, one column on screen, nothing fetched."""

# ruff: noqa: E501  (one CSS rule a line)

from releve.report.markup import Html, el, esc

INK, SOFT, LINE, PAPER = "#17222d", "#566472", "#d8dfe4", "#f5f7f8"
TEAL, RED, AMBER = "#0b6158", "#a8201a", "#b8651b"

SANS = '"Source Sans 3", "Helvetica Neue", Arial, "Liberation Sans", sans-serif'

SHEET = f"""
@page {{
  size: A4; margin: 19mm 18mm 20mm;
  @bottom-left {{ font: 7.5pt/1 {SANS}; color: {SOFT}; width: 80%; }}
  @bottom-right {{ content: counter(page) " / " counter(pages); font: 7.5pt/1 {SANS}; color: {SOFT}; }}
}}
@page wide {{ size: A4 landscape; margin: 13mm 14mm 14mm; }}
* {{ box-sizing: border-box; }}
html {{ color: {INK}; background: #fff; }}
body {{
  margin: 0; font: 10pt/1.5 {SANS};
  font-variant-numeric: tabular-nums lining-nums; hyphens: manual;
}}
h1, h2, h3, .lead {{ font-family: Charter, "Source Serif 4", Georgia, "Liberation Serif", serif; font-weight: 400; }}
h1 {{ font-size: 15pt; line-height: 1.25; margin: 0; }}
h2 {{ font-size: 17pt; line-height: 1.2; margin: 0 0 4mm; break-after: avoid; }}
h3 {{ font-size: 12pt; margin: 5mm 0 1.5mm; break-after: avoid; }}
p {{ margin: 0 0 2.5mm; max-width: 48em; }}
.mast {{ display: flex; justify-content: space-between; align-items: flex-end; border-bottom: 0.75pt solid {INK};
  padding-bottom: 3mm; margin-bottom: 8mm; gap: 10mm; }}
.kind {{ text-transform: uppercase; letter-spacing: 0.09em; font-size: 7.5pt; color: {TEAL}; margin: 0 0 1mm; font-weight: 700; }}
.about {{ margin: 0; font-size: 8pt; line-height: 1.45; color: {SOFT}; text-align: right; }}
.about b {{ font-weight: 400; color: {INK}; }}
.lead {{ font-size: 23pt; line-height: 1.22; margin: 0 0 6mm; max-width: none; letter-spacing: -0.005em; }}
.lead.good {{ color: {TEAL}; }}
.bad {{ color: {RED}; }}
.quiet {{ color: {SOFT}; }}
.tiles {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 0 7mm; margin: 5mm 0 3mm; }}
.tile {{ border-top: 0.75pt solid {INK}; padding: 2mm 0 3.5mm; break-inside: avoid; }}
.tile p {{ margin: 0; font-size: 8.5pt; line-height: 1.35; }}
.tile .value {{ font: 400 20pt/1.25 Charter, "Source Serif 4", Georgia, "Liberation Serif", serif; }}
.tile .rests {{ color: {SOFT}; font-size: 8pt; }}
.tile.bad {{ border-color: {RED}; border-top-width: 2pt; }}
.tile.quiet .value {{ font-size: 13pt; line-height: 1.9; }}
.tile.bad .label {{ font-weight: 700; }}
ul {{ margin: 0 0 3mm; padding-left: 4.2mm; }}
li {{ margin: 0 0 1.2mm; max-width: 48em; }}
.callout {{ border-left: 2.5pt solid {RED}; background: #fbf1f0; padding: 3mm 4.5mm 2mm; margin: 4mm 0 5mm; break-inside: avoid; }}
.callout h3 {{ margin: 0 0 1.5mm; color: {RED}; }}
.callout.quiet {{ border-color: {SOFT}; background: {PAPER}; color: {INK}; }}
.callout.quiet h3 {{ color: {INK}; }}
.callout ul {{ margin: 0; font-size: 0.92em; line-height: 1.4; }}
p.quiet, p.bad:not(.lead) {{ font-size: 0.92em; line-height: 1.4; }}
table {{ border-collapse: collapse; width: 100%; font-size: 8.5pt; line-height: 1.35; margin: 0 0 5mm; }}
caption {{ text-align: left; font-weight: 700; padding: 0 0 1.5mm; }}
th {{ text-align: left; font-weight: 700; font-size: 7.5pt; color: {SOFT}; border-bottom: 0.75pt solid {INK}; padding: 0 2.5mm 1.2mm 0; vertical-align: bottom; }}
td {{ border-bottom: 0.5pt solid {LINE}; padding: 1.3mm 2.5mm 1.3mm 0; vertical-align: top; overflow-wrap: anywhere; }}
th.num, td.num {{ text-align: right; white-space: nowrap; overflow-wrap: normal; }}
th:last-child, td:last-child {{ padding-right: 0; }}
tr {{ break-inside: avoid; }}
td.bad {{ font-weight: 700; }}
td small {{ display: block; color: {SOFT}; font-size: 0.86em; line-height: 1.3; font-weight: 400; }}
.badge {{ white-space: nowrap; font-weight: 700; }}
.badge.good {{ color: {TEAL}; }}
.badge.quiet {{ font-weight: 400; }}
code {{ font-family: "Source Code Pro", "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: 0.9em; }}
figure {{ margin: 0 0 6mm; break-inside: avoid; }}
figure svg {{ width: 100%; height: auto; display: block; }}
figcaption {{ font-size: 8pt; color: {SOFT}; }}
.facts td:first-child {{ width: 46mm; color: {SOFT}; }}
.dossier {{ table-layout: fixed; }} .dossier th:first-child {{ width: 32%; }} .dossier th:nth-child(3) {{ width: 20%; }}
.kept, .asked {{ table-layout: fixed; }} .kept th:nth-child(1) {{ width: 25%; }} .kept th:nth-child(2) {{ width: 14%; }} .asked th:nth-child(1) {{ width: 62%; }}
.honest th:nth-child(1) {{ width: 36%; }} .attacks th:nth-child(1) {{ width: 31%; }} .attacks td:nth-child(-n+3) {{ overflow-wrap: normal; }} .honest th:nth-child(2) {{ width: 14%; }}
.honest th:nth-child(3) {{ width: 16%; }} .honest th:nth-child(4) {{ width: 14%; }}
.attacks td {{ padding-top: 0.9mm; padding-bottom: 0.9mm; }}
.attacks td:last-child {{ padding-left: 2mm; }} .attacks th:last-child {{ padding-left: 2mm; }}
.story {{ list-style: none; margin: 2mm 0 4mm; padding: 0; font-size: 9pt; line-height: 1.4; }}
.story li {{ display: grid; grid-template-columns: 30mm 1fr; gap: 5mm; border-top: 0.5pt solid {LINE}; padding: 1.6mm 0; margin: 0; max-width: none; break-inside: avoid; }}
.story li:last-child {{ break-before: avoid; }}
.story .mark {{ font-weight: 700; white-space: nowrap; }}
.story .bar {{ height: 1.4mm; background: {LINE}; margin-top: 1mm; }}
.story .bar i {{ display: block; height: 100%; background: {AMBER}; }}
.story .bad .bar i {{ background: {RED}; }}
.story small {{ color: {SOFT}; font-size: 8pt; display: block; }}
.story .good .mark {{ color: {TEAL}; }}
dl {{ display: grid; grid-template-columns: 44mm 1fr; gap: 0 6mm; margin: 0; font-size: 9.5pt; }}
dt {{ font-weight: 700; border-top: 0.5pt solid {LINE}; padding: 1.8mm 0; }}
dd {{ margin: 0; border-top: 0.5pt solid {LINE}; padding: 1.8mm 0; }}
section {{ margin: 0 0 8mm; }}
section.one_page {{ font-size: var(--one-page, 8.4pt); }}
.one_page table {{ font-size: 1em; line-height: 1.28; margin: 0; table-layout: fixed; }}
.one_page td {{ padding-top: 0.16em; padding-bottom: 0.2em; }}
.one_page h2 {{ margin-bottom: 1.2mm; font-size: 15pt; }}
.one_page p {{ font-size: 1em; margin-bottom: 1.8mm; max-width: none; }}
.promises th:nth-child(1) {{ width: 26%; }} .promises th:nth-child(2) {{ width: 19%; }}
.promises th:nth-child(3) {{ width: 7.5%; }} .promises th:nth-child(5) {{ width: 15.5%; }}
.promises td:nth-child(2) {{ overflow-wrap: normal; }}
@media print {{
  .sheet {{ break-before: page; }}
  .one_page.sheet {{ page: wide; break-before: page; break-after: page; }}
  .screen {{ display: none; }}
}}
@media screen {{
  html {{ background: {PAPER}; }}
  body {{ max-width: 60rem; margin: 0 auto; padding: 3rem clamp(1.2rem, 5vw, 4rem) 4rem; background: #fff; font-size: 1rem; }}
  section {{ margin-bottom: 4rem; --one-page: 0.84rem; }}
  .scroll {{ overflow-x: auto; }}
  .mast {{ flex-wrap: wrap; gap: 1rem; }}
  .about {{ font-size: 0.82rem; text-align: left; }}
  .lead {{ font-size: clamp(1.6rem, 4.5vw, 2.3rem); }}
  .tile p, table {{ font-size: 0.88rem; }}
  .tile .rests, .story small, figcaption {{ font-size: 0.82rem; }}
  .story {{ font-size: 0.95rem; }}
  th, .kind {{ font-size: 0.78rem; }}
  dl {{ font-size: 1rem; }}
  .one_page table {{ min-width: 52rem; margin-bottom: 1.6rem; }}
  .one_page caption, .one_page p {{ padding-bottom: 0.5rem; }}
  @media (max-width: 40rem) {{
    .tiles {{ grid-template-columns: repeat(2, 1fr); }}
    .story li, dl {{ grid-template-columns: 1fr; gap: 0; }}
    dd {{ border-top: 0; padding-top: 0; }}
  }}
}}
"""


def footer_rule(footer: str) -> str:
    """The words at the foot of every printed page; `<` may not end the style element early."""
    quoted = footer.replace("\\", "\\5c ").replace('"', "\\22 ").replace("<", "\\3c ")
    return f'@page {{ @bottom-left {{ content: "{quoted}" }} }}\n'


def printed_head(title: str, more: str) -> Html:
    """The head of a page that is made to be printed; `more`: its own rules."""
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="robots", content="noindex"),
        el("title", esc(title)),
        el("style", Html(SHEET + more)),
    )
