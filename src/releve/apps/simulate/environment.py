"""Where the figures come from: machine, versions, and what could not be shown on it."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

import releve
from releve.model.proof import Environment

_TOOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gpg", ("gpg", "--version")),
    ("openssl", ("openssl", "version")),
    ("restic", ("restic", "version")),
    ("smbd", ("smbd", "--version")),
)


def look(
    *,
    file_systems: tuple[str, ...],
    portable: bool,
    files: int,
    size: int,
    not_shown: tuple[str, ...],
) -> Environment:
    """The environment of a run that begins now."""
    return Environment(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        kernel=platform.release(),
        cpus=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        load=os.getloadavg()[0],
        root=os.geteuid() == 0,
        file_systems=file_systems,
        mode="portable" if portable else "exact",
        files=files,
        bytes=size,
        versions=_versions(),
        not_shown=not_shown,
    )


def _versions() -> dict[str, str]:
    found = {"releve": releve.__version__, "python": platform.python_version(), "system": _system()}
    for name, words in _TOOLS:
        if shutil.which(words[0]):
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)
            found[name] = done.stdout.partition("\n")[0].strip()
    return found


def _system() -> str:
    release = Path("/etc/os-release")
    lines = release.read_text(encoding="utf-8").splitlines() if release.exists() else []
    named = (line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME="))
    return next(named, platform.system())
