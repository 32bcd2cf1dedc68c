"""A service statement as files: JSON (what is signed), and its pages in both languages. Made and kept."""

import datetime as dt

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.sealed import Kind, fingerprint, public_hex, seal
from releve.flow.server.months import begun_month
from releve.flow.server.ports import Store, Structure
from releve.flow.server.profiles import zone_name
from releve.flow.server.statements import measure
from releve.model.statement import KeptStatement, Statement
from releve.report.statement import ANCHOR, Seal, statement_html
from releve.report.text import LANGS

KIND = Kind(b"releve-service-statement-v1\n", "statement")
TYPES = {"json": "application/json", "html": "text/html", "pdf": "application/pdf"}


class Maker(msgspec.Struct, frozen=True, kw_only=True):
    """Who has it made, when, and the key that signs."""

    actor: str
    now: dt.datetime
    key: Ed25519PrivateKey


def make_statement(store: Store, structure: Structure, month: str, who: Maker) -> KeptStatement:
    """Measured, printed, signed and kept as a version of its own. Raises: MonthError."""
    while True:
        with store.unit(structure.id, writes=False) as unit:
            asked = begun_month(month, zone_name(unit), who.now)
            made = measure(unit, structure.name, asked, who.now)
            before = unit.statement(month)
        version = before.version + 1 if before else 1
        files = _files(f"releve-{month}-v{version}", made, who.key)
        kept = KeptStatement(month=month, version=version, made_at=who.now, files=files)
        with store.unit(structure.id) as unit:
            if unit.add_statement(kept):
                about = f"statement/{month}"
                unit.record(who.now, who.actor, about, "make", f"version {version}")
                return kept


def _files(name: str, made: Statement, key: Ed25519PrivateKey) -> dict[str, bytes]:
    signed = f"{name}.json"
    words = Seal(fingerprint=fingerprint(public_hex(key)), file=signed)
    pages: dict[str, bytes] = {}
    for lang in LANGS:
        page = statement_html(made, lang, words)
        pages[f"{name}.{lang}.html"] = page.encode()
        if (printed := _pdf(page)) is not None:
            pages[f"{name}.{lang}.pdf"] = printed
    return {**pages, signed: seal(KIND, msgspec.json.encode(made), pages, key)}


def _pdf(page: str) -> bytes | None:
    """None where no PDF can be made: the HTML is complete, and the signed list says that there is none."""
    from releve.adapters.pdf import PdfMissingError, pdf

    try:
        return pdf(page, one_page=ANCHOR)
    except PdfMissingError:
        return None
