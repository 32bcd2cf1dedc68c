"""Run by itself, as root in a mount namespace of its own: what comes after it sees programs, fonts and what is named.

    python -I shut.py FOLDER ... [+FOLDER ...] -- COMMAND ...

The whole tree is left for an empty one in memory, into which the system's programs and the named
folders are put, to be read only; what is named with a + may be written to. So there is no socket of
another program to talk to, no process in /proc but those of its own namespace, no other folder to
write to; and who sits in such a tree cannot make a user namespace.
"""

import ctypes
import os
import sys
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/fonts", "/etc/alternatives")
_FILES = ("/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/var/cache/fontconfig")
_WRITABLE = "+"
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_EXEC, _REMOUNT, _BIND = 1, 2, 4, 8, 32, 4096  # mount(2)
_ROOT = Path("/mnt")  # hidden for nobody but ourselves: this namespace ends with the command
_libc = ctypes.CDLL(None, use_errno=True)


def shut(folders: list[str]) -> None:
    """Leave for the small tree. Raises: OSError."""
    writable = {word[1:] for word in folders if word.startswith(_WRITABLE)}
    plain = [word.removeprefix(_WRITABLE) for word in folders]
    named = [place for folder in plain for place in (folder, os.path.realpath(folder))]
    found = dict.fromkeys(place for place in (*_SYSTEM, *_FILES, *named) if Path(place).exists())
    # Opened before anything hides them; what lies inside another one comes with it.
    held = {
        place: os.open(place, os.O_PATH | os.O_CLOEXEC)
        for place in found
        if not any(place.startswith(f"{other}/") for other in found)
    }
    _mount("tmpfs", str(_ROOT), "tmpfs", _NO_SETUID, "mode=755,size=64k")
    for place, descriptor in held.items():
        target = _ROOT / place.lstrip("/")
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if Path(place).is_dir():
            target.mkdir(mode=0o755)
        else:
            target.touch(mode=0o644)
        _mount(f"/proc/self/fd/{descriptor}", str(target), "", _BIND, "")
        kept = 0 if place in writable else _READ_ONLY
        _mount("", str(target), "", _BIND | _REMOUNT | kept | _NO_SETUID, "")
    (_ROOT / "proc").mkdir(mode=0o755)  # a program finds libraries of its own by /proc/self/exe
    _mount(
        "proc", str(_ROOT / "proc"), "proc", _READ_ONLY | _NO_SETUID | _NO_DEVICES | _NO_EXEC, ""
    )
    _mount("", str(_ROOT), "", _REMOUNT | _READ_ONLY | _NO_SETUID, "mode=755,size=64k")
    os.chroot(_ROOT)
    os.chdir("/")


def _mount(source: str, target: str, kind: str, flags: int, words: str) -> None:
    said = [text.encode() if text else None for text in (source, target, kind)]
    if _libc.mount(*said, ctypes.c_ulong(flags), words.encode() if words else None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


if __name__ == "__main__":
    at = sys.argv.index("--")
    shut(sys.argv[1:at])
    os.execvp(sys.argv[at + 1], sys.argv[at + 1 :])  # noqa: S606 (no shell is meant)
