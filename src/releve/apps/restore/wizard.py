"""The restore wizard: looks for a file by words, offers its versions, puts one back, keeps what is there.

It knows the versions and the sources of `releve restore`, what the scan of the snapshots said of
each, and nothing of pages.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

import msgspec

from releve.adapters import finding, placing
from releve.adapters.finding import Hit, Hits
from releve.adapters.preview import drawing
from releve.adapters.preview.drawing import Drawn, Why
from releve.adapters.restic.source import SnapshotSource
from releve.adapters.scan.catalogue import Lived, SqliteCatalogue
from releve.apps.backup.judging import catalogue, is_enabled
from releve.apps.backup.state import State
from releve.apps.restore.cli import bring, handle_key, inode_key, sources, trusted_stores
from releve.flow.backup import Source, VerificationFailedError
from releve.model.backup import Version
from releve.model.clean import Verdict
from releve.model.errors import ReleveError
from releve.model.held import Judged
from releve.recover.versions import beside, choose
from releve.recover.wanted import Wanted, score

_KEYS = (handle_key, inode_key)
_MOST_NAMES = 100  # tries to find a free name beside
_CLOCK_S = 0.02  # before Linux 6.13 a file's times move in steps


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found."""

    hits: tuple[Hit, ...] = ()
    is_cut: bool = False  # there is more
    is_troubled: bool = False  # a source did not answer: there may be more


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A version that may be brought back, with what is known of it."""

    version: Version
    verdict: Verdict
    is_now: bool = False  # it is what stands there


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of one path, newest first, and which one was asked for."""

    hit: Hit
    offers: tuple[Offer, ...]
    chosen: int  # of the offers; -1: none fits
    troubles: tuple[str, ...] = ()  # sources that did not answer


class Back(msgspec.Struct, frozen=True, kw_only=True):
    """What one restore did."""

    path: str
    to: str
    source: str
    version_at: dt.datetime
    verdict: Verdict
    sha256: str = ""  # of a file, read again where it lies now
    kept_as: str = ""  # what was there, under this name
    was_same: bool = False  # what is there is this version already
    files: int = 1
    kept: int = 0  # of a folder: changed since, and left as they are
    set_aside: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class HarmfulVersionError(ReleveError):
    """The version is known as malicious or destroyed: it is not brought back by this page."""

    status = 20
    remedy = "Choose another version; `releve recover scan --list` tells why."

    def __init__(self, path: str) -> None:
        super().__init__(f"This version of {path} is not sound.")


class Wizard:
    """One machine's wizard.

    Args:
        folders: where people may look; nothing else is shown or written.
        state: the backup's state folder.
        store: the guard's store, if it is elsewhere.
        zone: in which names beside tell their time.
    """

    def __init__(
        self, folders: Sequence[str], *, state: str | None, store: str | None, zone: dt.tzinfo
    ) -> None:
        self.folders = tuple(str(Path(folder).absolute()) for folder in folders)
        self._state, self._store, self._zone = state, store, zone

    # looking

    def look(self, said: str, folder: str = "") -> Looked:
        """What is meant by the words, best first."""
        wanted, hits, is_troubled = Wanted.of(said), Hits(), False
        folders = [folder] if folder in self.folders else list(self.folders)
        if not wanted.is_enough:
            return Looked()
        finding.standing(folders, wanted, hits)
        finding.held(self._stores(folders), _KEYS, folders, wanted, hits)
        try:
            finding.in_snapshots(self._snapshot_paths, folders, wanted, hits)
        except ReleveError:  # the vault is out of reach: what is here can be found all the same
            is_troubled = True
        ranked = sorted(hits.found.values(), key=lambda hit: score(wanted, hit.path))
        return Looked(hits=tuple(ranked), is_cut=hits.is_cut, is_troubled=is_troubled)

    def _stores(self, folders: Iterable[str]) -> list[str]:
        if self._store:
            return [self._store]
        found = [store for folder in folders for store in trusted_stores(folder)]
        return list(dict.fromkeys(found))

    def _snapshot_paths(self, wanted: Wanted) -> Iterable[str]:
        state = State(self._state)
        if is_enabled(state):
            with catalogue(state) as kept:
                return list(kept.paths())
        if not state.is_configured():
            return ()
        found = state.engine().named([_glob(word) for word in wanted.words])
        return dict.fromkeys(node.path for hit in found for node in hit.matches)

    # offering

    def offers(self, hit: Hit, at: dt.datetime | None) -> Offers:
        """The versions that there are; `at`: the time that was asked for."""
        troubles: list[str] = []
        known = self._sources(hit.path, at)
        versions: list[Version] = []
        for source in known:
            try:
                versions += source.versions(hit.path)
            except ReleveError as error:
                troubles.append(type(error).__name__)
        newest = sorted(versions, key=lambda version: version.at, reverse=True)
        with self._judging() as kept:
            offers = tuple(self._offer(version, hit, kept) for version in newest)
        fitting = [offer for offer in offers if offer.verdict is not Verdict.BAD]
        if at is None:  # who names no time misses something that stands there no more
            fitting = [offer for offer in fitting if not offer.is_now] or fitting
        fit = choose((offer.version for offer in fitting), at)
        chosen = next((n for n, offer in enumerate(offers) if offer.version is fit), -1)
        return Offers(hit=hit, offers=offers, chosen=chosen, troubles=tuple(troubles))

    def _sources(self, path: str, at: dt.datetime | None) -> list[Source]:
        try:
            return sources(path, state=self._state, store=self._store, only=None, at=at)
        except ReleveError:  # neither store nor backup
            return []

    @contextlib.contextmanager
    def _judging(self) -> Iterator[SqliteCatalogue | None]:
        state = State(self._state)
        if not is_enabled(state):
            yield None
            return
        with catalogue(state) as kept:
            yield kept

    def _offer(self, version: Version, hit: Hit, kept: SqliteCatalogue | None) -> Offer:
        lived = kept.history(version.path) if kept and not version.is_folder else ()
        if version.source == SnapshotSource.name:
            verdict = _in_snapshot(version, lived, kept)
        else:
            verdict = _held(version, lived)
        return Offer(version=version, verdict=verdict, is_now=_is_now(version, hit))

    # looking at one

    def preview(self, offer: Offer) -> Drawn:
        """What a version looks like; nothing is drawn of what may be harmful.

        Raises: those of the source; OSError.
        """
        version = offer.version
        if version.is_folder:
            return Drawn(why=Why.KIND)
        if offer.verdict in {Verdict.BAD, Verdict.SUSPECT}:
            return Drawn(why=Why.UNSOUND)
        if version.size is not None and version.size > drawing.MOST_BYTES:
            return Drawn(why=Why.LARGE)
        source = self._source_of(version)
        with placing.scratch(version.path) as folder:
            fetched = source.fetch(version, folder)
            if Path(fetched).is_symlink():
                return Drawn(why=Why.KIND)
            try:
                self._refuse_harm(placing.sha256(fetched), version.path)
            except HarmfulVersionError:
                return Drawn(why=Why.UNSOUND)
            return drawing.draw(fetched, version.path)

    def _source_of(self, version: Version) -> Source:
        return next(s for s in self._sources(version.path, version.at) if s.name == version.source)

    # putting back

    def put_back(self, offer: Offer, *, in_place: bool) -> Back:
        """Bring a version; what is there stays, under its own name or one that says what it was.

        Raises: VerificationFailedError, HarmfulVersionError, those of the source; OSError.
        """
        if offer.verdict is Verdict.BAD:
            raise HarmfulVersionError(offer.version.path)
        version = offer.version
        source = self._source_of(version)
        if version.is_folder:
            return self._folder(offer, source, in_place=in_place)
        target = version.path
        if not in_place and os.path.lexists(target):
            target = _free(partial(beside, version.path, version.at.astimezone(self._zone)))
        with placing.scratch(target) as folder:
            fetched = source.fetch(version, folder)
            if Path(fetched).is_symlink():
                raise VerificationFailedError(version.path, "it was a link then, and no file")
            digest = placing.sha256(fetched)
            self._refuse_harm(digest, version.path)
            return self._place(offer, fetched, target, digest)

    def _place(self, offer: Offer, fetched: str, target: str, digest: str) -> Back:
        version = offer.version
        done = Back(
            path=version.path,
            to=target,
            source=version.source,
            version_at=version.at,
            verdict=offer.verdict,
            sha256=digest,
        )
        if not os.path.lexists(target):
            return self._settle(done, placing.place(fetched, target))
        if placing.is_content(target, digest):
            return msgspec.structs.replace(done, was_same=True)
        # The logs of a database belong to what is there: it is replaced in one step with them.
        has_logs = any(os.path.lexists(target + side) for side in placing.SIDE_FILES)
        kept_as = _free(partial(_before, target, dt.datetime.now(self._zone)))
        placing.keep_as(target, PurePath(kept_as).name, move=not has_logs)
        placed = placing.place(fetched, target, only_missing=not has_logs)
        if placed.failed and not has_logs:
            placing.keep_as(kept_as, PurePath(target).name, move=True)
            return self._settle(done, placed)
        done = msgspec.structs.replace(done, kept_as=kept_as)
        if placed.kept:  # saved by somebody in this very moment: that one stays
            named = partial(beside, version.path, version.at.astimezone(self._zone))
            done = msgspec.structs.replace(done, to=_free(named))
            placed = placing.place(fetched, done.to)
        return self._settle(done, placed)

    def _settle(self, done: Back, placed: placing.Placed) -> Back:
        """Read it again where it lies now. Raises: VerificationFailedError."""
        if not placed.failed and not placing.is_content(done.to, done.sha256):
            raise VerificationFailedError(done.to, "it changed while it was put in place")
        return msgspec.structs.replace(
            done, set_aside=tuple(placed.set_aside), failed=tuple(placed.failed)
        )

    def _folder(self, offer: Offer, source: Source, *, in_place: bool) -> Back:
        """A folder goes beside, or to its place but only what is missing there: nothing is replaced."""
        version = offer.version
        target = version.path
        if not in_place and os.path.lexists(target):
            target = _free(partial(beside, version.path, version.at.astimezone(self._zone)))
        done = bring(source, version, target, only_missing=in_place)
        return Back(
            path=version.path,
            to=target,
            source=version.source,
            version_at=version.at,
            verdict=offer.verdict,
            files=done.made + done.unchanged,
            kept=done.kept,
            set_aside=done.set_aside,
            failed=done.failed,
        )

    def _refuse_harm(self, digest: str, path: str) -> None:
        """The content itself may be known, wherever it comes from. Raises: HarmfulVersionError."""
        with self._judging() as kept:
            if kept is not None and kept.worst_of(digest) is Verdict.BAD:
                raise HarmfulVersionError(path)


def _is_now(version: Version, hit: Hit) -> bool:
    """What stands there has this size and was not touched since; only the kernel sets that time."""
    if version.is_folder or not hit.is_there or hit.size != version.size:
        return False
    try:
        touched = Path(version.path).lstat().st_ctime
    except OSError:
        return False
    return touched <= version.at.timestamp() + _CLOCK_S


def _in_snapshot(version: Version, lived: Sequence[Lived], kept: SqliteCatalogue | None) -> Verdict:
    place = kept.place_of(version.id) if kept else None
    if kept is None or place is None:
        return Verdict.UNJUDGED
    if version.is_folder:
        points = {point.snapshot: point for point in kept.points()}
        point = points.get(version.id)
        said = [j.verdict for j in point.judgements] if point and point.is_complete else []
        return max(said, key=list(Verdict).index, default=Verdict.UNJUDGED)
    fits = (v for v in lived if v.first <= place and (v.until is None or place < v.until))
    return next((v.verdict for v in fits), Verdict.UNJUDGED)


def _held(version: Version, lived: Sequence[Lived]) -> Verdict:
    """What the guard judged; the scan of the first snapshot that took it may have seen more."""
    later = (v for v in lived if v.at >= version.at and v.size == version.size)
    seen = next(later, None)
    if seen is not None and seen.verdict in {Verdict.SUSPECT, Verdict.BAD}:
        return seen.verdict
    return Verdict.CLEAN if finding.judged(version.id) is Judged.CLEAN else Verdict.UNJUDGED


def _before(path: str, at: dt.datetime) -> str:
    """The name of what makes room."""
    pure = PurePath(path)
    return str(
        pure.with_name(f"{pure.stem} (avant reprise du {at:%Y-%m-%d %Hh%Mm%S}){pure.suffix}")
    )


def _free(named: partial[str]) -> str:
    """The name, or with a number the first that is free."""
    whole = PurePath(named())
    for number in range(1, _MOST_NAMES):
        more = f" {number}" if number > 1 else ""
        found = str(whole.with_name(f"{whole.stem}{more}{whole.suffix}"))
        if not os.path.lexists(found):
            return found
    raise FileExistsError(str(whole))


def _glob(word: str) -> str:
    """A pattern that lets more through than is meant: accents are looked at afterwards."""
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "*" for sign in word)
    plain = plain.replace("oe", "*").replace("ae", "*")  # one letter in many names
    open_ = "".join("?" if sign in "aceinouy" else sign for sign in plain)
    return f"*{open_}*"
