"""What a share holds, before and after: content, names, owner, mode, mtime, ACL, extended attributes, links."""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from releve.apps.simulate.mark import MARK

_PIECE = 1 << 20
WINDOW_NS = 2_000_000_000  # what is promised where originals are held by copy
NOTE = "saisie pendant l’attaque"  # of the visits that are entered during an attack


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One name as it is on disk. Of folders the time does not count: every save inside moves it."""

    kind: str  # "file", "folder", "link"
    digest: str = ""  # of a file's content, or a link's target
    size: int = 0
    mode: int = 0
    owner: tuple[int, int] = (0, 0)
    mtime_ns: int = 0
    attributes: tuple[tuple[str, bytes], ...] = ()
    inode: int = 0  # names of one file share it


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the attack and its companions wrote down themselves."""

    touched: frozenset[str] = frozenset()  # names inside or outside the share
    saved: dict[str, tuple[str, ...]] = {}  # honest versions, oldest first (digests)
    settled: dict[str, int] = {}  # how many of these were older than the window at the first touch
    own: tuple[str, ...] = ()  # folders of somebody's own new files
    committed: dict[str, int] = {}  # databases in use: how many commits were acknowledged


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is not as it was."""

    lost: tuple[str, ...] = ()  # content older than the window, not as before
    newest_save_lost: tuple[str, ...] = ()  # an older honest version stands there
    wrong: tuple[str, ...] = ()  # metadata that differs, leftovers: sentences


def take(share: Path) -> dict[str, Entry]:
    """Read the whole share. Names that are no UTF-8 are kept by surrogate escapes."""
    found: dict[str, Entry] = {}
    for folder, inside, names in os.walk(share):
        inside[:] = [name for name in inside if not name.startswith(".releve")]
        for name in (*inside, *names):
            if name != MARK:
                path = Path(folder, name)
                found[str(path.relative_to(share))] = _entry(path)
    return found


def _entry(path: Path) -> Entry:
    seen = path.lstat()
    if path.is_symlink():
        return Entry(kind="link", digest=str(path.readlink()), owner=(seen.st_uid, seen.st_gid))
    attributes = tuple(sorted((name, os.getxattr(path, name)) for name in os.listxattr(path)))
    folder = path.is_dir()
    return Entry(
        kind="folder" if folder else "file",
        digest="" if folder else _digest(path),
        size=0 if folder else seen.st_size,
        mode=seen.st_mode & 0o7777,
        owner=(seen.st_uid, seen.st_gid),
        mtime_ns=0 if folder else seen.st_mtime_ns,
        attributes=attributes,
        inode=seen.st_ino,
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read_log(file: Path) -> Log:
    """The log that `Field` writes; a missing one is empty."""
    touched: dict[str, int] = {}
    saved: dict[str, list[tuple[int, str]]] = {}
    own: list[str] = []
    committed: dict[str, int] = {}
    lines = file.read_bytes().split(b"\n") if file.exists() else []
    for line in lines:
        kind, _, rest = line.partition(b" ")
        if kind == b"T":
            moment, _, name = rest.partition(b" ")
            touched.setdefault(os.fsdecode(name), int(moment))
        elif kind == b"O":
            own.append(os.fsdecode(rest))
        elif kind == b"C":
            number, _, name = rest.partition(b" ")
            committed[os.fsdecode(name)] = int(number)
        elif kind == b"S":
            digest, moment, name = rest.split(b" ", 2)
            saved.setdefault(os.fsdecode(name), []).append((int(moment), digest.decode()))
    return Log(
        touched=frozenset(touched),
        saved={name: tuple(digest for _, digest in saves) for name, saves in saved.items()},
        settled={
            name: sum(moment < touched[name] - WINDOW_NS for moment, _ in saves)
            for name, saves in saved.items()
            if name in touched
        },
        own=tuple(own),
        committed=committed,
    )


def compare(
    before: dict[str, Entry], after: dict[str, Entry], log: Log, *, kept: Iterable[str] = ()
) -> Verdict:
    """Judge the share after the rollback; `kept` are copies that the guard says it laid beside."""
    lost: list[str] = []
    newest: list[str] = []
    wrong: list[str] = []
    log = _through_links(before, log)
    for name, old in before.items():
        new = after.get(name)
        if name in log.committed and new is not None:
            continue  # it changed rightly all the time: `database_verdict` looks inside
        if name in log.saved or new is None or (new.kind, new.digest) != (old.kind, old.digest):
            _judge_content(name, old, new, log, (lost, newest, wrong))
        if new is not None and new.kind == old.kind:
            wrong += _metadata(name, old, new, honest=name in log.saved)
    wrong += _torn_links(before, after)
    beside = set(kept)
    for name in after.keys() - before.keys():
        if name not in beside and not any(Path(name).is_relative_to(own) for own in log.own):
            wrong.append(f"{name}: de trop")
    return Verdict(lost=tuple(lost), newest_save_lost=tuple(newest), wrong=tuple(wrong))


def database_verdict(share: Path, log: Log) -> Verdict:
    """Databases in use are judged by what is in them: sound, and every acknowledged commit there."""
    lost, newest = [], []
    for name, commits in log.committed.items():
        try:
            with contextlib.closing(sqlite3.connect(share / name)) as db:
                sound = db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
                count = "SELECT count(*) FROM visite WHERE note = ?"
                (found,) = db.execute(count, (NOTE,)).fetchone()
        except sqlite3.DatabaseError:
            sound, found = False, 0
        if not sound:
            lost.append(name)
        elif found < commits:
            newest.append(name)
    return Verdict(
        lost=tuple(lost),
        newest_save_lost=tuple(newest),
        wrong=tuple(f"{name}: base abîmée" for name in lost),
    )


def _judge_content(
    name: str, old: Entry, new: Entry | None, log: Log, into: tuple[list[str], list[str], list[str]]
) -> None:
    lost, newest, wrong = into
    versions = (old.digest, *log.saved.get(name, ()))
    if new is not None and new.digest == versions[-1]:
        return  # the newest honest version stands
    if new is not None and new.digest in versions[log.settled.get(name, 0) :]:
        newest.append(name)
    elif old.kind == "file":
        lost.append(name)
        now = "absent" if new is None else f"{new.size} octets"
        wrong.append(f"{name}: perdu ({now} au lieu de {old.size})")
    else:
        wrong.append(f"{name}: {'absent' if new is None else 'autre contenu'}")


def _metadata(name: str, old: Entry, new: Entry, *, honest: bool) -> list[str]:
    """Differences as sentences; an honest save moves the time rightly, and Samba then adds its own."""
    found = []
    if old.mode != new.mode:
        found.append(f"{name}: mode {new.mode:04o} au lieu de {old.mode:04o}")
    if old.owner != new.owner:
        found.append(f"{name}: propriétaire {new.owner} au lieu de {old.owner}")
    if old.mtime_ns != new.mtime_ns and not honest:
        found.append(f"{name}: date de modification changée")
    if old.attributes != new.attributes and not honest:
        found.append(f"{name}: ACL ou attributs étendus changés")
    return found


def _through_links(before: dict[str, Entry], log: Log) -> Log:
    """A save under one name of a file is a save of all its names."""
    saved: dict[int, tuple[str, ...]] = {}
    for name, versions in log.saved.items():
        if name in before:
            inode = before[name].inode
            saved[inode] = (*saved.get(inode, ()), *versions)
    names = {name: saved[entry.inode] for name, entry in before.items() if entry.inode in saved}
    return msgspec.structs.replace(log, saved={**log.saved, **names})


def _torn_links(before: dict[str, Entry], after: dict[str, Entry]) -> list[str]:
    """Names that were one file and no longer are."""
    groups: dict[int, list[str]] = {}
    for name, entry in before.items():
        if entry.kind == "file":
            groups.setdefault(entry.inode, []).append(name)
    return [
        f"{names[0]}: n'est plus le même fichier que {names[1]}"
        for names in groups.values()
        if len(names) > 1 and len({after[name].inode for name in names if name in after}) > 1
    ]
