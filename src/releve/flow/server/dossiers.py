"""Dossiers of a declared incident: drafted at once, edited and signed by people, never filed by us."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from releve.flow.server.duties import case_of
from releve.flow.server.obligations import DecisionIncompleteError
from releve.flow.server.ports import Unit
from releve.model.dossier import Dossier, Form, Paper, Receipt, Signature
from releve.model.errors import ReleveError
from releve.model.law import Law
from releve.obligation import dossier as core

_replace = msgspec.structs.replace


class DossierUnknownError(ReleveError):
    """No dossier of that kind, or it was not made yet."""

    status = 46
    remedy = "See the kinds in docs/obligations.md; make it with `releve dossier make`."

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no dossier {kind} of this incident.")


class DossierChangedError(ReleveError):
    """Somebody else wrote a newer version meanwhile."""

    status = 47
    remedy = "Look at the dossier again, then repeat what you did on its newest version."

    def __init__(self, kind: str, newest: int) -> None:
        super().__init__(f"The dossier {kind} is at version {newest} by now.")


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, when, and the version that they saw (0: whichever is newest)."""

    login: str
    at: dt.datetime
    seen: int = 0


def form_of(forms: Sequence[Form], kind: str) -> Form:
    """Raises: DossierUnknownError."""
    for form in forms:
        if form.id == kind:
            return form
    raise DossierUnknownError(kind)


def offered(unit: Unit, forms: Sequence[Form]) -> tuple[Form, ...]:
    """Those for this structure: what has a switch only when it is on."""
    profile = unit.profile()
    is_on = profile is not None and profile.has_nis2_on
    return tuple(form for form in forms if form.only != "nis2" or is_on)


def make(unit: Unit, law: Law, form: Form, incident: str, who: Who) -> Dossier:
    """A version filled from what is known now; what people wrote stays. The same again: no new one.

    Raises: NotDeclaredError, DossierChangedError.
    """
    unit.hold()
    before = unit.dossier(incident, form.id)
    made = core.fill(form, case_of(unit, law, incident, who.at), who.login, before)
    if before is not None and made.values == before.values:
        return before
    return _keep(unit, made, who, "make")


def make_all(
    unit: Unit, law: Law, forms: Sequence[Form], incident: str, who: Who
) -> tuple[Dossier, ...]:
    """The drafts of everything that this structure may have to send. Raises: NotDeclaredError."""
    return tuple(make(unit, law, form, incident, who) for form in offered(unit, forms))


def edit(unit: Unit, form: Form, incident: str, wanted: Mapping[str, str], who: Who) -> Dossier:
    """A version with a person's words; unsigned. Raises: DossierUnknownError, DossierChangedError."""
    before = _newest(unit, form, incident, who)
    return _keep(unit, core.edit(form, before, wanted, who.login, who.at), who, "edit")


def sign(
    unit: Unit, law: Law, form: Form, incident: str, signer: tuple[str, str], who: Who
) -> Dossier:
    """A named person, with their role, answers for the document as it stands.

    Raises: DossierUnknownError, DossierChangedError, DecisionIncompleteError.
    """
    name, role = (core.clean_line(word) for word in signer)
    if not name or not role:
        raise DecisionIncompleteError("a signature needs a name and a role")
    before = _newest(unit, form, incident, who)
    again = _replace(before, version=before.version + 1, made_at=who.at, made_by=who.login)
    document = core.document_bytes(paper(unit, law, form, again))
    signature = Signature(
        name=name,
        role=role,
        at=who.at,
        login=who.login,
        sha256=hashlib.sha256(document).hexdigest(),
        document=document,
    )
    got = before.receipt if core.is_as_signed(before) else None
    kept = _replace(again, signature=signature, receipt=got)
    return _keep(unit, kept, who, "sign", f"{name}, {role}: {signature.sha256}")


def attach(
    unit: Unit, form: Form, incident: str, reference: str, receipt: bytes, who: Who
) -> Dossier:
    """The receipt of what was signed: its number, its file's hash. The document stays as it was.

    Raises: DossierUnknownError, DossierChangedError, DecisionIncompleteError.
    """
    number = core.clean_line(reference)
    if not number or not receipt:
        raise DecisionIncompleteError("a receipt needs its number and its file")
    before = _newest(unit, form, incident, who)
    if not core.is_as_signed(before):
        raise DecisionIncompleteError("a receipt is of a signed version")
    known = Receipt(
        reference=number,
        sha256=hashlib.sha256(receipt).hexdigest(),
        size=len(receipt),
        at=who.at,
        login=who.login,
    )
    again = _replace(before, version=before.version + 1, receipt=known)
    return _keep(unit, again, who, "receipt", f"{known.reference}: {known.sha256}")


def paper(unit: Unit, law: Law, form: Form, dossier: Dossier) -> Paper:
    """The document as the addressee reads it; of a signed version, the very one that was signed.

    Of one that was changed since: what stands there now, which nobody signed.
    """
    if dossier.signature is not None and core.is_as_signed(dossier):
        return core.read(dossier.signature.document)
    profile = unit.profile()
    return core.paper(form, law, dossier, profile.legal_name if profile else "")


def _newest(unit: Unit, form: Form, incident: str, who: Who) -> Dossier:
    unit.hold()
    found = unit.dossier(incident, form.id)
    if found is None:
        raise DossierUnknownError(form.id)
    if who.seen not in (0, found.version):
        raise DossierChangedError(form.id, found.version)
    return found


def _keep(unit: Unit, dossier: Dossier, who: Who, verb: str, detail: str = "") -> Dossier:
    if not unit.add_dossier(dossier):
        raise DossierChangedError(dossier.kind, dossier.version)
    about = f"dossier/{dossier.incident}/{dossier.kind}"
    unit.record(who.at, who.login, about, f"dossier_{verb}", f"v{dossier.version} {detail}".strip())
    return dossier
