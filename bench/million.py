"""How the guard bears a tree of a million small files: baseline, memory, index and store, restart.

    sudo .venv/bin/python bench/million.py --files 1000000 --kind btrfs --json

Makes its own sparse image below /var/tmp, mounts it by loop, and takes everything away again.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_MAKERS = {
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "ext4": ("mkfs.ext4", "-q", "-F", "-i", "4096"),
}
_PER_FOLDER = 500


def fill(share: Path, files: int) -> float:
    """Letters of 40 to 200 bytes, 500 in a folder; seconds it took."""
    started = time.monotonic()
    for first in range(0, files, _PER_FOLDER):
        folder = share / f"{first // 100_000:02d}" / f"{first // _PER_FOLDER:05d}"
        folder.mkdir(parents=True)
        for n in range(first, min(first + _PER_FOLDER, files)):
            with open(folder / f"{n:07d}.txt", "wb") as file:  # noqa: PTH123 - a million of them
                file.write(b"Courrier numero %07d. " % n * (2 + n % 8))
    os.sync()
    return time.monotonic() - started


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory now and at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if "kB" in line}
    return round(int(found["VmRSS"]) / 1024, 1), round(int(found["VmHWM"]) / 1024, 1)


def run_guard(share: Path, store: Path) -> dict[str, float]:
    """Start a guard, wait until it is ready, look at it, end it."""
    started = time.monotonic()
    guard = subprocess.Popen(
        [sys.executable, "-m", "releve.apps.guard", "run", "--json", "--protect", str(share), "--store", str(store)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    if guard.stdout is None:
        raise RuntimeError
    for raw in guard.stdout:
        if json.loads(raw)["event"] == "ready":
            break
    ready = time.monotonic() - started
    resident, most = memory_mb(guard.pid)
    guard.send_signal(signal.SIGTERM)
    status = guard.wait(60)
    return {"ready_s": round(ready, 1), "rss_mb": resident, "rss_most_mb": most, "status": status}


def measure(mount: Path, files: int) -> dict[str, Any]:
    """All figures of one tree."""
    share, store = mount / "share", mount / "store"
    share.mkdir()
    filled = fill(share, files)
    free = shutil.disk_usage(mount).free
    first = run_guard(share, store)
    os.sync()
    used = free - shutil.disk_usage(mount).free
    index = sum(path.stat().st_size for path in store.glob("index.sqlite*"))
    again = run_guard(share, store)
    return {
        "files": files,
        "fill_s": round(filled, 1),
        "baseline": first,
        "compare": again,
        "index_mb": round(index / 1e6, 1),
        "store_mb": round(used / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=tuple(_MAKERS), default="btrfs")
    parser.add_argument("--quick", action="store_true", help="20,000 files")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    files = 20_000 if asked.quick else asked.files
    base = Path(tempfile.mkdtemp(prefix="releve-million-", dir="/var/tmp"))
    image, mount = base / "image", base / "mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(max(2 << 30, files * 16_384))
    try:
        subprocess.run([*_MAKERS[asked.kind], image], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["mount", "-o", "loop,noatime", image, mount], check=True)
        try:
            found = {"kind": asked.kind, "kernel": os.uname().release, **measure(mount, files)}
        finally:
            subprocess.run(["umount", "-l", mount], check=False)
    finally:
        shutil.rmtree(base)
    print(json.dumps(found) if asked.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
