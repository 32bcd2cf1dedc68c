"""The recovery key's sheet of a host: told by two dates, and listed until its paper was tried."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home
from releve.apps.server.onboarding import Reception
from releve.flow.server.ingest import take as take_batch
from releve.model.event import AnyEvent, BackupRan, DrillRan, PaperKeyTold
from releve.model.host import PaperState
from tests.server.test_onboarding import Plan, home, plan_text, take
from tests.server.world import T0, EnrolledHost, add_host, batch

__all__ = ["home"]
DAY = dt.timedelta(days=1)


def tell(store: SqlStore, host: EnrolledHost, first: int, *events: AnyEvent) -> None:
    take_batch(store, host.structure, host.id, batch(*events, first=first), T0)


def paper_of(store: SqlStore, host: EnrolledHost) -> PaperState | None:
    with store.unit(host.structure, writes=False) as unit:
        record = unit.host(host.id)
    assert record is not None
    return record.host.state.paper


def test_the_newest_telling_counts_and_dates_that_cannot_be_are_not_believed(
    store: SqlStore,
) -> None:
    host = add_host(store, "srv")
    assert paper_of(store, host) is None
    tell(store, host, 1, PaperKeyTold(seen_at=T0, made_at=T0 - DAY))
    assert paper_of(store, host) == PaperState(made_at=T0 - DAY)
    tell(store, host, 2, PaperKeyTold(seen_at=T0, made_at=T0 - DAY, tried_at=T0))
    assert paper_of(store, host) == PaperState(made_at=T0 - DAY, tried_at=T0)
    nowhere, ahead = (T0 - DAY).replace(tzinfo=None), T0 + 400 * DAY
    tell(store, host, 3, PaperKeyTold(seen_at=T0, made_at=nowhere, tried_at=ahead))
    assert paper_of(store, host) == PaperState(tried_at=T0)
    tell(store, host, 4, PaperKeyTold(seen_at=T0))
    assert paper_of(store, host) == PaperState(), "a new generation has none yet"


def test_a_host_is_listed_until_its_paper_was_tried(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    take(store, home, text, tmp_path)
    plan = msgspec.toml.decode(text, type=Plan)
    host = add_host(store, "serveur-cabinet", plan.structures[0].name)
    front = add_host(store, "accueil", plan.structures[0].name)

    def listed() -> list[str]:
        taken = Reception(store, home, plan.url, tmp_path, lambda _: None).take(
            plan.structures[0], T0
        )
        return [line for line in taken.by_hand if line.startswith(("serveur-cabinet", "accueil"))]

    assert listed()[1].startswith("accueil : sh "), "its agent was never heard"
    tell(store, front, 1)  # a heartbeat
    (line,) = listed()
    assert "installer-serveur" in line, "its installer first"
    assert "releve key try" in line
    done = (
        BackupRan(seen_at=T0, ok=True, ms=1),
        DrillRan(seen_at=T0, ok=True, drill="d1"),
    )
    tell(store, host, 1, *done)
    (line,) = listed()
    assert line.startswith("serveur-cabinet : la feuille de clé n'y a jamais été essayée")
    tell(store, host, 3, PaperKeyTold(seen_at=T0, made_at=T0))
    assert listed() == [line], "printed is not tried"
    tell(store, host, 4, PaperKeyTold(seen_at=T0, made_at=T0, tried_at=T0))
    assert listed() == []
    tell(store, host, 5, PaperKeyTold(seen_at=T0, made_at=T0))
    assert listed() == [line], "after a leak there is a new key, on no paper that was tried"
