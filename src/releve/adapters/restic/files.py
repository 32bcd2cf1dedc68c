"""What restic reads from files that only we can read, so that no other user reads it over its shoulder."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


def repository_file(url: str, user: str, password: str, folder: str) -> str:
    """Address and credential in a file beside the cache: no secret in words or environment."""
    place = urlsplit(url)
    credential = f"{quote(user, safe='')}:{quote(password, safe='')}"
    address = urlunsplit(place._replace(netloc=f"{credential}@{place.netloc}"))
    named = hashlib.sha256(f"{user}@{url}".encode()).hexdigest()[:12]
    file = _private(folder) / f"address-{named}"
    with contextlib.suppress(OSError):
        if file.read_text() == f"rest:{address}" and not file.stat().st_mode & 0o077:
            return str(file)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".address", delete=False) as new:
        new.write(f"rest:{address}")  # 0600 from its first moment
    Path(new.name).replace(file)
    return str(file)


@contextlib.contextmanager
def left_out(patterns: Sequence[str], folder: str) -> Iterator[str]:
    """The patterns in a file: names of files are none of other users' business."""
    with tempfile.NamedTemporaryFile("wb", dir=_private(folder), prefix=".exclude") as file:
        file.writelines(os.fsencode(_as_line(pattern)) + b"\n" for pattern in patterns)
        file.flush()
        yield file.name


def _private(folder: str) -> Path:
    place = Path(folder)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def _as_line(shape: str) -> str:
    """In a file restic expands $NAME, skips lines of #, trims blanks; a line ends where it ends."""
    line = shape.replace("$", "$$").replace("\n", "?").replace("\r", "?")
    line = f"[{line[0]}]{line[1:]}" if line[:1] in {"#", " ", "\t"} else line
    return f"{line[:-1]}[{line[-1]}]" if line[-1:] in {" ", "\t"} else line
