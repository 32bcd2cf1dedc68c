"""A dossier filled from its case: what is known put in, what a person wrote kept, the rest blank."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping

import msgspec

from releve.model.dossier import Dossier, Field, Form, Line, Paper
from releve.model.law import Law
from releve.obligation.case import Case
from releve.obligation.filling import Filler, fillers

FORMAT = "releve-dossier/1"
# What JSON readers do not show, XML (a Word file) cannot hold, or turns the direction of writing.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_replace = msgspec.structs.replace


def all_fillers(law: Law) -> Mapping[str, Filler]:
    return fillers(tuple(q.id for q in law.question), tuple(d.id for d in law.duty))


def fill(form: Form, case: Case, by: str, before: Dossier | None = None) -> Dossier:
    """The next version: filled again from the case, except what a person wrote in `before`."""
    known = all_fillers(case.law)
    written = before.values if before else {}
    edited = before.edited if before else ()
    values = {
        field.id: written.get(field.id, "")
        if field.id in edited
        else clean(field.value or (known[field.fill](case) if field.fill else ""))
        for field in form.fields()
    }
    return Dossier(
        incident=case.incident.id,
        kind=form.id,
        version=before.version + 1 if before else 1,
        made_at=case.now,
        made_by=by,
        values=values,
        edited=edited,
    )


def edit(form: Form, before: Dossier, wanted: Mapping[str, str], by: str, at: dt.datetime) -> Dossier:  # fmt: skip
    """The next version with what a person wrote; signature and receipt are of the text before.

    An emptied field is filled from the incident again when the dossier is next made.
    """
    new = {f.id: clean(wanted.get(f.id, before.values.get(f.id, ""))) for f in form.fields()}
    changed = {name for name, value in new.items() if value != before.values.get(name, "")}
    edited = {name for name in changed | set(before.edited) if new.get(name)}
    return _replace(
        before,
        version=before.version + 1,
        made_at=at,
        made_by=by,
        values=new,
        edited=tuple(sorted(edited)),
        signature=None,
        receipt=None,
    )


def blanks(form: Form, dossier: Dossier) -> tuple[Field, ...]:
    """What is still to be completed."""
    return tuple(
        f for f in form.fields() if not f.optional and not dossier.values.get(f.id, "").strip()
    )


def paper(form: Form, law: Law, dossier: Dossier, structure: str) -> Paper:
    gaps = {field.id for field in blanks(form, dossier)}
    lines = tuple(
        Line(
            part=part.title.fr,
            id=field.id,
            label=field.label.fr,
            value=dossier.values.get(field.id, ""),
            is_blank=field.id in gaps,
            sources=field.sources,
            mark=field.mark.value,
        )
        for part in form.part
        for field in part.field
    )
    return Paper(
        format=FORMAT,
        kind=form.id,
        name=form.name.fr,
        to=form.to.fr,
        law_dated=law.dated.isoformat(),
        structure=clean(structure),
        incident=dossier.incident,
        made_at=dossier.made_at,
        lines=lines,
    )


def document_bytes(made: Paper) -> bytes:
    """The bytes whose SHA-256 is signed."""
    return msgspec.json.encode(made, order="deterministic")


def is_as_signed(dossier: Dossier) -> bool:
    """Whether it is signed, and document and contents are still those that were."""
    said = dossier.signature
    if said is None or hashlib.sha256(said.document).hexdigest() != said.sha256:
        return False
    try:
        paper = read(said.document)
    except msgspec.MsgspecError:
        return False
    return (paper.incident, paper.kind) == (dossier.incident, dossier.kind) and all(
        line.value == dossier.values.get(line.id, "") for line in paper.lines
    )


def read(document: bytes) -> Paper:
    return msgspec.json.decode(document, type=Paper)


def clean_line(value: str) -> str:
    """A name, a function, a number: one line of at most 200 letters."""
    return " ".join(clean(value).split())[:200]


def clean(value: str) -> str:
    """Line ends of one kind, no control characters, no more than a page."""
    return _UNSEEN.sub("", value.replace("\r\n", "\n").replace("\r", "\n")).strip()[:8000]
