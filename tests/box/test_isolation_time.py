"""A cut ends, whatever the machine's clock says after a restart."""

import datetime as dt

import pytest

from releve.flow.isolation import (
    Endpoint,
    HostIsolation,
    IsolationRecord,
    IsolationState,
)

_THEN = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


class _Kernel:
    seconds = 0

    def isolate(
        self, servers: tuple[Endpoint, ...], *, seconds: int, resolvers: tuple[str, ...] = ()
    ) -> None:
        assert not servers
        assert not resolvers
        self.seconds = seconds

    def renew(self, *, seconds: int) -> None: ...
    def release(self) -> None: ...
    def state(self) -> IsolationState:
        return IsolationState(is_cut=False, seconds_left=0, has_table=False)


class _Record:
    record: IsolationRecord | None = IsolationRecord(
        servers=(), since=_THEN, until=_THEN + dt.timedelta(hours=4), boot="before"
    )

    def load(self) -> IsolationRecord | None:
        return self.record

    def save(self, record: IsolationRecord) -> None:
        self.record = record

    def clear(self) -> None:
        self.record = None


class _Silent:
    def show(self, record: IsolationRecord) -> None: ...
    def hide(self, why: str) -> None: ...


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (_THEN + dt.timedelta(hours=1), 3 * 3600),
        (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 4 * 3600),
        (_THEN + dt.timedelta(hours=5), 0),
    ],
    ids=["in time", "a clock without battery", "over"],
)
def test_a_restart_cuts_for_no_longer_than_was_asked(now: dt.datetime, seconds: int) -> None:
    kernel = _Kernel()
    HostIsolation(
        isolator=kernel, records=_Record(), notice=_Silent(), now=lambda: now, boot="after"
    ).resume()
    assert kernel.seconds == seconds
