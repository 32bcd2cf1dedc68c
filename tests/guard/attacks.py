"""Attacks and honest work that the tests start inside the attackers' namespace. Standard library only.

Every one refuses a folder without the simulation's mark.
"""

# It runs without site packages, and every system call is to be seen.
# ruff: noqa: PTH103, PTH104, PTH105, PTH108, PTH110, PTH112, PTH113, PTH114, PTH116, PTH118, PTH123, PTH202, PTH208

import mmap
import os
import random
import shutil
import signal
import sys
import threading
import time

MARK = ".releve-simulation"


def files(share: str) -> list[str]:
    """Every regular file of a marked share, in a fixed order."""
    if not os.path.isfile(os.path.join(share, MARK)):
        sys.exit("no mark: refused")
    found = []
    for folder, _, names in sorted(os.walk(share)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name != MARK and os.path.isfile(path) and not os.path.islink(path):
                found.append(path)
    return found


def inplace(share: str, pause: str = "0", most: str = "0") -> None:
    """Overwrite every file with random bytes, where it stands."""
    paths = files(share)
    for path in paths[: int(most) or None]:
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))
        time.sleep(float(pause))


def stamp(share: str, added: str, note: str) -> None:
    """As ransomware does: an encrypted file under a longer name, the original gone, a note in each folder."""
    for path in files(share):
        with open(path, "rb") as file:
            size = len(file.read())
        with open(path + added, "wb") as file:
            file.write(os.urandom(size))
        os.unlink(path)
        left = os.path.join(path.rpartition("/")[0], note)
        if not os.path.exists(left):
            with open(left, "w", encoding="utf-8") as file:
                file.write("Vos fichiers sont chiffrés.\n")
        time.sleep(0.001)


def halves(share: str) -> None:
    """Change a byte, wait for as long as a look takes, destroy the rest: one tick of the clock for all."""
    for path in files(share):
        size = os.path.getsize(path)
        with open(path, "r+b", buffering=0) as file:
            first = file.read(1)
            file.seek(0)
            file.write(first)
            until = time.monotonic() + 0.0015
            while time.monotonic() < until:
                pass
            file.seek(0)
            file.write(os.urandom(size))


def led(share: str, talk: str) -> None:
    """Overwrite file by file; after each an accomplice is asked to do what covers it."""
    paths = [path for path in files(share) if os.path.getsize(path)]
    with (
        open(talk + ".go", "w", encoding="utf-8") as go,
        open(talk + ".ok", "rb", buffering=0) as ok,
    ):
        for path in paths:
            with open(path, "r+b") as file:
                file.write(os.urandom(os.path.getsize(path)))
            print(path, file=go, flush=True)
            ok.read(1)
            time.sleep(0.01)


def follow(share: str, talk: str, how: str) -> None:
    """The accomplice: opens each file for writing and closes it, writes a byte, or sets its times."""
    files(share)
    with open(talk + ".go", encoding="utf-8") as go, open(talk + ".ok", "wb", buffering=0) as ok:
        for line in go:
            path = line.rstrip("\n")
            if how == "touch":
                os.close(os.open(path, os.O_WRONLY))
            elif how == "utime":
                os.utime(path)
            else:
                with open(path, "r+b", buffering=0) as file:
                    first = file.read(1)
                    file.seek(0)
                    file.write(first)
            ok.write(b".")


def renamer(share: str, count: str) -> None:
    """Give one file of its own many names, then overwrite the others."""
    others = files(share)
    old = os.path.join(share, "vide", "a" * 200)
    os.mknod(old)
    for number in range(int(count)):
        new = os.path.join(share, "vide", f"{number:08d}" + "b" * 200)
        os.rename(old, new)
        old = new
    for path in others:
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))
        time.sleep(0.002)


def eat_inodes(share: str, pause: str = "0") -> None:
    """Make empty files until there is no inode left, then overwrite."""
    files(share)
    fill = os.path.join(share, "plein")
    os.makedirs(fill)
    try:
        for number in range(100_000):
            os.mknod(os.path.join(fill, str(number)))
    except OSError:
        inplace(share, pause)


def eat_blocks(share: str, pause: str = "0") -> None:
    """Write until there is no block left, then overwrite; go on where the disk refuses even that."""
    victims = files(share)
    fill = os.open(os.path.join(share, "plein"), os.O_WRONLY | os.O_CREAT)
    piece = 1 << 20
    while piece >= 512:
        try:
            os.write(fill, os.urandom(piece))
        except OSError:
            piece //= 2
    os.fsync(fill)
    for path in victims:
        try:
            with open(path, "r+b", buffering=0) as file:
                file.write(os.urandom(os.path.getsize(path)))
        except OSError:
            os.truncate(path, 0)
        time.sleep(float(pause))


def woken(share: str) -> None:
    """Delete, and once that is frozen and undone, have somebody wake it to overwrite what came back."""
    child = os.fork()
    if child:
        until = time.monotonic() + 20
        while time.monotonic() < until and not os.waitpid(child, os.WNOHANG)[0]:
            os.kill(child, signal.SIGCONT)
            time.sleep(0.02)
        return
    paths = files(share)
    for path in paths:
        os.unlink(path)
        time.sleep(0.005)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        time.sleep(0.01)
    for path in paths:
        if os.path.exists(path):
            with open(path, "r+b") as file:
                file.write(os.urandom(os.path.getsize(path)))
    os._exit(0)


def headless(share: str, how: str) -> None:
    """A thread works on after the program's first thread has ended: on paper nobody is left."""

    def work() -> None:
        time.sleep(0.3)
        inplace(share) if how == "destroy" else touch_up(share)
        os._exit(0)

    threading.Thread(target=work).start()
    number = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
    from ctypes import CDLL

    CDLL(None).syscall(number, 0)  # exit(2) of this thread alone


def spawner(share: str, fifo: str) -> None:
    """A decoy ruins a file and then waits inside vfork(2), where no signal stops it; a second one attacks."""
    paths = [path for path in files(share) if os.path.getsize(path)]
    if not os.fork():
        with open(paths[0], "r+b") as file:
            file.write(os.urandom(os.path.getsize(paths[0])))
        # The child of vfork opens it before it runs anything, and waits for a writer who never comes.
        waits = [(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)]
        os.posix_spawn("/bin/true", ["true"], {}, file_actions=waits)
        os._exit(0)
    time.sleep(0.01)
    for path in paths[1:]:
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))


def remove_folders(share: str, whole: str = "") -> None:
    """Take every folder away with all that lies in it, or the share itself."""
    files(share)
    for top in [share] if whole else os.listdir(share):
        shutil.rmtree(os.path.join(share, top), ignore_errors=True)
    time.sleep(1)


def rename(share: str, pause: str = "0") -> None:
    """Encrypt in place, then give the file another name."""
    for path in files(share):
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))
        os.rename(path, path + ".locked")
        time.sleep(float(pause))


def beside(share: str, pause: str = "0", most: str = "0") -> None:
    """Write the ciphertext into a new file, delete the original."""
    for path in [p for p in files(share) if os.path.getsize(p)][: int(most) or None]:
        with open(path + ".enc", "wb") as file:
            file.write(b"CRYPT" + os.urandom(os.path.getsize(path)))
        os.unlink(path)
        time.sleep(float(pause))


def replace(share: str, pause: str = "0") -> None:
    """Write the ciphertext beside and rename it over the original."""
    for path in files(share):
        with open(path + ".tmp", "wb") as file:
            file.write(os.urandom(os.path.getsize(path)))
        os.replace(path + ".tmp", path)
        time.sleep(float(pause))


def perfile(share: str) -> None:
    """One process per file."""
    for path in files(share):
        child = os.fork()
        if not child:
            with open(path, "r+b") as file:
                file.write(os.urandom(os.path.getsize(path)))
            os._exit(0)
        os.waitpid(child, 0)


def wipe(share: str, pause: str = "0") -> None:
    """Delete everything."""
    for path in files(share):
        os.unlink(path)
        time.sleep(float(pause))


def mapped(share: str) -> None:
    """Map every file, close it, encrypt through the mapping, and stay."""
    kept = []
    for path in files(share):
        if os.path.getsize(path):
            with open(path, "r+b") as file:
                kept.append(mmap.mmap(file.fileno(), 0))
    for area in kept:
        area[:] = os.urandom(len(area))
    time.sleep(30)


def alias(share: str, outside: str) -> None:
    """Link every file into a folder outside and encrypt it there."""
    os.makedirs(outside, exist_ok=True)
    for number, path in enumerate(files(share)):
        other = os.path.join(outside, str(number))
        os.link(path, other)
        with open(other, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))
        os.unlink(other)


def moved(share: str, outside: str) -> None:
    """Move folders out, encrypt their files there, move them back."""
    os.makedirs(outside, exist_ok=True)
    files(share)
    for name in sorted(os.listdir(share)):
        folder = os.path.join(share, name)
        if os.path.islink(folder) or not os.path.isdir(folder) or not os.listdir(folder):
            continue
        away = os.path.join(outside, name)
        os.rename(folder, away)
        for inner, _, names in os.walk(away):
            for one in names:
                path = os.path.join(inner, one)
                with open(path, "r+b") as file:
                    file.write(os.urandom(os.path.getsize(path)))
        os.rename(away, folder)


def utime(share: str) -> None:
    """Encrypt in place and set the old times again."""
    for path in files(share):
        st = os.stat(path)
        with open(path, "r+b") as file:
            file.write(os.urandom(st.st_size))
        os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def mixed(share: str, seed: str, mark: str, pause: str = "0.02") -> None:
    """One of the ways above at random for each file, with pauses: for kill -9 at any moment.

    `mark` is a file outside the share, made just before the first write.
    """
    chance = random.Random(int(seed))
    paths = [path for path in files(share) if os.path.getsize(path)]
    with open(mark, "wb"):
        pass
    for path in paths:
        size = os.path.getsize(path)
        way = chance.randrange(4)
        if way == 0:
            with open(path, "r+b") as file:
                file.write(os.urandom(size))
        elif way == 1:
            with open(path + ".enc", "wb") as file:
                file.write(os.urandom(size + 64))
            os.unlink(path)
        elif way == 2:
            with open(path, "r+b") as file:
                file.write(os.urandom(size))
            os.rename(path, path + ".locked")
        else:
            with open(path + "~", "wb") as file:
                file.write(os.urandom(size))
            os.replace(path + "~", path)
        time.sleep(chance.random() * float(pause))


def edits(share: str, name: str, count: str, pause: str = "0.02") -> None:
    """Honest work: grow one text again and again, the way an editor saves in place."""
    path = os.path.join(share, name)
    files(share)
    for number in range(int(count)):
        with open(path, "ab") as file:
            file.write(f"ligne {number} ajoutée par le secrétariat\n".encode())
        time.sleep(float(pause))


def touch_up(share: str) -> None:
    """Honest work: a line more in every text, one after the other without a pause."""
    for path in files(share):
        if path.endswith(".txt"):
            with open(path, "r+b") as file:
                text = file.read()
                file.seek(0)
                file.write(text + b"\nRelu.\n")


def flood(share: str, outside: str, count: str) -> None:
    """Make many empty files in a folder outside the share: notifications of the same file system."""
    files(share)
    for number in range(int(count)):
        os.mknod(os.path.join(outside, str(number)))


def idle(_share: str) -> None:
    time.sleep(60)


if __name__ == "__main__":
    while (awaited := os.environ.get("AWAITED")) and not os.path.exists(awaited):
        time.sleep(0.001)
    globals()[sys.argv[1]](*sys.argv[2:])
