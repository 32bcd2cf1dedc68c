"""Runs stories: each branches off the same past, and each step is backed up, judged, compared with the truth."""

import contextlib
import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from bench.clean_series.folders import FolderVault, put_back
from bench.clean_series.ground import Ground, Story
from bench.clean_series.honest import normal_day, nothing
from releve.adapters.restic.rest_server import RestServer
from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.adapters.scan.past import SnapshotPast
from releve.adapters.scan.rules import rules
from releve.apps.backup.state import Config, State, SystemClock
from releve.apps.simulate.corpus.tree import build
from releve.flow.scan import Scan
from releve.flow.scan_ports import Past
from releve.model.backup import Snapshot
from releve.model.clean import Verdict
from releve.recover.clean_point import standing

LONG = dt.timedelta(hours=1)


class Vault(Protocol):
    def snap(self) -> Snapshot: ...
    def past(self, chain: Sequence[Snapshot]) -> Past: ...
    def drop(self, snapshots: Sequence[Snapshot]) -> None: ...


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One transition with its truth and what was said of it."""

    story: str
    kind: str
    step: int
    harmed: bool
    verdict: Verdict
    why: str
    judged_ms: float
    files: int

    @property
    def is_wrong(self) -> bool:
        """Harm that is called clean, or honest work that is not."""
        return self.harmed == (self.verdict is Verdict.CLEAN)


class Chain(Past):
    """Some snapshots of a repository as if there were no others."""

    def __init__(self, past: SnapshotPast, chain: Sequence[Snapshot]) -> None:
        self._past, self._chain = past, chain
        self.repository = past.repository
        self.differences, self.copies = past.differences, past.copies
        self.dumps = past.dumps
        self.opened, self.batches, self.rows = past.opened, past.batches, past.rows

    def snapshots(self) -> Sequence[Snapshot]:
        return self._chain


class ResticVault:
    """Takes snapshots with restic through a rest-server on loopback."""

    def __init__(self, work: Path, share: Path, server: RestServer) -> None:
        self._state = State(str(work / "state"))
        config = Config(url=server.url("series"), user="series", folders=(str(share),))
        self._state.configure(config, server.add_user("series"))
        self._state.engine().init()
        self._scratch = work / "scratch"

    def snap(self) -> Snapshot:
        config = self._state.config()
        made = self._state.run().run(config.folders, config.exclude, lambda _: None)
        return next(s for s in self._state.engine().snapshots() if s.id == made.snapshot)

    def past(self, chain: Sequence[Snapshot]) -> Past:
        past = SnapshotPast(self._state.engine(), "series", self._scratch, live=False)
        return Chain(past, chain)

    def drop(self, snapshots: Sequence[Snapshot]) -> None:
        del snapshots  # append-only


def run(
    stories: Sequence[Story],
    work: Path,
    *,
    files: int,
    restic: bool,
    tell: Callable[[Result], None],
) -> list[Result]:
    """Every story on a fresh branch of the same past: a first backup, three normal days, a quiet hour."""
    share, kept = work / "share", work / "kept"
    build(share, run="sim-series", seed=7, files=files, database=800)
    with contextlib.ExitStack() as stack:
        vault: Vault
        if restic:
            server = stack.enter_context(RestServer(str(work / "repositories")))
            vault = ResticVault(work, share, server)
        else:
            vault = FolderVault(work, share)
        trunk = [vault.snap()]
        for number, act in enumerate((normal_day, normal_day, normal_day, nothing)):
            act(Ground(share, 100 + number))
            trunk.append(vault.snap())
        past_file = work / "trunk.sqlite"
        _judge(vault.past(trunk), past_file)
        shutil.copytree(share, kept, symlinks=True)
        results = []
        for number, story in enumerate(stories):
            put_back(kept, share)
            for result in _tell_story(story, vault, trunk, share, past_file, number):
                results.append(result)
                tell(result)
    return results


def _tell_story(
    story: Story, vault: Vault, trunk: list[Snapshot], share: Path, past_file: Path, number: int
) -> Iterator[Result]:
    own = past_file.with_name("branch.sqlite")
    shutil.copy(past_file, own)
    chain = list(trunk)
    for place, step in enumerate(story.steps):
        step.act(Ground(share, 1_000 + 10 * number + place))
        chain.append(vault.snap())
        begun = SystemClock().now()
        files = _judge(vault.past(chain), own)
        spent = (SystemClock().now() - begun) / dt.timedelta(milliseconds=1)
        verdict, why = _standing(own, chain[-1].id)
        yield Result(
            story=story.name,
            kind=story.kind,
            step=place + 1,
            harmed=step.harmed,
            verdict=verdict,
            why=why,
            judged_ms=round(spent),
            files=files,
        )
    vault.drop(chain[len(trunk) :])


def _judge(past: Past, catalogue_file: Path) -> int:
    catalogue = SqliteCatalogue(catalogue_file)
    try:
        scan = Scan(past, catalogue, rules(), SystemClock())
        return sum(done.files for done in scan.run(LONG, lambda _: None))
    finally:
        catalogue.close()


def _standing(catalogue_file: Path, snapshot: str) -> tuple[Verdict, str]:
    """What the whole snapshot is worth: as its worst data set stands in it."""
    catalogue = SqliteCatalogue(catalogue_file)
    try:
        points = catalogue.points()
        names = {j.data_set for point in points for j in point.judgements}
        found = [
            (verdict, why[0].en)
            for name in sorted(names)
            for point, verdict, why in standing(points, name)
            if point.snapshot == snapshot
        ]
    finally:
        catalogue.close()
    rank = list(Verdict)
    return max(found, key=lambda pair: rank.index(pair[0]))
