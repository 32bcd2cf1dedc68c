"""Which folder may be shared, and how people get the right to write in it."""

import grp
import os
import re
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from releve.apps.box.errors import (
    FolderAccessError,
    SambaRefusedError,
    ShareNameError,
    UnsuitableFolderError,
)
from releve.apps.box.smbconf import Share

SHARE_GROUP = "releve-share"
_NAME = re.compile(r"\w[\w -]{0,28}\w|\w")
# Names that Samba or Windows give a meaning of their own.
_RESERVED = frozenset({"global", "homes", "printers", "print$", "ipc$", "admin$", "netlogon"})
_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin"),
    *("/sys", "/usr", "/var/cache", "/var/lib/dpkg", "/var/lib/samba", "/var/log", "/var/spool"),
)
# Parents of people's folders: a folder in them may be shared, they themselves not.
_PARENTS = frozenset(
    {"/", "/home", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var", "/var/lib"}  # noqa: S108
)
# The guard needs a local disk that lasts: it cannot hold originals of what lives elsewhere.
_ELSEWHERE = frozenset({"cifs", "smb3", "nfs", "nfs4", "tmpfs", "ramfs", "proc", "sysfs", "9p"})


def check_name(name: str) -> None:
    """Refuse what some client could not show.

    Raises: ShareNameError.
    """
    if not _NAME.fullmatch(name):
        raise ShareNameError(name)
    if name.lower() in _RESERVED:
        raise ShareNameError(name, "Samba gives this name a meaning of its own")


def check_folder(path: Path, home: Path, shares: Iterable[Share]) -> Path:
    """The real path, if it is fit to be shared.

    Raises: UnsuitableFolderError.
    """
    if not path.is_dir():
        raise UnsuitableFolderError(path, "it is not a folder")
    real = path.resolve()
    why = _unfit(real) or _overlap(real, home, shares) or _shut(real)
    if why:
        raise UnsuitableFolderError(real, why)
    return real


def _unfit(real: Path) -> str:
    text = str(real)
    # % starts a substitution in smb.conf, and " or a line end would end the word.
    if any(not c.isprintable() or c in '%"\\' for c in text) or text != text.strip():
        return "its name holds a character that the file server cannot take"
    if text in _PARENTS:
        return "it holds more than one thing: share a folder inside it"
    if any(real.is_relative_to(system) for system in _SYSTEM):
        return "it belongs to the system"
    kind = _file_system(real)
    if kind in _ELSEWHERE or kind.startswith("fuse"):
        return f"it is not on a local disk but on {kind}"
    return ""


def _shut(real: Path) -> str:
    """A parent folder that people cannot pass through hides all below it."""
    for parent in real.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            return f"people cannot pass through {parent} (chmod o+x {parent})"
    return ""


def _overlap(real: Path, home: Path, shares: Iterable[Share]) -> str:
    if real.is_relative_to(home) or home.is_relative_to(real):
        return "the box keeps its own state there"
    for share in shares:
        if real == Path(share.path):
            return f"it is already shared as {share.name}"
        if real.is_relative_to(share.path) or Path(share.path).is_relative_to(real):
            return f"it overlaps the share {share.name}"
    return ""


def _file_system(real: Path) -> str:
    # mountinfo(5): id parent major:minor root POINT options [fields] - TYPE source options
    found, longest = "", -1
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = _unescape(line.split(" ")[4])
        # Of two mounts on one point the later hides the earlier, hence >=.
        if real.is_relative_to(point) and len(point) >= longest:
            found, longest = line.partition(" - ")[2].split(" ")[0], len(point)
    return found


def _unescape(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)


def group_of(folder: Path) -> str:
    """The name of the group whose members may write in the folder.

    Raises: FolderAccessError.
    """
    status = folder.stat()
    if status.st_gid == 0 or status.st_mode & stat.S_IRWXG != stat.S_IRWXG:
        raise FolderAccessError(folder)
    try:
        return grp.getgrgid(status.st_gid).gr_name
    except KeyError as error:
        raise FolderAccessError(folder) from error


def prepare(folder: Path) -> None:
    """Give the folder and all below it to the share's group, to read and write; owners stay.

    Raises: SambaRefusedError when the group cannot be made.
    """
    try:
        gid = grp.getgrnam(SHARE_GROUP).gr_gid
    except KeyError:
        ran = subprocess.run(
            ["groupadd", "--system", SHARE_GROUP], capture_output=True, text=True, check=False
        )
        if ran.returncode != 0:
            raise SambaRefusedError("groupadd", ran.stderr.strip()) from None
        gid = grp.getgrnam(SHARE_GROUP).gr_gid
    for _, _, names, here in os.fwalk(folder, follow_symlinks=False):
        _give(".", gid, here)
        for name in names:
            _give(name, gid, here)


def _give(name: str, gid: int, directory: int) -> None:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        extra = 0o2070  # new files inherit the group
    elif stat.S_ISREG(status.st_mode):
        extra = 0o060
    else:
        return
    if status.st_gid != gid:
        os.chown(name, -1, gid, dir_fd=directory, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if mode & extra != extra:
        os.chmod(name, mode | extra, dir_fd=directory)
