"""Retention of one vault: plan, request, approvals, run, holds. Every step is a deed in the chain."""

from pathlib import Path
from typing import Protocol

import msgspec

from releve.adapters.durable import write
from releve.adapters.system import new_id
from releve.adapters.vault import date_sources
from releve.adapters.vault.trash import Trash
from releve.apps.vault.access import check_name
from releve.apps.vault.opened import Vault
from releve.flow.vault import heads, retention, signoffs
from releve.flow.vault.names import is_generation
from releve.flow.vault.retention import (
    NotYetError,
    RequestUnknownError,
    Retained,
    RetentionPolicyError,
)
from releve.model.errors import ReleveError
from releve.model.retention import Approval, Policy, Release, Removal, Request, Verdict
from releve.model.vault import Deed, Hold, Repository
from releve.recover import generations
from releve.recover.generations import Decided
from releve.recover.witness import HOUR_NS, Clocks, Witness, why_not_trusted, witness


class ClockNotTrustedError(ReleveError):
    """The clock cannot be believed: nothing is removed by it."""

    status = 123
    remedy = (
        "Put the machine's clock right (two sources), then `releve vault serve`, and wait a day;"
        " see docs/vault-retention-and-copies.md, section 2."
    )

    def __init__(self, why: str) -> None:
        super().__init__(f"Nothing may be removed now: {why}.")


class Clock(Protocol):
    """The vault's clock beside the machine's."""

    def now_ns(self) -> int: ...
    def wall_ns(self) -> int: ...


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did with one generation of its request."""

    repository: Repository
    removed: bool
    bytes: int
    why: str = ""


class Retaining:
    """One vault's retention; nothing is kept between calls but the chain."""

    def __init__(self, vault: Vault, clock: Clock | None = None) -> None:
        self._vault = vault
        self._clock = clock or vault.clock
        self._trash = Trash(vault.layout, vault.add)

    @property
    def _policy_file(self) -> Path:
        return self._vault.layout.data / "retention.json"

    @property
    def _fingerprint(self) -> str:
        return heads.fingerprint(self._vault.layout.key().public_key().public_bytes_raw())

    def policy(self) -> Policy:
        """Raises: RetentionPolicyError."""
        try:
            return msgspec.json.decode(self._policy_file.read_bytes(), type=Policy)
        except FileNotFoundError:
            return Policy()
        except msgspec.DecodeError as error:
            raise RetentionPolicyError(str(error)) from error

    def save_policy(self, policy: Policy, by: str) -> None:
        """Raises: RetentionPolicyError."""
        retention.check_policy(policy)
        said = msgspec.json.encode(policy)
        self._vault.add(
            Deed(what="person:retention:policy", by=by, about={"record": said.decode()})
        )
        write(self._policy_file, msgspec.json.format(said) + b"\n")

    def told(self) -> Retained:
        self._vault.catch_up()
        return retention.read(self._vault.entries())

    def plan(self, policy: Policy | None = None) -> list[Decided]:
        """What would go and what stays, and why; by the vault's time, without asking any clock."""
        policy = policy or self.policy()
        told, seen = self.told(), self._seen(policy)
        shown = {view.repository for view in self._vault.views.all()}
        book = self._vault.book
        return generations.decide(
            book.generations(),
            retention.complete(book),
            told.holds.values(),
            policy,
            seen,
            shown=shown,
        )

    def why_clock(self, policy: Policy) -> str:
        """Why the clock is not believed; empty when it is."""
        told, clock = self.told(), self._clock
        clocks = Clocks(
            vault_ns=clock.now_ns(),
            wall_ns=clock.wall_ns(),
            stepped_ns=told.stepped_ns,
            sources=date_sources.offsets(policy.clock_sources),
        )
        silence_ns = int(policy.longest_silence_h * HOUR_NS)
        return why_not_trusted(clocks, self._seen(policy), silence_ns)

    def request(self, by: str) -> Removal:
        """Ask for all that may go. Raises: RetentionPolicyError, ClockNotTrustedError."""
        policy = self.policy()
        retention.check_policy(policy)
        self._check_clock(policy)
        if not by.strip():
            raise RetentionPolicyError("who asks must be told")
        going = [each.generation for each in self.plan(policy) if each.verdict is Verdict.MAY_GO]
        if not going:
            raise RetentionPolicyError("no generation is old enough")
        asked = Removal(
            id=f"r-{new_id()}",
            vault=self._fingerprint,
            by=by,
            asked_ns=self._clock.now_ns(),
            policy=policy,
            generations=tuple(retention.as_planned(each) for each in going),
        )
        self._add(retention.ASKED, by, id=asked.id, record=msgspec.json.encode(asked).decode())
        self._vault.notices.tell("retention_asked", asked.id, by=by, generations=str(len(going)))
        return asked

    def file_for_approvers(self, asked: Removal | Release) -> Request:
        return Request(id=asked.id, statement=_statement(asked).decode())

    def take(self, approval: Approval) -> int:
        """One approver's signature; how many people have now signed. The second lifts a hold.

        Raises: RequestUnknownError, ApproverUnknownError, SignatureError.
        """
        told = self.told()
        asked = _asked(told, approval.id)
        person = told.approvers.get(approval.approver)
        text = _statement(asked)
        at_ns = self._clock.now_ns()
        signoffs.accept(person, approval.approver, text, approval.signature, at_ns)
        what = retention.SIGNED if isinstance(asked, Removal) else retention.RELEASE_SIGNED
        self._add(what, approval.approver, id=asked.id, signature=approval.signature)
        told = self.told()
        asked = _asked(told, approval.id)
        signed = retention.count(asked.signoffs, told, told.taken[asked.id], text)
        if isinstance(asked, Release) and signed >= signoffs.NEEDED:
            self._add(retention.HOLD_LIFTED, asked.by, id=asked.hold, release=asked.id)
            whose = asked.covers.partition("/")[0]
            self._vault.notices.tell(
                "hold_lifted", asked.hold, covers=asked.covers, structure=whose
            )
        return signed

    def run(self, request: str, *, dry: bool = False) -> list[Outcome]:
        """Remove what the request names and what is still as it was asked; the rest stays, said why.

        Args:
            dry: say what would go, and leave it.

        Raises: RequestUnknownError, NotYetError, ClockNotTrustedError.
        """
        told = self.told()
        asked = told.removals.get(request)
        if asked is None:
            raise RequestUnknownError(request)
        self._check_clock(asked.policy)
        if asked.vault != self._fingerprint:
            raise NotYetError("the request is for another vault")
        seen, taken_ns = self._seen(asked.policy), told.taken[asked.id]
        retention.check_removal(asked, told, taken_ns, seen, _statement(asked))
        if dry:
            return self._run(asked, dry=True)
        self.resume()
        outcomes = self._run(asked)
        gone = sum(outcome.removed for outcome in outcomes)
        self._add(retention.ENDED, asked.by, id=asked.id, removed=str(gone))
        return outcomes

    def resume(self) -> list[Repository]:
        """Finish removals that were killed half-way."""
        return self._trash.resume(self.told().leaving)

    def hold(self, hold: Hold) -> Hold:
        """Set a legal hold, at once. Raises: VaultNameError, RetentionPolicyError."""
        check_name(hold.structure)
        if hold.host:
            check_name(hold.host)
        if hold.generation and not (hold.host and is_generation(hold.generation)):
            raise RetentionPolicyError("a generation is named with its host, as YYYY-MM[-n]")
        if not hold.reason.strip() or not hold.by.strip():
            raise RetentionPolicyError("a hold names its reason and its author")
        self._add(retention.HOLD_SET, hold.by, record=msgspec.json.encode(hold).decode())
        return hold

    def release(self, hold_id: str, *, reason: str, by: str) -> Release:
        """Ask to end a hold. Raises: RequestUnknownError, RetentionPolicyError."""
        hold = self.told().holds.get(hold_id)
        if hold is None or hold.lifted_ns:
            raise RequestUnknownError(hold_id)
        if not reason.strip() or not by.strip():
            raise RetentionPolicyError("reason and name must be told")
        asked = Release(
            id=f"l-{new_id()}",
            vault=self._fingerprint,
            hold=hold_id,
            covers=f"{hold.structure}/{hold.host or '*'}/{hold.generation or '*'}",
            reason=reason,
            by=by,
            asked_ns=self._clock.now_ns(),
        )
        record = msgspec.json.encode(asked).decode()
        self._add(retention.RELEASE_ASKED, by, id=asked.id, record=record)
        return asked

    def _run(self, asked: Removal, *, dry: bool = False) -> list[Outcome]:
        outcomes = []
        for planned in asked.generations:
            # Judged anew before each: a hold that is set while this runs still wins.
            now = {each.generation.repository: each for each in self.plan(asked.policy)}
            where, why = planned.repository, "it is gone already"
            if (known := now.get(where)) is not None:
                same = retention.still_as_asked(known.generation, planned)
                why = "" if same else "it changed since it was asked"
                why = why if known.verdict is Verdict.MAY_GO else f"it stays: {known.verdict}"
            if not why and not dry:
                self._trash.remove(where, asked.id)
            size = 0 if why else planned.bytes
            outcomes.append(Outcome(repository=where, removed=not why, bytes=size, why=why))
        return outcomes

    def _check_clock(self, policy: Policy) -> None:
        if why := self.why_clock(policy):
            # Told, not put into the chain: an entry with a time of 2040 would stay its end.
            self._vault.notices.tell("retention_refused", why)
            raise ClockNotTrustedError(why)

    def _seen(self, policy: Policy) -> Witness:
        times = (entry.received_ns for entry in self._vault.entries())
        return witness(times, self._clock.now_ns(), int(policy.longest_silence_h * HOUR_NS))

    def _add(self, what: str, by: str, **about: str) -> None:
        self._vault.add(Deed(what=what, by=by, about=about))


def _asked(told: Retained, request: str) -> Removal | Release:
    """Raises: RequestUnknownError."""
    asked = told.removals.get(request) or told.releases.get(request)
    if asked is None or asked.ended_ns:
        raise RequestUnknownError(request)
    return asked


def _statement(asked: Removal | Release) -> bytes:
    if isinstance(asked, Removal):
        return retention.removal_statement(asked)
    return retention.release_statement(asked)
