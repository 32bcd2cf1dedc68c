"""The portable guard on one page: no root, no kernel help, the writer named by evidence or not at all."""

import datetime as dt
import os
import sys
from collections.abc import Callable, Sequence

from releve.adapters.clock import SystemClock
from releve.adapters.portable.differ import Differ
from releve.adapters.portable.evidence import Evidence
from releve.adapters.portable.hands import EvidenceHands, Inner, PsutilHands
from releve.adapters.portable.known import Known
from releve.adapters.portable.openers import Mapped
from releve.adapters.portable.place import InodePlace
from releve.adapters.portable.probe import Probe, ProcProbe, PsutilProbe
from releve.adapters.portable.processes import PortableProcesses
from releve.adapters.portable.watcher import WatchfilesWatcher
from releve.adapters.private import is_ours, private_store
from releve.adapters.store.approvals import ApprovalFile
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.putback import GiveBack
from releve.apps.guard.config import GuardConfig, NoContain, hash_name, report_bug, say_read_only
from releve.flow.guard.guard import Guard, Parts
from releve.flow.guard.work import Volume
from releve.model.errors import ReleveError
from releve.model.held import Name
from releve.model.lines import Folder, Point
from releve.model.process import Process


class StoreKindError(ReleveError):
    """The store was made by the other mode: its keys mean nothing to this one."""

    status = 16
    remedy = "Name another folder with --store, or run the mode that made this one."

    def __init__(self, store: str) -> None:
        super().__init__(f"{store} holds originals of the other mode (exact or portable).")
        self.store = store


def build_portable(
    config: GuardConfig, folders: Sequence[str], scope: int, say: Callable[[object], None]
) -> tuple[Guard, Callable[[], tuple[Folder, ...]], str]:
    """Wire a portable guard; answers it, what describes its folders, and the store."""
    say_read_only(folders, say)
    clock = SystemClock()
    volumes = _volumes(folders, config, clock)
    differs = [
        Differ(v.keeper, v.keeper.place, Known(v.keeper))  # type: ignore[arg-type]
        for v in volumes
    ]
    probe = _probe(scope)
    evidence = Evidence(probe, folders)
    processes = PortableProcesses(probe, evidence)
    watcher = WatchfilesWatcher(differs, stir=evidence.stir)
    for folder in folders:
        watcher.mark(folder)
    parts = Parts(
        volumes=volumes, watcher=watcher, processes=processes,
        hands=EvidenceHands(processes, _hands(processes, scope)), contain=NoContain(),
        openers=Mapped(evidence), clock=clock, own=frozenset((os.getpid(),)),
        report_bug=report_bug, share=lambda _share: None, comes_first=lambda: None, settle=lambda: None,
        at_terminal=lambda _pid: False,
    )  # fmt: skip
    approvals = ApprovalFile(volumes[0].keeper.store)
    guard = Guard(
        parts, config.limits, say, enforce=config.enforce,
        spare=lambda head: head.exe in config.care_programs,
        approved=lambda head, paths, _authors: _approved(processes, approvals, head, paths),
    )  # fmt: skip
    processes.damaged = guard.originals.damaged
    guard.responder.renew = processes.renew
    guard.responder.proved = processes.proved
    guard.responder.evidence = lambda head: _points(processes, head)
    evidence.start()
    return guard, lambda: _describe(volumes), volumes[0].keeper.store


def _approved(
    processes: PortableProcesses, approvals: ApprovalFile, head: Process, paths: Sequence[str]
) -> str:
    """Approvals name a program: evidence must have named it clearly first."""
    processes.accuse(head)
    found = approvals.covers(head, [_with_file(p) for p in head.tree()], paths, _now())
    if found:
        processes.renew(head)  # the next one under this record is somebody else
    return found


def _with_file(process: Process) -> Process:
    """Which file it runs, as far as that can be told now: nobody told when it was started."""
    for place in (f"/proc/{process.pid}/exe", process.exe):
        try:
            st = os.stat(place)
        except OSError:
            continue
        process.exe_file = (st.st_dev, st.st_ino, st.st_ctime_ns)
        break
    return process


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _probe(scope: int) -> Probe:
    untouchable = _untouchable(scope)
    return ProcProbe(untouchable) if sys.platform == "linux" else PsutilProbe(untouchable)


def _untouchable(scope: int) -> Callable[[int, int, str], bool]:
    """Never accused: pid 1, own ancestors, service managers, other users' programs, who is out of scope."""
    if sys.platform != "linux":
        import psutil

        own = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
        return lambda pid, _uid, _exe: pid in own or pid <= 4  # Windows: 0 idle, 4 the kernel
    from releve.adapters.linux import procfs
    from releve.adapters.linux.lineage import ancestors, is_system_program

    mine, above = os.geteuid(), ancestors()

    def refuse(pid: int, uid: int, exe: str) -> bool:
        if pid in above or pid <= 2 or (mine and uid != mine):
            return True
        if uid == 0 and is_system_program(exe):
            return True
        return bool(scope) and not procfs.is_inside(pid, scope)

    return refuse


def _hands(processes: PortableProcesses, scope: int) -> Inner:
    if hasattr(os, "pidfd_open"):
        from releve.adapters.linux.hands import LinuxHands

        return LinuxHands(processes, scope=scope)
    return PsutilHands(processes)


def _volumes(folders: Sequence[str], config: GuardConfig, clock: SystemClock) -> tuple[Volume, ...]:
    by_device: dict[int, list[str]] = {}
    for folder in folders:
        by_device.setdefault(os.stat(folder).st_dev, []).append(folder)
    found = []
    for number, group in enumerate(by_device.values()):
        place = InodePlace(group[0])
        store = os.path.abspath(config.store) if config.store else portable_store(group[0])
        if config.store and number:
            store = f"{store}-{number}"
        store = private_store(store)
        keeper = Keeper(store, place, clock, full_share=config.limits.full_share, copy=config.copy)
        _claim(keeper)
        for folder in group:
            keeper.add_folder(folder)
        keeper.settle_folders()
        clock.not_before(keeper.index.last_ns())
        place.names_of = _names_of(keeper)
        found.append(Volume(fsid=place.fsid, keeper=keeper, give_back=GiveBack(keeper)))
    return tuple(found)


def _claim(keeper: Keeper) -> None:
    kind = keeper.index.setting("keys")
    used = keeper.index.db.execute("SELECT 1 FROM node LIMIT 1").fetchone() is not None
    if kind != b"inode" and (kind is not None or used):
        raise StoreKindError(keeper.store)
    keeper.index.set_setting("keys", b"inode")


def _names_of(keeper: Keeper) -> Callable[[bytes], list[Name]]:
    def names(key: bytes) -> list[Name]:
        node = keeper.node(key)
        return keeper.names(node.id) if node is not None else []

    return names


def portable_store(folder: str) -> str:
    """Beside the protected folder where we may write there, else among the user's own data."""
    token = format(hash_name(folder), "x")
    above = os.path.dirname(folder)
    same = os.stat(above).st_dev == os.stat(folder).st_dev
    beside = os.path.join(above, f".releve-{token}")
    same = same and (os.geteuid() != 0 or is_ours(above))
    if same and above != folder and (os.access(above, os.W_OK) or os.path.isdir(beside)):
        return beside
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "releve", f"store-{token}")


def _points(processes: PortableProcesses, head: Process) -> tuple[Point, ...]:
    clues, program, clear = processes.clues(head)
    if not clues:
        return ()
    sure_fr = "désigné" if clear else "soupçonné sans certitude, non arrêté"
    sure_en = "named" if clear else "suspected without certainty, not stopped"
    return tuple(
        Point(
            why=f"{program} ({sure_fr}) {clue.why_fr}", why_en=f"{program} ({sure_en}) {clue.why_en}",
            score=clue.points,
        )
        for clue in clues
    )  # fmt: skip


def _describe(volumes: Sequence[Volume]) -> tuple[Folder, ...]:
    found = []
    for volume in volumes:
        keeper = volume.keeper
        for number, path in enumerate(keeper.folders):
            files, size = keeper.counts(number)
            clone = keeper.mode(number) == "reflink"
            found.append(
                Folder(
                    path=path, mode="portable-clone" if clone else "portable-copy",
                    attribution="evidence", room_bytes=keeper.room_bytes(), files=files, held_bytes=size,
                    can=(
                        "garde chaque original" + (" par clone instantané" if clone else " par copie"),
                        "remet contenu, noms, droits et dates, que l'auteur soit connu ou non",
                        "arrête un programme du même utilisateur quand les indices le désignent clairement",
                    ),
                    cannot=(
                        "nommer l'auteur avec certitude : dans le doute, personne n'est arrêté",
                        "voir suppressions et renommages à l'instant même : quelques dizaines de millisecondes après",
                        "voir une écriture par mappage mémoire avant le passage suivant de la ronde",
                        "arrêter un programme d'un autre utilisateur ou une autre machine",
                        "protéger sa réserve de root, ou d'un programme du même utilisateur : pour cela, le coffre",
                    ),
                    can_en=(
                        "holds every original " + ("by an instant clone" if clone else "by a copy"),
                        "brings content, names, rights and dates back, whether the author is known or not",
                        "stops a program of the same user when the evidence names it clearly",
                    ),
                    cannot_en=(
                        "name the author for certain: in doubt nobody is stopped",
                        "see deletions and renames at that very moment: some tens of milliseconds later",
                        "see a write through a memory map before the next round",
                        "stop a program of another user, or another machine",
                        "protect its store from root, or from a program of the same user: the vault is for that",
                    ),
                )
            )  # fmt: skip
    return tuple(found)
