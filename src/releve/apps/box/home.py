"""The box's home: what it serves, kept in files that a crash leaves whole, root's alone.

`HOME/protect.d/NAME.json` is the contract with the guard: one object a shared folder,
`{"name": ..., "path": ...}`; `releve guard run --box HOME` protects every one of them.
"""

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.adapters.durable import write
from releve.adapters.linux.samba import CONFIG
from releve.apps.box.errors import BoxFileError, BoxRootError
from releve.apps.box.smbconf import FOLDERS, BoxConfig

DEFAULT_HOME = Path("/var/lib/releve/box")
PROTECT = "protect.d"
_T = TypeVar("_T")


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """One folder for the guard."""

    name: str
    path: str


class Home:
    """Files of one box."""

    def __init__(self, path: Path) -> None:
        # Absolute without following links: this path is written into smb.conf.
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 (resolve() follows links)
        self.smb_conf = self.path / CONFIG
        self.passdb = self.path / "private" / "passdb.tdb"

    def make(self) -> None:
        """Make the home and its folders, 0700.

        Raises: BoxRootError.
        """
        if os.geteuid() != 0:
            raise BoxRootError
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for name in FOLDERS:
            (self.path / name).mkdir(mode=0o700, exist_ok=True)

    def config(self) -> BoxConfig:
        """What the box serves; nothing yet is a config too.

        Raises: BoxFileError.
        """
        return read(self.path / "box.json", BoxConfig) or BoxConfig()

    def save(self, config: BoxConfig, smb_conf: str) -> None:
        """Replace what the box serves; the guard's list goes first when it grows."""
        for share in config.shares:
            entry = Protected(name=share.name, path=share.path)
            write(self.path / PROTECT / f"{share.name}.json", msgspec.json.encode(entry))
        write(self.path / "box.json", msgspec.json.format(msgspec.json.encode(config)))
        write(self.smb_conf, smb_conf.encode())
        names = {f"{share.name}.json" for share in config.shares}
        for stale in (self.path / PROTECT).glob("*.json"):
            if stale.name not in names:
                stale.unlink()


def protected(home: Path) -> tuple[Protected, ...]:
    """The folders that the guard shall protect for the box.

    Raises: BoxFileError.
    """
    found = (read(path, Protected) for path in sorted((home / PROTECT).glob("*.json")))
    return tuple(entry for entry in found if entry is not None)


def read(path: Path, kind: type[_T]) -> _T | None:
    """Decode one file of the home; None when there is none.

    Raises: BoxFileError, BoxRootError.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise BoxRootError from error
    except (OSError, msgspec.MsgspecError) as error:
        raise BoxFileError(path, str(error)) from error
