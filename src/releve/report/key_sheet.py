"""The recovery key on paper: one A4 sheet, French with English beside, for someone at 3 a.m."""

from releve.model.keys import PaperKey
from releve.report.markup import EMPTY, Html, el, esc, join
from releve.report.sheet import INK, LINE, SOFT, TEAL, printed_head
from releve.report.text import Voice

_MORE = f"""
@page {{ size: A4; margin: 12mm 15mm 11mm; }}
body {{ font-size: 9pt; line-height: 1.38; }}
.mast {{ margin-bottom: 3.5mm; padding-bottom: 2mm; }}
.where {{ display: flex; justify-content: space-between; gap: 6mm; margin: 0 0 3.5mm; }}
.where dt, .where dd {{ border: 0; padding: 0; }}
.where dt {{ font-size: 7.5pt; color: {SOFT}; font-weight: 400; }}
.where dd {{ font-size: 10.5pt; font-weight: 700; }}
.where dd.mark, .rows td, .words td {{ font-family: "DejaVu Sans Mono", "Liberation Mono", monospace; }}
.key {{ display: grid; grid-template-columns: 1fr 52mm; gap: 6mm; align-items: start; border: 1.2pt solid {INK};
  padding: 3.5mm 5mm; margin: 0 0 3.5mm; break-inside: avoid; }}
.key svg {{ width: 52mm; height: 52mm; display: block; }}
.rows {{ width: auto; margin: 0; }}
.rows td {{ font-size: 20pt; line-height: 1.25;
  letter-spacing: 0.06em; border-bottom: 0.5pt dotted {LINE}; padding: 0.5mm 4mm 0.5mm 0; }}
.rows th, .words th {{ font-size: 8.5pt; border: 0; padding-right: 4mm; color: {TEAL}; vertical-align: middle; }}
.words {{ margin: 0; }}
.words td {{ font-size: 11pt; border: 0; padding: 0.6mm 3mm 0.6mm 0; white-space: nowrap; }}
.both {{ display: grid; grid-template-columns: 58% 1fr; gap: 7mm; }}
.both [lang=en] {{ color: {SOFT}; font-size: 8pt; line-height: 1.35; }}
.both h2 {{ font-size: 12.5pt; margin: 0 0 1.5mm; }}
.both ol {{ margin: 0 0 2.5mm; padding-left: 4.5mm; }}
.both li {{ margin-bottom: 1mm; }}
.both code {{ overflow-wrap: anywhere; }} .option {{ white-space: nowrap; }}
.kept {{ border-top: 0.75pt solid {INK}; padding-top: 2mm; }}
.tried {{ width: 100%; margin: 1mm 0 0; }} .tried td {{ height: 6.5mm; }}
"""


def sheet(key: PaperKey, qr: str) -> str:
    """The whole page, self-contained. `qr` is an SVG of `content_of(key)`."""
    head = printed_head(f"{_title(key)} — Relève", _MORE)
    body = el("body", _mast(key), _where(key), _key(key, Html(qr)), _night(key), _kept(key))
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='fr')}\n"


def content_of(key: PaperKey) -> str:
    """What the QR picture holds: exactly the key, or the words of the share."""
    return " ".join(key.words) if key.words else "-".join(key.rows)


def _title(key: PaperKey) -> str:
    if key.words:
        return f"Clé de secours de la sauvegarde, part {key.number} sur {key.shares}"
    return "Clé de secours de la sauvegarde"


def _mast(key: PaperKey) -> Html:
    part = f" · share {key.number} of {key.shares}" if key.words else ""
    return el(
        "header",
        el(
            "div",
            el("p", esc("Relève · secret · à garder sous clé"), class_="kind"),
            el("h1", esc(_title(key))),
        ),
        el(
            "p",
            el("span", esc(f"Backup recovery key{part}"), lang="en"),
            el("br"),
            esc(Voice("fr").day(key.made_at)),
            class_="about",
        ),
        class_="mast",
    )


def _where(key: PaperKey) -> Html:
    rows = (
        ("Structure", key.place.structure or "—", ""),
        ("Machine", key.place.host, ""),
        ("Génération", key.place.generation, ""),
        ("Repère (pas secret)", key.mark, "mark"),
    )
    pairs = [
        el("div", el("dt", esc(name)), el("dd", esc(said), class_=c)) for name, said, c in rows
    ]
    return el("dl", *pairs, class_="where")


def _key(key: PaperKey, qr: Html) -> Html:
    if key.words:
        lines = [key.words[at : at + 3] for at in range(0, len(key.words), 3)]
        rows = [
            el("tr", *[_word(3 * line + at, word) for at, word in enumerate(words, 1)])
            for line, words in enumerate(lines)
        ]
        return el("div", el("table", *rows, class_="words"), qr, class_="key")
    shown = [
        el("tr", el("th", esc(number), scope="row"), el("td", esc(row)))
        for number, row in enumerate(key.rows, 1)
    ]
    return el("div", el("table", *shown, class_="rows"), qr, class_="key")


def _word(number: int, word: str) -> Html:
    return join([el("th", esc(number), scope="row"), el("td", esc(word))])


def _night(key: PaperKey) -> Html:
    shares = " --shares" if key.words else ""
    user = f" --user {key.place.user}" if key.place.user else ""
    command = f"releve key try{shares} --url {key.place.url}{user} --http-password-file FICHIER"
    call = key.call or "________________________________"
    french = [
        join([esc("Appeler : "), el("b", esc(call)), esc(". Ne rien restaurer seul.")]),
        esc(
            "Ne pas taper cette clé sur une machine touchée par l’attaque. Prendre une machine saine."
        ),
        join([esc("Vérifier la clé, elle sera demandée : "), _typed(command)]),
        esc(
            "FICHIER : le mot de passe de restauration du coffre, ouvert pour l’incident "
            "(releve vault credential open)."
        ),
        esc("Puis reprendre les données : releve restore, ou releve recover start."),
        esc("Quand tout est revenu : releve key rotate, et imprimer une nouvelle feuille."),
    ]
    english = [
        esc(f"Call: {call}. Do not restore alone."),
        esc("Never type this key on a machine that was attacked. Use a clean one."),
        esc("Check the key with the command beside; it asks for the key."),
        esc("FICHIER: the vault's restore password, opened for the incident."),
        esc("Then restore: releve restore, or releve recover start."),
        esc("When all is back: releve key rotate, then print a new sheet."),
    ]
    return el(
        "section",
        _steps("À 3 heures du matin", french, ""),
        _steps("At 3 a.m.", english, "en"),
        class_="both",
    )


def _typed(command: str) -> Html:
    """To be typed from paper: no line ends within an option, where it would read as two words."""
    words = [
        el("span", esc(word), class_="option") if word.startswith("--") else esc(word)
        for word in command.split(" ")
    ]
    return el("code", Html(" ".join(words)))


def _steps(title: str, steps: list[Html], lang: str) -> Html:
    return el("div", el("h2", esc(title)), el("ol", *[el("li", one) for one in steps]), lang=lang)


def _kept(key: PaperKey) -> Html:
    if key.words:
        needed = f"{key.needed} des {key.shares} parts suffisent"
        french = (
            f"{needed} ; une seule ne dit rien. Garder chaque part en un lieu et chez une personne "
            "différents. Les mots suivent la norme SLIP-39 : d’autres logiciels les lisent."
        )
        english = (
            f"Any {key.needed} of the {key.shares} shares open the backup; one alone tells nothing. "
            "Keep each in another place. The words follow SLIP-39."
        )
    else:
        french = (
            "Qui a cette feuille peut lire toute la sauvegarde. La garder dans un coffre, hors du "
            "cabinet si possible ; ni photo, ni copie, ni courriel. Sans Relève aussi : la clé, "
            "tirets compris, est le mot de passe restic du dépôt ci-dessus."
        )
        english = (
            "Whoever holds this sheet can read the whole backup. Keep it in a safe, away from the "
            "practice if possible; no photo, no copy. Without Relève: the key, hyphens included, "
            "is the restic password of the repository."
        )
    typing = (
        "Jamais les lettres I, L, O, U. Chaque rangée se vérifie seule : une erreur de lecture est "
        "nommée avant tout essai."
    )
    head = [el("th", esc(name)) for name in ("Essayée le", "Par", "Résultat", "Feuille remise à")]
    blank = el("tr", *[el("td") for _ in head])
    return el(
        "section",
        el("p", esc(french)),
        el("p", esc(english), class_="quiet", lang="en"),
        EMPTY if key.words else el("p", esc(typing), class_="quiet"),
        el("table", el("tr", *head), blank, blank, blank, class_="tried"),
        class_="kept",
    )
