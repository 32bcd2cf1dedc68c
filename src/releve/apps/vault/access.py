"""The right to restore, as it is asked for, opened, used and closed. Every step is kept and told."""

import hashlib
import secrets

import msgspec

from releve.adapters.system import new_id
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.notices import Notices
from releve.adapters.vault.records import Records
from releve.apps.vault.opened import Vault
from releve.flow.vault import openings, signoffs
from releve.flow.vault.names import is_word
from releve.flow.vault.openings import OpeningError
from releve.model.errors import ReleveError
from releve.model.vault import Agreement, Approver, Credential, CredentialKind, Deed, Opening


class VaultNameError(ReleveError):
    """The name cannot be used, or is used already."""

    status = 118
    remedy = (
        "Names: a to z, digits, . _ -, not those of restic's folders; see `releve vault status`."
    )

    remedy_fr = (
        "Les noms au coffre : a à z, chiffres, . _ -, sauf ceux des dossiers de restic ; voir `releve"
        " vault status`."
    )

    def __init__(self, name: str, why: str, fr: str = "") -> None:
        super().__init__(f"The name {name!r} does not do: {why}.")
        self.fr = f"« {name} » ne va pas : {fr or why}."


def check_name(name: str) -> None:
    """Raises: VaultNameError."""
    if not is_word(name):
        raise VaultNameError(name, "it is not of the allowed form")


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that was just made; its secret is told now and never again."""

    opening: Opening
    secret: str


class Access:
    """Openings of one vault; the gate sees each step at once."""

    def __init__(self, vault: Vault) -> None:
        layout: Layout = vault.layout
        self._vault = vault
        self._notices: Notices = vault.notices
        self.approvers = Records(layout.approvers, Approver)
        self.openings = Records(layout.openings, Opening)
        self.agreements = Records(layout.agreements, Agreement)

    def request(
        self, *, structure: str, host: str, incident: str, reason: str, by: str, hours: float,
        agreement: str = "",
    ) -> Opening:  # fmt: skip
        """A request that is not kept yet: its statement can be signed.

        Raises: VaultNameError, OpeningError.
        """
        check_name(structure)
        if host:
            check_name(host)
        asked = Opening(
            id=f"o-{new_id()}",
            structure=structure,
            host=host,
            incident=incident,
            reason=reason,
            by=by,
            hours=hours,
            asked_ns=self._vault.clock.now_ns(),
            agreement=agreement,
        )
        openings.check_request(asked)
        return asked

    def ask(self, asked: Opening) -> Granted:
        """Keep a request for two approvers; its secret works once both have signed."""
        return self._keep(asked, "asked")

    def open_on_path(self, asked: Opening, room_signature: str) -> Granted:
        """Open at once on an agreed path. Raises: OpeningError."""
        agreement = self.agreements.get(asked.agreement) if is_word(asked.agreement) else None
        now = self._vault.clock.now_ns()
        opened = openings.opened_on_path(
            asked, agreement, self.approvers.all(), room_signature, now
        )
        return self._keep(opened, "opened")

    def sign(self, opening_id: str, approver: str, signature: str) -> Opening:
        """Add one approver's signature; the second person's opens.

        Raises: OpeningError, ApproverUnknownError, SignatureError.
        """
        opening = self.opening(opening_id)
        person = self.approvers.get(approver) if is_word(approver) else None
        text = openings.opening_statement(opening)
        now = self._vault.clock.now_ns()
        signoff = signoffs.accept(person, approver, text, signature, now)
        signed = openings.signed(opening, signoff, self.approvers.all(), now)
        self._put(signed)
        self._tell("opened" if signed.opened_ns else "signed", signed, by=approver)
        return signed

    def close(self, opening_id: str, by: str) -> Opening:
        """Raises: OpeningError."""
        opening = self.opening(opening_id)
        closed = msgspec.structs.replace(opening, closed_ns=self._vault.clock.now_ns())
        self._put(closed)
        self._tell("closed", closed, by=by)
        return closed

    def end_agreement(self, agreement: Agreement, by: str) -> None:
        """At once; what stands open for a drill by it is closed with it."""
        now = self._vault.clock.now_ns()
        self.agreements.put(agreement.name, msgspec.structs.replace(agreement, ended_ns=now))
        about = {"agreement": agreement.name}
        self._vault.add(
            Deed(what="person:agreement:ended", structure=agreement.structure, by=by, about=about)
        )
        for one in self.openings.all():
            is_its_own = one.is_drill and one.agreement == agreement.name
            if is_its_own and openings.is_standing(one, now):
                self.close(one.id, by)

    def opening(self, opening_id: str) -> Opening:
        """Raises: OpeningError."""
        opening = self.openings.get(opening_id) if is_word(opening_id) else None
        if opening is None:
            raise OpeningError(f"there is no request {opening_id}")
        return opening

    def _keep(self, opening: Opening, step: str) -> Granted:
        secret = secrets.token_urlsafe(32)
        now = self._vault.clock.now_ns()
        self.openings.put(opening.id, opening)
        self._vault.credentials.put(
            opening.id,
            Credential(
                id=opening.id,
                kind=CredentialKind.RESTORE,
                structure=opening.structure,
                host=opening.host,
                secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
                made_ns=now,
                expires_ns=opening.expires_ns,
                opening=opening.id,
            ),
        )
        self._tell(step, opening, by=opening.by)
        return Granted(opening=opening, secret=secret)

    def _put(self, opening: Opening) -> None:
        """The opening, and what its credential may from now on."""
        self.openings.put(opening.id, opening)
        credential = self._vault.credentials.get(opening.id)
        if credential is not None:
            changed = msgspec.structs.replace(
                credential, expires_ns=opening.expires_ns, closed_ns=opening.closed_ns
            )
            self._vault.credentials.put(opening.id, changed)

    def _tell(self, step: str, opening: Opening, *, by: str) -> None:
        """In the chain, and to the structure at once."""
        self._vault.add(deed(step, opening, by=by))
        facts = {"step": step, "incident": opening.incident, "structure": opening.structure}
        facts |= {"host": opening.host or "*", "by": by, "path": opening.agreement or "two_people"}
        self._notices.tell(f"restore_{step}", f"{opening.id} {by}", **facts)


def deed(step: str, opening: Opening, *, by: str) -> Deed:
    """The step as an entry of the chain."""
    about = {"opening": opening.id, "incident": opening.incident, "reason": opening.reason}
    about["path"] = openings.path_of(opening)
    taken = msgspec.to_builtins(openings.steps(opening))
    about |= {name: f"{seconds:g}" for name, seconds in taken.items() if seconds is not None}
    return Deed(
        what=f"{'drill' if opening.is_drill else 'person'}:restore:{step}",
        structure=opening.structure,
        host=opening.host,
        by=by,
        about=about,
    )
