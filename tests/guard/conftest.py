"""File systems of the guard's tests: loop images mounted privately, always taken down again."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guard.ground import Ground, using

_MAKERS = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1"),
    "ext4-tiny": ("mkfs.ext4", "-q", "-F", "-N", "128", "-m", "0", "-O", "^has_journal"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "btrfs-tiny": ("mkfs.btrfs", "-q", "-f"),
}
_MIB = {"ext4": 192, "ext4-tiny": 16, "xfs": 320, "btrfs": 256, "btrfs-tiny": 128}


def run(*words: str | Path) -> str:
    """Stdout of a tool that must succeed."""
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="session")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """A function: kind of file system -> a place on it; one image per kind and session."""
    base = tmp_path_factory.mktemp("images")
    made: dict[str, Path] = {}

    def mount(kind: str) -> Path:
        name = (
            f"{kind}-{len(made)}" if kind.endswith("-tiny") else kind
        )  # what a test fills is its own
        if name not in made:
            image, target = base / f"{name}.img", base / name
            with image.open("wb") as file:
                file.truncate(_MIB[kind] << 20)
            run(*_MAKERS[kind], image)
            target.mkdir()
            # The mount holds the loop device: taking it down gives the device back.
            run("mount", "-o", "loop,noatime", image, target)
            made[name] = target
        return made[name]

    yield mount
    for target in made.values():
        subprocess.run(["umount", "-l", str(target)], check=False, timeout=60)


@pytest.fixture
def on(
    mounted: Callable[[str], Path], need: Callable[..., None], request: pytest.FixtureRequest
) -> Callable[[str], Path]:
    """A function: kind -> a fresh folder on that file system."""

    def fresh(kind: str) -> Path:
        need("loop")
        need(*{"xfs", "btrfs"} & {kind.partition("-")[0]})
        name = "".join(letter if letter.isalnum() else "-" for letter in request.node.nodeid)[-80:]
        folder = mounted(kind) / name
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    return fresh


@pytest.fixture
def ground_on(on: Callable[[str], Path], tmp_path: Path) -> Iterator[Callable[[str], Ground]]:
    """A function: kind of file system -> a share with its store, guards and attackers on it."""
    open_: list[Iterator[Ground]] = []

    def make(kind: str) -> Ground:
        steps = using(on(kind), tmp_path)
        open_.append(steps)
        return next(steps)

    yield make
    for steps in open_:
        next(steps, None)
