"""Real namespaces, real Samba, real nftables; everything named rlv-, everything taken away."""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.apps.box.host import DEAD_MAN, RECORD


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


class Net:
    """Namespaces on one bridge: `host` (to be cut), `server`, `other`."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(3)
        self.prefix = f"10.{secrets.randbelow(40) + 140}.{secrets.randbelow(250)}"
        self.names = ("host", "server", "other")
        self._running: list[subprocess.Popen[str]] = []

    def ns(self, name: str) -> str:
        return f"rlv-{self.id}-{name}"

    def address(self, name: str) -> str:
        return f"{self.prefix}.{10 + self.names.index(name)}"

    def six(self, name: str) -> str:
        return f"fd99:{self.id[:4]}::{10 + self.names.index(name)}"

    def up(self) -> None:
        hub = self.ns("hub")
        ip("netns", "add", hub)
        ip("-n", hub, "link", "add", "br0", "type", "bridge")
        ip("-n", hub, "link", "set", "br0", "up")
        for name in self.names:
            space = self.ns(name)
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
            ends = ["type", "veth", "peer", "name", "eth0", "netns", space]
            ip("-n", hub, "link", "add", f"p-{name}", *ends)
            ip("-n", hub, "link", "set", f"p-{name}", "master", "br0", "up")
            ip("-n", space, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            ip("-n", space, "addr", "add", f"{self.six(name)}/64", "dev", "eth0", "nodad")
            ip("-n", space, "link", "set", "eth0", "up")

    def python(self, name: str, code: str, *words: str) -> subprocess.Popen[str]:
        """Start a small program on a machine; it says a first line when it is ready."""
        command = ["ip", "netns", "exec", self.ns(name), sys.executable, "-uc", code, *words]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def nft(self, name: str) -> str:
        command = ["ip", "netns", "exec", self.ns(name), "nft", "list", "ruleset"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def down(self) -> None:
        for process in self._running:  # only our own children
            process.kill()
            process.wait(timeout=10)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        for name in (*self.names, "hub"):
            subprocess.run(["ip", "netns", "del", self.ns(name)], capture_output=True, check=False)


@pytest.fixture
def net(need: Callable[..., None]) -> Iterator[Net]:
    need("nftables", "ip", "unshare")
    made = Net()
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A box's home; at the end no isolation's tidying process is left waiting for its hour."""
    made = tmp_path / "box"
    yield made
    (made / RECORD).unlink(missing_ok=True)
    until = time.monotonic() + 10
    while (made / DEAD_MAN).exists() and time.monotonic() < until:
        time.sleep(0.05)
