"""Puts restic and rest-server into .tools, each from the first source that has a recent one.

1. What is installed already (system package, PATH, RELEVE_TOOLS).
2. Debian packages from the mirror that apt already uses: its own suite, then a newer one. apt
   checks the signatures; lists and cache are private; packages are unpacked, not installed.
3. Upstream's release with the SHA-256 pinned here.
A wrong version or hash is refused, with the remedy; nothing is half installed.
"""

import bz2
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from releve.adapters.restic import tools
from releve.model.errors import ReleveError

DEBIAN_PACKAGES = {"restic": "restic", "rest-server": "restic-rest-server"}
NEWER_SUITE = "trixie"
GITHUB = "https://github.com/restic"
# From the signed SHA256SUMS of the releases restic 0.18.1 and rest-server 0.14.0.
PINNED = {
    ("restic", "x86_64"): (
        f"{GITHUB}/restic/releases/download/v0.18.1/restic_0.18.1_linux_amd64.bz2",
        "680838f19d67151adba227e1570cdd8af12c19cf1735783ed1ba928bc41f363d",
    ),
    ("restic", "aarch64"): (
        f"{GITHUB}/restic/releases/download/v0.18.1/restic_0.18.1_linux_arm64.bz2",
        "87f53fddde38764095e9c058a3b31834052c37e5826d2acf34e18923c006bd45",
    ),
    ("rest-server", "x86_64"): (
        f"{GITHUB}/rest-server/releases/download/v0.14.0/rest-server_0.14.0_linux_amd64.tar.gz",
        "4c9c95bc079a0334e81fad379b19dc5c3353c71c2c88d652cafce2081c2b1c66",
    ),
}


def main() -> int:
    for kind in tools.KINDS:
        try:
            ensure(kind)
        except ReleveError as error:
            print(f"setup: {error}\n  {error.remedy}", file=sys.stderr)
            return error.status
    return 0


def ensure(kind: tools.ToolKind) -> None:
    """Leave a program of that kind where `tools.find` finds it.

    Raises: NoSourceError, WrongHashError.
    """
    try:
        tools.find(kind)
    except ReleveError as error:
        reasons = [str(error).rstrip(".")]
    else:
        return
    for source in (from_debian, from_upstream):
        try:
            with tempfile.TemporaryDirectory() as scratch:
                install(kind, source(kind, Path(scratch)))
        except (OSError, subprocess.SubprocessError, tarfile.TarError, LookupError) as error:
            reasons.append(f"{source.__name__.replace('_', ' ')}: {error or type(error).__name__}")
        except (tools.ToolTooOldError, tools.ToolBrokenError) as error:
            reasons.append(f"{source.__name__.replace('_', ' ')}: {error}".rstrip("."))
        else:
            print(f"setup: {kind.name} {tools.find(kind).version} is in {tools.tools_folder()}")
            return
    raise tools.NoSourceError(kind.name, reasons)


def install(kind: tools.ToolKind, program: Path) -> None:
    """Judge the program, then put it in place in one step."""
    program.chmod(0o755)
    tools.inspect(kind, program)
    folder = tools.tools_folder() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{kind.name}.new"
    shutil.copy2(program, beside)
    beside.replace(folder / kind.name)


# --- Debian -----------------------------------------------------------------------


def from_debian(kind: tools.ToolKind, scratch: Path) -> Path:
    """Unpack the package from the suite in use or a newer one of the same mirror."""
    package = DEBIAN_PACKAGES[kind.name]
    mirror, suite = debian_mirror()
    why: Exception = LookupError("no suite has it")
    for number, wanted in enumerate(dict.fromkeys((suite, NEWER_SUITE))):
        place = scratch / str(number)
        try:
            program = unpack(package, mirror, wanted, place)
            tools.inspect(kind, program)
        except (LookupError, subprocess.SubprocessError, ReleveError) as error:
            why = error
        else:
            return program
    raise why


def debian_mirror() -> tuple[str, str]:
    """Address and code name of the main Debian archive as apt is configured here."""
    said = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"
    )
    for line in said.splitlines():
        uri, _, suite = line.partition(" ")
        if uri.rstrip("/").endswith("/debian") and "-" not in suite:
            return uri, suite
    raise LookupError("apt knows no Debian mirror")


def unpack(package: str, mirror: str, suite: str, place: Path) -> Path:
    """Fetch one package with private apt lists and unpack it; the system's apt is not touched."""
    for folder in ("lists/partial", "cache/archives/partial", "tree"):
        (place / folder).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    signed = f"[signed-by={keyring}] " if Path(keyring).exists() else ""
    (place / "sources.list").write_text(f"deb {signed}{mirror} {suite} main\n")
    config = place / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{place}/sources.list";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{place}/lists";\nDir::Cache "{place}/cache";\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\nAcquire::Retries "2";\n'
    )
    run("apt-get", "-q", "update", config=config, cwd=place)
    run("apt-get", "-q", "download", package, config=config, cwd=place)
    for deb in place.glob("*.deb"):
        run("dpkg", "-x", str(deb), str(place / "tree"))
    for found in (place / "tree/usr/bin").glob("*rest*"):
        return found
    raise LookupError(f"{package} of {suite} holds no program")


def run(*words: str, config: Path | None = None, cwd: Path | None = None) -> str:
    environment = os.environ | ({"APT_CONFIG": str(config)} if config else {})
    return subprocess.run(
        words,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    ).stdout


# --- Upstream ---------------------------------------------------------------------


def from_upstream(kind: tools.ToolKind, scratch: Path) -> Path:
    """Download the pinned release.

    Raises: WrongHashError.
    """
    url, pinned = PINNED[kind.name, os.uname().machine]
    with urllib.request.urlopen(url, timeout=60) as answer:
        content = answer.read()
    return open_release(kind.name, url, content, pinned, scratch)


def open_release(name: str, url: str, content: bytes, pinned: str, scratch: Path) -> Path:
    """Check the hash before anything is unpacked.

    Raises: WrongHashError.
    """
    if (found := hashlib.sha256(content).hexdigest()) != pinned:
        raise tools.WrongHashError(url, found, pinned)
    program = scratch / name
    if url.endswith(".bz2"):
        program.write_bytes(bz2.decompress(content))
        return program
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            if (
                member.isfile()
                and Path(member.name).name == name
                and (file := archive.extractfile(member))
            ):
                program.write_bytes(file.read())
                return program
    raise LookupError(f"{url} holds no {name}")


if __name__ == "__main__":
    sys.exit(main())
