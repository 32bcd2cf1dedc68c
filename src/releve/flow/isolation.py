"""Cutting a host from the network, and the promise that it ends: ports and the driver.

The server link stays, the cut ends by itself unless it is renewed, a host that carries care is
cut only in the name of a person, and the host says on its own screen that it is cut and why.
"""

import datetime as dt
from collections.abc import Callable
from typing import Protocol

import msgspec

from releve.model.errors import ReleveError

DEFAULT_HOURS = 4.0
LONGEST_HOURS = 72.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens: what stays reachable."""

    address: str  # numeric
    port: int


class IsolationState(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel does at this moment."""

    is_cut: bool
    seconds_left: int
    has_table: bool  # also true when the cut has ended by itself and nobody has tidied yet


class IsolationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, already parsed and resolved."""

    servers: tuple[Endpoint, ...]
    seconds: int
    reason: str = ""
    approved_by: str = ""
    resolvers: tuple[str, ...] = ()  # name servers to leave open, when the server has a name


class IsolationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who cut the host, why and until when; kept on the host, no patient data."""

    servers: tuple[Endpoint, ...]
    since: dt.datetime
    until: dt.datetime
    boot: str  # the kernel forgets its rules at a restart, so a record of another boot is history
    reason: str = ""
    care_role: str = ""
    approved_by: str = ""
    resolvers: tuple[str, ...] = ()
    renewals: int = 0


class Isolator(Protocol):
    """Cuts and opens, in the kernel; the cut ends by itself there."""

    def isolate(
        self, servers: tuple[Endpoint, ...], *, seconds: int, resolvers: tuple[str, ...] = ()
    ) -> None:
        """Replace the cut, or make it, in one step."""

    def renew(self, *, seconds: int) -> None:
        """Let the cut run `seconds` from now."""

    def release(self) -> None:
        """Open everything; repeating it is harmless."""

    def state(self) -> IsolationState:
        """What is cut now."""


class IsolationRecords(Protocol):
    """Keeps the one record of this host."""

    def load(self) -> IsolationRecord | None:
        """The record, or None."""

    def save(self, record: IsolationRecord) -> None:
        """Keep it durably before returning."""

    def clear(self) -> None:
        """Forget it; repeating it is harmless."""


class Notice(Protocol):
    """Tells the people at this machine, and its log, without any server."""

    def show(self, record: IsolationRecord) -> None:
        """Say that the host is cut, why, until when, and how to undo it."""

    def hide(self, why: str) -> None:
        """Take the message away and log why."""


class CareRoleError(ReleveError):
    """A host that carries care is not cut without a person who answers for it."""

    status = 62
    remedy = (
        "Ask the person in charge of this care, then name them: "
        "`releve isolate --care-approved-by NAME ...`. The undo is `releve release`."
    )

    def __init__(self, care_role: str) -> None:
        super().__init__(f"This host carries care ({care_role}): cutting it may stop that care.")
        self.care_role = care_role


class NotIsolatedError(ReleveError):
    """There is no running isolation to renew."""

    status = 63
    remedy = "It has ended by itself or was released; start one with `releve isolate`."

    def __init__(self) -> None:
        super().__init__("This host is not isolated.")


class HoursError(ReleveError):
    """Isolation for so long, or for no time at all, is not offered."""

    status = 64
    remedy = "Choose more than 0 and at most 72 hours, and renew with `releve isolate --renew`."

    def __init__(self, hours: float) -> None:
        super().__init__(f"An isolation of {hours:g} hours is not possible.")
        self.hours = hours


def seconds_of(hours: float) -> int:
    """Whole seconds, at least one.

    Raises: HoursError.
    """
    if not 0 < hours <= LONGEST_HOURS:
        raise HoursError(hours)
    return max(1, round(hours * 3600))


class HostIsolation:
    """The driver: rules of care first, then the kernel, then the record and the notice.

    The kernel comes before the record: a crash between them leaves a cut that still ends by
    itself, and `status` shows it.
    """

    def __init__(
        self,
        *,
        isolator: Isolator,
        records: IsolationRecords,
        notice: Notice,
        now: Callable[[], dt.datetime],
        boot: str,
        care_role: str = "",
    ) -> None:
        self._isolator = isolator
        self._records = records
        self._notice = notice
        self._now = now
        self._boot = boot
        self._care_role = care_role

    def isolate(self, request: IsolationRequest) -> IsolationRecord:
        """Cut the host; asked again, the new request replaces the old one.

        Raises: CareRoleError.
        """
        if self._care_role and not request.approved_by.strip():
            raise CareRoleError(self._care_role)
        self._isolator.isolate(
            request.servers, seconds=request.seconds, resolvers=request.resolvers
        )
        now = self._now()
        record = IsolationRecord(
            servers=request.servers,
            since=now,
            until=now + dt.timedelta(seconds=request.seconds),
            boot=self._boot,
            reason=request.reason,
            care_role=self._care_role,
            approved_by=request.approved_by.strip(),
            resolvers=request.resolvers,
        )
        self._records.save(record)
        self._notice.show(record)
        return record

    def renew(self, *, seconds: int) -> IsolationRecord:
        """Let the running isolation last `seconds` from now.

        Raises: NotIsolatedError.
        """
        record = self._records.load()
        if record is None or not self._isolator.state().is_cut:
            self.tidy()
            raise NotIsolatedError
        self._isolator.renew(seconds=seconds)
        until = self._now() + dt.timedelta(seconds=seconds)
        record = msgspec.structs.replace(record, until=until, renewals=record.renewals + 1)
        self._records.save(record)
        self._notice.show(record)
        return record

    def release(self, why: str) -> bool:
        """Open everything and take the traces away; False if nothing was cut."""
        was_cut = self._isolator.state().is_cut
        self._isolator.release()
        self._records.clear()
        self._notice.hide(why)
        return was_cut

    def status(self) -> tuple[IsolationState, IsolationRecord | None]:
        """What the kernel does, and the record behind it."""
        return self._isolator.state(), self._records.load()

    def tidy(self) -> bool:
        """Clear away what an isolation that ended by itself has left; True if there was any."""
        state = self._isolator.state()
        if state.is_cut or (not state.has_table and self._records.load() is None):
            return False
        self.release("ended by itself")
        return True

    def resume(self) -> IsolationRecord | None:
        """After a restart of the machine: cut again for the time that was left, if any.

        A restart empties the kernel's rules; an attacker must not win by rebooting.
        """
        record = self._records.load()
        if record is None or self._isolator.state().is_cut:
            return None
        left = (record.until - self._now()).total_seconds()
        # A clock that starts in the past would cut for years: never longer than it was asked for.
        left = min(left, (record.until - record.since).total_seconds(), LONGEST_HOURS * 3600)
        if record.boot == self._boot or left < 1:
            self.tidy()
            return None
        request = IsolationRequest(
            servers=record.servers,
            seconds=int(left),
            reason=record.reason,
            approved_by=record.approved_by,
            resolvers=record.resolvers,
        )
        return self.isolate(request)
