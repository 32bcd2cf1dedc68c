"""The file systems at hand: images by loop for ext4, xfs and btrfs, or a plain folder without the rights."""

import shutil
import subprocess
from pathlib import Path

import msgspec

from releve.apps.simulate.ledger import Ledger

GIB = 1 << 30
_MAKERS: dict[str, tuple[str, ...]] = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    # Few inodes on purpose: what an attack that eats them all meets.
    "ext4-inodes": ("mkfs.ext4", "-q", "-F", "-N", "7000"),
}
FILE_SYSTEMS = ("ext4", "xfs", "btrfs")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One mounted file system (or folder) of this run."""

    fs: str  # as results name it
    root: Path  # private to the run
    loop: bool
    direct_io: bool = False


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """A file system that could not be shown here, and why (French)."""

    fs: str
    why: str


def mount_image(ledger: Ledger, fs: str, *, size: int = 3 * GIB) -> Place | Unavailable:
    """Make a sparse image and mount it in the run's own folder."""
    maker = _MAKERS[fs]
    if shutil.which(maker[0]) is None or shutil.which("losetup") is None:
        return Unavailable(fs=fs, why=f"{maker[0]} manque")
    image, target = ledger.folder / f"{fs}.img", ledger.folder / fs
    image.touch(mode=0o600)
    with image.open("wb") as made:
        made.truncate(size)
    done = _run(*maker, str(image))
    if done:
        return Unavailable(fs=fs, why=done)
    ledger.note("loop", str(image))
    device, direct = _attach(image)
    if not device:
        return Unavailable(fs=fs, why="aucun périphérique loop")
    target.mkdir()
    ledger.note("mount", str(target))
    failed = _run("mount", "-o", "noatime", device, str(target))
    if failed:
        return Unavailable(fs=fs, why=failed)
    target.chmod(0o755)
    return Place(fs=fs, root=target, loop=True, direct_io=direct)


def _attach(image: Path) -> tuple[str, bool]:
    """Direct I/O where the disk below allows it: else the host's cache counts twice."""
    for direct in (True, False):
        words = [
            "losetup",
            "--find",
            "--show",
            f"--direct-io={'on' if direct else 'off'}",
            str(image),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip(), direct
    return "", False


def _run(*words: str) -> str:
    """Empty if it worked, else the last line of what the tool said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[-1] if said else f"{words[0]}: statut {done.returncode}"


def plain_folder(ledger: Ledger) -> Place:
    """A folder on whatever file system holds it: all that an ordinary user has."""
    folder = ledger.folder / "dossier"
    folder.mkdir(mode=0o755)
    return Place(fs=kind_of(folder), root=folder, loop=False)


def kind_of(path: Path) -> str:
    """Name of the file system that holds the path (as the mount table says)."""
    best, kind = "", "?"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, point, name, *_ = line.split()
        if str(path).startswith(point.replace("\\040", " ")) and len(point) >= len(best):
            best, kind = point, name
    return kind


def can_mount() -> bool:
    """Whether this process may make its own mounts and loop devices: asked by trying, not by uid."""
    if shutil.which("unshare") is None or not Path("/dev/loop-control").exists():
        return False
    tried = ("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt")
    done = subprocess.run(tried, capture_output=True, check=False)
    return done.returncode == 0


def namespace_words() -> tuple[str, ...]:
    """The words that shut attackers into their own PID namespace; empty where the host refuses."""
    inside = ("--pid", "--fork", "--mount", "--kill-child", "--mount-proc")
    for words in (("unshare", *inside), ("unshare", "--user", "--map-root-user", *inside)):
        if shutil.which("unshare") is None:
            return ()
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return ()
