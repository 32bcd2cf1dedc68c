"""The drill as a durable workflow: each step ends once, in the journal, before the next begins.

Killed at any moment, the next life takes up the first step that has no end. A step may be begun
twice, so each can be done again over what an earlier life left; its figures count once.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

import msgspec

from releve.flow.backup import Tell, VaultRefusedError
from releve.flow.drill.ports import (
    Engine,
    Examiner,
    Journal,
    NoSnapshotError,
    Room,
    Ticks,
)
from releve.model.backup import Manifest, Progress, Snapshot
from releve.model.drill import (
    Check,
    Done,
    Drill,
    Moment,
    Opened,
    Outcome,
    Reason,
    StepName,
    Work,
)
from releve.model.errors import ReleveError
from releve.model.sources import SourcesManifest
from releve.recover import drill as judge

NAMES_KEPT = 100
SPARE_BYTES = 2 * 10**9  # a drill never fills the disk that the practice works on
_MANIFEST = "databases.json"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a drill lives."""

    patients: str = ""  # path of the database of the patient list; empty: the largest one
    databases: str = "releve-bases"  # name of the snapshot's folder of consistent copies
    bytes: int = 0  # about how much comes back; 0: not known
    sources: str = "releve-sources"  # of what was taken of database servers
    fingerprints: str = "releve-empreintes"  # and of the list of hashes made at backup time


class DrillRun:
    """One life of one drill."""

    def __init__(
        self,
        engine: Engine,
        room: Room,
        examiner: Examiner,
        journal: Journal,
        ticks: Ticks,
        tell: Tell = lambda _: None,
    ) -> None:
        self._engine, self._room, self._examiner = engine, room, examiner
        self._journal, self._ticks, self._tell = journal, ticks, tell
        self._before: Mapping[str, Opened] = {}
        self._stretch, self._drill = 0, ""
        self._told: Moment | None = None

    def run(self, drill: Drill, wanted: Wanted, before: Mapping[str, Opened]) -> list[Done]:
        """Do the steps that have no end yet; all ends, in order.

        Args:
            drill: ordered already, in the journal.
            wanted: the same in each life.
            before: the databases of the last drill that passed, by path.
        """
        self._drill, self._before = drill.id, before
        self._stretch = self._journal.begin_stretch(drill.id, self._ticks.moment())
        lost = bool(self._journal.done(drill.id)) and not self._room.is_intact()
        if not lost:
            self._room.mark()
        for name in StepName:
            done = self._journal.done(drill.id)
            if name in done:
                continue
            began = self._ticks.moment()
            if lost:
                work = _failed(name, Reason(kind="room_lost"), stop=True)
            elif any(one.work.stop for one in done.values()):
                work = _not_done(name)
            else:
                work = self._attempt(name, drill, wanted, done)
            ended = self._ticks.moment()
            self._journal.finish(
                drill.id,
                Done(name=name, stretch=self._stretch, began=began, ended=ended, work=work),
            )
            self._journal.alive(drill.id, self._stretch, ended)
        done = self._journal.done(drill.id)
        return [done[name] for name in StepName]

    def _attempt(
        self, name: StepName, drill: Drill, wanted: Wanted, done: Mapping[StepName, Done]
    ) -> Work:
        """An error for people is a step that failed, with its reason; any other is a bug and flies."""
        self._hear(Progress(phase=str(name), files=0, bytes=0))
        try:
            if name is StepName.CHOOSE:
                return self._choose(drill.snapshot, wanted)
            snapshot = done[StepName.CHOOSE].work.snapshot
            if snapshot is None:
                return _not_done(name)
            return self._steps()[name](snapshot, wanted)
        except ReleveError as error:
            reason = Reason(kind="error", seen=type(error).__name__, wanted=str(error.status))
            return _failed(
                name,
                Reason(kind="read_refused") if isinstance(error, VaultRefusedError) else reason,
                stop=name in (StepName.CHOOSE, StepName.ALL_LOCAL),
            )

    def _steps(self) -> dict[StepName, Callable[[Snapshot, Wanted], Work]]:
        return {
            StepName.FIRST_FILE: self._first_file,
            StepName.PATIENT_LIST: self._patient_list,
            StepName.DATABASES: self._databases,
            StepName.ALL_LOCAL: self._all_local,
            StepName.HASHES: self._hashes,
            StepName.DUMPS: self._dumps,
            StepName.DICOM: self._dicom,
            StepName.CANARIES: self._canaries,
        }

    # the steps

    def _choose(self, named: str, wanted: Wanted) -> Work:
        """The newest snapshot of the folders: dumps of servers have snapshots of their own."""
        snapshots = self._engine.snapshots()
        if named:
            fitting = [s for s in snapshots if s.id.startswith(named)]
        else:
            whole = [s for s in snapshots if _named(s, wanted.databases)]
            fitting = (whole or snapshots)[-1:]
        if len(fitting) != 1:
            raise NoSnapshotError(named)
        return Work(snapshot=fitting[0])

    def _first_file(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        folders = [f for f in snapshot.folders if PurePath(f).name not in _special(wanted)]
        path = self._engine.smallest(snapshot.id, folders)
        if not path:
            return _one(StepName.FIRST_FILE, Outcome.FAILED, Reason(kind="no_file"))
        into = self._room.folder("first")
        self._engine.restore(snapshot.id, path, into, self._hear)
        files, size = self._examiner.size([into])
        outcome = Outcome.PASSED if files else Outcome.FAILED
        check = Check(name=StepName.FIRST_FILE, outcome=outcome, counted=files, bytes=size)
        return Work(checks=(check,))

    def _patient_list(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        name = StepName.PATIENT_LIST
        manifest = self._manifest(snapshot, wanted)
        copies = manifest.databases if manifest else ()
        if wanted.patients:
            copies = tuple(one for one in copies if one.path == wanted.patients)
            if not copies:
                return _one(name, Outcome.FAILED, Reason(kind="patients_not_there"))
        if not copies:
            return _one(name, Outcome.ABSENT, Reason(kind="no_database"))
        copy = max(copies, key=lambda one: one.size)
        brought = self._engine.restore(
            snapshot.id, copy.copy, self._room.folder("patients"), self._hear
        )
        opened = self._examiner.database(brought, copy.path)
        known = {path: one for path, one in self._before.items() if path == copy.path}
        check = judge.judge_databases(name, [opened], known, bytes_=copy.size)
        return Work(checks=(check,), opened=(opened,))

    def _databases(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        name, folder = StepName.DATABASES, _named(snapshot, wanted.databases)
        if not folder:
            check = judge.judge_databases(name, [], self._before)
            return Work(checks=(check,))
        into = self._room.folder("databases")
        brought = self._engine.restore(snapshot.id, folder, into, self._hear)
        manifest = self._examiner.manifest(brought) or Manifest()
        opened, torn = [], []
        for copy in manifest.databases:
            place = str(PurePath(brought, PurePath(copy.copy).relative_to(folder)))
            if self._examiner.sha256(place) != copy.sha256:
                opened.append(Opened(path=copy.path, kind="sqlite", error="sha256"))
                torn.append(copy.path)
            else:
                opened.append(self._examiner.database(place, copy.path))
            self._alive()
        loaded, lacking = self._loaded([brought])
        sourced, more = self._servers(self._sources(snapshot, wanted))
        loaded, lacking = [*loaded, *sourced], [*lacking, *more]
        size = self._examiner.size([brought])[1]
        known = {p: one for p, one in self._before.items() if not p.startswith("live-")}
        check = judge.judge_databases(name, [*opened, *loaded], known, bytes_=size)
        skipped = tuple(Reason(kind="database_not_copied") for _ in manifest.skipped)
        check = _with(check, Outcome.FAILED, *skipped)
        check = _with(check, Outcome.NOT_DONE, *lacking)
        names = (*torn, *(one.path for one in manifest.skipped))
        return Work(checks=(check,), opened=(*opened, *loaded), bad_paths=names)

    def _all_local(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        there = self._examiner.size([self._room.folder("databases")])[1]
        if (free := self._room.free()) < wanted.bytes - there + SPARE_BYTES:
            reason = Reason(
                kind="no_room", seen=str(free // 10**6), wanted=str(wanted.bytes // 10**6)
            )
            return _failed(StepName.ALL_LOCAL, reason, stop=True)
        for folder in _outermost(snapshot, wanted):
            if PurePath(folder).name != wanted.databases:
                self._engine.restore(snapshot.id, folder, self._room.home(folder), self._hear)
        brought = [*self._restored(snapshot, wanted).values(), self._room.folder("databases")]
        files, size = self._examiner.size(brought)
        reasons: tuple[Reason, ...] = ()
        if files < snapshot.files:
            reasons = (Reason(kind="files_missing", seen=str(files), wanted=str(snapshot.files)),)
        check = Check(
            name=StepName.ALL_LOCAL,
            outcome=Outcome.FAILED if reasons or not files else Outcome.PASSED,
            counted=files,
            bad=max(0, snapshot.files - files),
            bytes=size,
            reasons=reasons,
        )
        return Work(checks=(check,), files=files, bytes=size)

    def _hashes(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        folder = _named(snapshot, wanted.fingerprints)
        if not folder:
            return _one(StepName.HASHES, Outcome.ABSENT, Reason(kind="no_fingerprints"))
        live = {f: place for f, place in self._restored(snapshot, wanted).items() if f != folder}
        place = str(PurePath(self._room.home(folder), PurePath(folder).name))
        return _examined(*self._examiner.hashes(live, place))

    def _dumps(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        opened, lacking = self._loaded(self._people(snapshot, wanted))
        known = {p: one for p, one in self._before.items() if p.startswith("live-")}
        check = judge.judge_databases(StepName.DUMPS, opened, known)
        return Work(checks=(_with(check, Outcome.NOT_DONE, *lacking),), opened=tuple(opened))

    def _dicom(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        return _examined(*self._examiner.dicom(self._people(snapshot, wanted)))

    def _canaries(self, snapshot: Snapshot, wanted: Wanted) -> Work:
        return _examined(*self._examiner.canaries(self._people(snapshot, wanted)))

    # what several steps need

    def _loaded(self, folders: Sequence[str]) -> tuple[list[Opened], list[Reason]]:
        dumps = self._examiner.dumps(folders)
        if not dumps:
            return [], []
        opened, why = self._examiner.load_dumps(dumps)
        self._alive()
        return opened, [Reason(kind="no_server", seen=str(len(dumps)))] if why else []

    def _servers(self, manifest: SourcesManifest | None) -> tuple[list[Opened], list[Reason]]:
        """Dumps of servers are in snapshots of their own, named by the manifest with their hash."""
        opened: list[Opened] = []
        lacking: list[Reason] = []
        ready: dict[str, list[tuple[str, str]]] = {}
        loaders = {"postgres": self._examiner.load_dumps, "mariadb": self._examiner.load_sql}
        for number, dump in enumerate(manifest.dumps if manifest else ()):
            into = self._room.folder(f"dump-{number}")
            place = self._engine.restore(dump.snapshot, dump.path, into, self._hear)
            name = f"{dump.source}#dump"
            if self._examiner.sha256(place) != dump.sha256:
                opened.append(Opened(path=name, kind="dump", error="sha256"))
            elif dump.kind in loaders:
                ready.setdefault(dump.kind, []).append((place, name))
            else:
                lacking.append(Reason(kind="dump_not_loaded"))
        for kind, pairs in ready.items():
            loaded, why = loaders[kind](*map(list, zip(*pairs, strict=True)))
            opened += loaded
            lacking += [Reason(kind="no_server", seen=str(len(pairs)))] if why else []
            self._alive()
        wants = {f"{dump.source}#dump": dump for dump in (manifest.dumps if manifest else ())}
        counted = [one for one in opened if wants[one.path].counted]
        short = [one for one in counted if judge.is_short(one, wants[one.path].rows)]
        lacking += [Reason(kind="rows_not_as_dumped") for _ in short]
        return opened, lacking

    def _sources(self, snapshot: Snapshot, wanted: Wanted) -> SourcesManifest | None:
        folder = _named(snapshot, wanted.sources)
        if not folder:
            return None
        into = self._room.folder("sources")
        return self._examiner.sources(self._engine.restore(snapshot.id, folder, into, self._hear))

    def _manifest(self, snapshot: Snapshot, wanted: Wanted) -> Manifest | None:
        folder = _named(snapshot, wanted.databases)
        if not folder:
            return None
        into = self._room.folder("manifest")
        self._engine.restore(snapshot.id, f"{folder}/{_MANIFEST}", into, self._hear)
        return self._examiner.manifest(into)

    def _restored(self, snapshot: Snapshot, wanted: Wanted) -> dict[str, str]:
        """Live folder -> where it was restored; what lies in one of the others came with it."""
        folders = _outermost(snapshot, wanted)
        return {f: str(PurePath(self._room.home(f), PurePath(f).name)) for f in folders}

    def _people(self, snapshot: Snapshot, wanted: Wanted) -> list[str]:
        places, special = self._restored(snapshot, wanted).items(), _special(wanted)
        return [place for folder, place in places if PurePath(folder).name not in special]

    def _hear(self, progress: Progress) -> None:
        self._tell(progress)
        self._alive()

    def _alive(self) -> None:
        """A sign of life, at most one a second: it bounds how long a death is counted as work."""
        now = self._ticks.moment()
        if self._told is None or judge.elapsed(self._told, now) >= 1:
            self._told = now
            self._journal.alive(self._drill, self._stretch, now)


def _special(wanted: Wanted) -> tuple[str, ...]:
    """Folders of a snapshot that hold what the backup says of itself, not what people work with."""
    return wanted.databases, wanted.sources, wanted.fingerprints


def _outermost(snapshot: Snapshot, wanted: Wanted) -> list[str]:
    """Without those in another, an image store in the share: each file is restored and counted once."""
    special = _special(wanted)
    return [
        folder
        for folder in snapshot.folders
        if PurePath(folder).name in special
        or not any(o in PurePath(folder).parents for o in map(PurePath, snapshot.folders))
    ]


def _named(snapshot: Snapshot, name: str) -> str:
    return next((f for f in snapshot.folders if PurePath(f).name == name), "")


def _one(name: StepName, outcome: Outcome, *reasons: Reason) -> Work:
    return Work(checks=(Check(name=name, outcome=outcome, reasons=reasons),))


def _failed(name: StepName, reason: Reason, *, stop: bool) -> Work:
    work = _one(name, Outcome.FAILED, reason)
    return msgspec.structs.replace(work, stop=stop)


def _not_done(name: StepName) -> Work:
    return _one(name, Outcome.NOT_DONE, Reason(kind="after_failure"))


def _examined(check: Check, bad: Sequence[str]) -> Work:
    return Work(checks=(check,), bad_paths=tuple(bad[:NAMES_KEPT]))


def _with(check: Check, outcome: Outcome, *reasons: Reason) -> Check:
    """The check with more reasons; the worse outcome counts."""
    if not reasons:
        return check
    worse = check.outcome if check.outcome is Outcome.FAILED else outcome
    return msgspec.structs.replace(check, outcome=worse, reasons=(*check.reasons, *reasons))
