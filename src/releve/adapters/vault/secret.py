"""The secret of a copy: a file of two lines, name and secret, that only its owner reads."""

import stat
from pathlib import Path

from releve.flow.vault.copying import CopyUnreachableError
from releve.model.copies import Copy


def read_pair(copy: Copy) -> tuple[str, str]:
    """Raises: CopyUnreachableError."""
    path = Path(copy.secret_file)
    try:
        mode = path.stat().st_mode
        lines = path.read_text().split()
    except OSError as error:
        raise CopyUnreachableError(copy.name, f"{path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CopyUnreachableError(copy.name, f"others can read {path}")
    if len(lines) != 2:
        raise CopyUnreachableError(copy.name, f"{path} is not two lines, name and secret")
    return lines[0], lines[1]
