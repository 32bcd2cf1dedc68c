"""What a drill restores from: this host's own backups, or a view with a lent key, as a recovery would."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from releve.adapters.drill.engine import DrillEngine, LentEngine
from releve.adapters.restic.lent import LentRepository
from releve.apps.backup.judging import catalogue, is_enabled
from releve.apps.backup.state import State
from releve.apps.drill.asking import Agreed, right_of
from releve.apps.drill.state import DrillHome
from releve.apps.drill.wiring import Scene, host_name
from releve.apps.recover.intent import Words, source_of
from releve.flow.drill.ports import Engine
from releve.flow.vault.names import is_object
from releve.model.clean import Verdict
from releve.model.errors import UsageError
from releve.recover.clean_point import standing

LENT = "lent"


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where a drill works; `host` is whose backups they are."""

    engine: Engine
    scene: Scene
    host: str


def ground_of(
    words: Words, home: DrillHome, scene: Scene, snapshot: str = "", agreed: Agreed | None = None
) -> Ground:
    """What is restored from; a snapshot whose whole name is told is shown as of its receipt.

    Args:
        agreed: the path on which the gate opens the right of this drill.

    Raises: those of `source_of` and `right_of`, BackupNotSetUpError.
    """
    state = State(words.state or None)
    clean = cleanness(state)
    if agreed is not None and not words.begins:
        raise UsageError("--agreed is for a clean room: it needs --envelope, or --repository")
    if not words.begins:
        config, last = state.config(), state.load().backup
        own = msgspec.structs.replace(
            scene,
            live=config.folders,
            keep=(*scene.keep, str(state.folder)),
            bytes=last.bytes if last else 0,
            clean=clean,
        )
        return Ground(engine=DrillEngine(state.engine()), scene=own, host=host_name())
    lent = home.folder / LENT
    lent.mkdir(mode=0o700, exist_ok=True)
    if agreed is not None:
        words = msgspec.structs.replace(words, right=right_of(agreed, words, lent))
    source = source_of(
        words, lent, (snapshot,) if is_object(snapshot) else (), "drill run", wants_view=True
    )
    repository = LentRepository(source.lent, str(lent))
    there = msgspec.structs.replace(scene, clean=clean)
    host = _host_of(source.host, source.lent.repository)
    return Ground(engine=LentEngine(repository), scene=there, host=host)


def cleanness(state: State) -> dict[str, bool]:
    """By snapshot: clean in every data set, or not; empty where nothing was ever judged."""
    if not is_enabled(state):
        return {}
    with catalogue(state) as kept:
        points, accepted = kept.points(), kept.accepted()
        sets = {one.name for place in kept.places() for one in kept.sets(place)}
    found: dict[str, bool] = {}
    for name in sets:
        for point, verdict, _ in standing(points, name, accepted):
            found[point.snapshot] = found.get(point.snapshot, True) and verdict is Verdict.CLEAN
    return found


def forget_lent(home: DrillHome) -> None:
    """The lent key and the right go with the drill."""
    for name in ("password", "http-password"):
        (home.folder / LENT / name).unlink(missing_ok=True)


def _host_of(named: str, repository: str) -> str:
    """Whose backups they are: the key's envelope says it, or the address."""
    if named:
        return named
    parts = [part for part in urlsplit(repository.removeprefix("rest:")).path.split("/") if part]
    return parts[-1] if repository.startswith("rest:") and parts else Path(repository).name
