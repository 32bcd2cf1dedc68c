"""Small tools of the honest workloads: pick inputs, copy them into an area, run a program, make a row."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from releve.apps.simulate.profile import Workload

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def pick(share: Path, suffix: str, count: int) -> list[Path]:
    """The first files of that suffix in the order of their names, again from the start if there are too few."""
    found = sorted(
        path
        for path in share.rglob(f"*{suffix}")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o200
    )
    if not found:
        raise FileNotFoundError(f"no {suffix} in {share}")
    return [found[k % len(found)] for k in range(count)]


def copy_in(area: Path, share: Path, suffix: str, count: int, folder: str = "") -> None:
    """Put copies under plain numbered names into the area."""
    target = area / folder
    target.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(pick(share, suffix, count)):
        shutil.copy2(path, target / f"{number:04d} {path.stem[:40]}{suffix}")


def tool(*words: str | Path, cwd: Path | None = None, stdin: bytes | None = None) -> bytes:
    """Run a program; what it says on failure is the error.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    home = str(cwd or "/tmp")  # noqa: S108
    environment = {"PATH": PATH, "HOME": home, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, input=stdin, capture_output=True, check=True, env=environment
    )  # fmt: skip
    return done.stdout


def replace(path: Path, content: bytes) -> None:
    """Save as careful programs do: beside, flushed, renamed over, mode kept."""
    made = path.with_name(f".{path.name}.tmp")
    with made.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    made.chmod(path.stat().st_mode & 0o7777)
    made.replace(path)


def copying(*wanted: tuple[str, int]) -> Callable[[Path, Path], None]:
    """A `prepare` that copies so many files of each suffix."""

    def prepare(area: Path, share: Path) -> None:
        for suffix, count in wanted:
            copy_in(area, share, suffix, count)

    return prepare


def files(area: Path, suffix: str) -> list[Path]:
    """The area's own files of that suffix, sorted."""
    return sorted(path for path in area.rglob(f"*{suffix}") if path.is_file())


def row(
    name: str,
    titles: tuple[str, str],
    prepare: Callable[[Path, Path], None],
    act: Callable[[Path], None],
    *,
    held_out: bool,
    needs: Sequence[str] = (),
    wanted_stop: bool = False,
    as_root: bool = False,
) -> Workload:
    """One row of a list."""
    return Workload(
        name=name, title=titles[0], title_en=titles[1], prepare=prepare, act=act, held_out=held_out,
        needs=tuple(needs), wanted_stop=wanted_stop, as_root=as_root,
    )  # fmt: skip
