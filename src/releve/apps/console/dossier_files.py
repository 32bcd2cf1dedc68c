"""A dossier as a file: JSON (what is signed), HTML, PDF, DOCX."""

import hashlib

import msgspec

from releve.flow.server import dossiers
from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.model.dossier import Dossier, Form
from releve.model.law import Law
from releve.obligation.dossier import document_bytes, is_as_signed
from releve.report.dossier import Around, dossier_document
from releve.report.html import render

KINDS: dict[str, str] = {
    "json": "application/json",
    "html": "text/html",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def file_of(unit: Unit, law: Law, form: Form, dossier: Dossier, kind: str) -> bytes:
    """The dossier in that kind. Raises: PdfMissingError."""
    paper = dossiers.paper(unit, law, form, dossier)
    if kind == "json":
        return _json(document_bytes(paper), dossier)
    around = Around(
        how=form.how.fr,
        url=form.url,
        caution=law.caution.fr,
        sources={source.id: source.name for source in law.source},
        zone=zone_of(unit),
        is_changed=dossier.signature is not None and not is_as_signed(dossier),
    )
    document = dossier_document(paper, dossier, around)
    if kind == "docx":
        from releve.adapters.docx import docx_of

        return docx_of(document)
    page = render(document)
    if kind == "html":
        return page.encode()
    from releve.adapters.pdf import pdf

    return pdf(page)


def _json(document: bytes, dossier: Dossier) -> bytes:
    """`document` holds the very bytes whose SHA-256 is `sha256`, and what was signed.

    Of a dossier that was changed since, the signature stands as `broken_signature`.
    """
    signature, receipt = dossier.signature, dossier.receipt
    is_changed = signature is not None and not is_as_signed(dossier)
    facts = {
        "document": msgspec.Raw(document),
        "sha256": hashlib.sha256(document).hexdigest(),
        "version": dossier.version,
        "modified_since_signature": is_changed,
        "signature": None,
        "broken_signature" if is_changed else "signature": signature and {
            "name": signature.name,
            "role": signature.role,
            "login": signature.login,
            "at": signature.at,
            "sha256": signature.sha256,
        },
        "receipt": receipt and {
            "reference": receipt.reference,
            "sha256": receipt.sha256,
            "size": receipt.size,
            "at": receipt.at,
        },
    }  # fmt: skip
    return msgspec.json.encode(facts)
