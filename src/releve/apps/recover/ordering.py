"""The order of a recovery: its words made one struct, written down once, the vault mounted at once."""

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from releve.adapters.linux.overlay import Overlay
from releve.adapters.restic.databases import FOLDER as BASES
from releve.apps.recover.generations import Generations
from releve.apps.recover.intent import Source, Words, course_of, shown_to, source_of
from releve.apps.recover.opening import Opening, wait_for_end
from releve.apps.recover.state import Asked, Other, Phase, RecoveryHome, SharedAs, State
from releve.flow.recovery.errors import CareListError, NoRecoveryError, TargetError
from releve.model.backup import Snapshot
from releve.model.errors import ReleveError, UsageError
from releve.recover.care_order import CareList
from releve.recover.course import Course


class Given(Words, frozen=True, kw_only=True):
    """The words of `recover start`."""

    snapshot: str
    folder: str
    care: str
    today: str
    share_name: str
    share_users: tuple[str, ...]
    interfaces: tuple[str, ...]
    port: int
    people_of: str
    at_operator: str
    threads: int
    reserve_mb: int


def asked_by(home: RecoveryHome, given: Given, ordered_ns: int) -> Asked:
    """Raises: those of `course_of` and `source_of`."""
    why = f"recover start: {given.incident or given.first_write or 'recover start'}"
    if len(given.envelope) > 1 and given.has_plan:
        way, source, others = _of_generations(home, given, why)
    else:
        way, others = course_of(given, given.folder, home.path, target=str(home.target)), ()
        source = source_of(given, home.path, way.snapshots if way else (), why)
    return Asked(
        target=str(home.target),
        lent=source.lent,
        snapshot=way.snapshot if way else given.snapshot,
        folder=way.folder if way else given.folder,
        ordered_ns=ordered_ns,
        threads=given.threads,
        reserve=given.reserve_mb * 1_000_000,
        incident=given.incident,
        structure=given.at_operator,
        share=_shared(given),
        course=way,
        right=source.right,
        view=source.view,
        repository=source.repository,
        others=others,
    )


def _of_generations(
    home: RecoveryHome, given: Given, why: str
) -> tuple[Course | None, Source, tuple[Other, ...]]:
    """The same when the plan's snapshots may lie in several."""
    known = Generations(given, home.path)

    def apart(way: Course) -> set[str]:
        known.learn(way.snapshots)
        return known.apart(way.snapshot)

    way = course_of(given, given.folder, home.path, apart, target=str(home.target))
    if way is None:
        raise UsageError(
            "several envelopes need a plan: --incident, --first-write or --plan",
            "plusieurs enveloppes demandent un plan : --incident, --first-write ou --plan",
        )
    away = known.apart(way.snapshot)
    here = [name for name in way.snapshots if name not in away]
    return way, known.source(here, why), known.others(away, why)


def renew(home: RecoveryHome, given: Given) -> Asked:
    """Let a recovery that stands read by another right: the first one was short on purpose.

    What is read stays the same: the same snapshots, in a view of the new opening. The mount of the
    old one is ended; the driver mounts the new one, as after a crash.

    Raises: those of `source_of`.
    """
    asked = home.asked()
    known = msgspec.structs.replace(
        given,
        repository=given.repository or asked.repository or asked.lent.repository,
        password_file=given.password_file or asked.lent.password_file,
        ca_file=given.ca_file or asked.lent.ca_file,
        cache=given.cache or asked.lent.cache,
    )
    snapshots = asked.course.snapshots if asked.course else (asked.snapshot,)
    source = source_of(known, home.path, snapshots, "recover start: renewed")
    renewed = msgspec.structs.replace(
        asked,
        lent=source.lent,
        right=source.right,
        view=source.view or asked.view,
        others=tuple(_renewed(other, source) for other in asked.others),
    )
    home.keep("asked.json", renewed)
    program = home.state().vault
    if program is not None and program.lives():
        with contextlib.suppress(ProcessLookupError):
            os.kill(program.pid, signal.SIGKILL)
        wait_for_end(program)  # half dead it still answers, and then breaks off
    return renewed


def _renewed(other: Other, source: Source) -> Other:
    lent = msgspec.structs.replace(
        other.lent,
        repository=other.repository,
        user=source.lent.user,
        http_password_file=source.lent.http_password_file,
    )
    return msgspec.structs.replace(other, lent=shown_to(lent, other.snapshots).lent)


def check(home: RecoveryHome) -> bool:
    """Whether a recovery stands there already, that goes on. Raises: TargetError, NoRecoveryError."""
    target = str(home.target)
    if not home.target.parent.is_dir():
        raise TargetError(
            target, f"{home.target.parent} is not there", f"{home.target.parent} n'existe pas"
        )
    home.make()
    Overlay(str(home.path), target).check()
    if home.read("asked.json", Asked) is None:
        return False
    if home.state().phase is Phase.DONE:
        raise NoRecoveryError(
            target,
            f"one is finished; remove {home.path} to begin another",
            f"une reprise y est finie ; enlever {home.path} pour en commencer une autre",
        )
    return True


def order(home: RecoveryHome, asked: Asked, care: CareList) -> None:
    """Write the order down, once.

    The vault is mounted while the snapshot is looked up, which loads no index. It is listed later:
    with a million files both would fetch and read the same index, and people would wait for it.
    """
    opening = Opening(home, asked)
    with ThreadPoolExecutor(1) as pool:
        mounting = pool.submit(opening.mount_vault)
        try:
            wanted = _folders(asked, opening.repository.snapshot(asked.snapshot))
        except ReleveError:
            with contextlib.suppress(ReleveError):
                program, point = mounting.result()
                opening.unmount_vault(point, program)
            raise
        program, point = mounting.result()
    home.keep("care.json", care)
    home.keep("state.json", State(vault=program, vault_point=point))
    home.keep("asked.json", wanted)


def _folders(asked: Asked, snapshot: Snapshot) -> Asked:
    """Raises: UsageError when the folder is to be named."""
    bases = next((f for f in snapshot.folders if f.rpartition("/")[2] == BASES), "")
    # What Relève itself puts beside people's folders (consistent copies, fingerprints).
    others = [f for f in snapshot.folders if not f.rpartition("/")[2].startswith("releve-")]
    if not asked.folder and len(others) != 1:
        named = ", ".join(others)
        raise UsageError(f"--folder: one of {named}", f"--folder : l'un de {named}")
    folder = asked.folder or others[0]
    return msgspec.structs.replace(asked, snapshot=snapshot.id, folder=folder, bases=bases)


def _shared(given: Given) -> SharedAs | None:
    if not given.share_name:
        if given.at_operator:
            raise UsageError("--at-operator needs --share", "--at-operator demande --share")
        return None
    if given.at_operator and not given.interfaces:
        raise UsageError(
            "--at-operator needs --interface: the address of that structure's VPN",
            "--at-operator demande --interface : l'adresse du VPN de cette structure",
        )
    return SharedAs(
        name=given.share_name,
        users=given.share_users,
        interfaces=given.interfaces,
        port=given.port,
        people_of=given.people_of,
    )


def care_by(care: str, today: str) -> CareList:
    """Raises: CareListError."""
    found = CareList()
    try:
        if care:
            found = msgspec.json.decode(Path(care).read_bytes(), type=CareList)
        if today:
            lines = [line.strip() for line in Path(today).read_text("utf-8").splitlines()]
            names = tuple(line for line in lines if line and not line.startswith("#"))
            found = msgspec.structs.replace(found, today=(*found.today, *names))
    except (OSError, UnicodeError, msgspec.MsgspecError) as error:
        raise CareListError(care or today, str(error)) from error
    return found
