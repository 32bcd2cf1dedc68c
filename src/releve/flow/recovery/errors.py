"""What can go wrong with a recovery, for people."""

from collections.abc import Sequence

from releve.model.errors import ReleveError


class RecoveryRunningError(ReleveError):
    """Another process brings this folder home already."""

    status = 32
    remedy = "See `releve recover status`; end it with `releve recover stop` first."

    def __init__(self, home: str) -> None:
        super().__init__(f"A recovery runs already (lock in {home}).")


class NoRecoveryError(ReleveError):
    """There is no recovery of this folder, or it is in another phase than the command needs."""

    status = 33
    remedy = "Begin with `releve recover start`; `releve recover status` says where one stands."

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target}: {why}.")


class MountFailedError(ReleveError):
    """The clean point could not be opened as a folder."""

    status = 38
    remedy = "It needs root, /dev/fuse and overlayfs on a local disk (ext4, xfs, btrfs); see HOME/restic.log."

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} could not be mounted: {why}")


class StillInUseError(ReleveError):
    """Programs hold files of the folder open, so it cannot be closed without losing what they write."""

    status = 39
    remedy = "Close these programs or leave the folder in these shells, then run the command again."

    def __init__(self, target: str, holders: Sequence[str]) -> None:
        shown = ", ".join(holders[:5]) or "a program that cannot be named"
        super().__init__(f"{target} is in use: {shown}.")
        self.holders = tuple(holders)


class NotAllLocalError(ReleveError):
    """Some files are still at the vault only."""

    status = 56
    remedy = "Run `releve recover start` again and let it end, then `releve recover finish`."

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} files are not here yet.")
        self.missing = missing


class DiskRoomError(ReleveError):
    """The disk has no room for all that comes home; what people wrote is kept."""

    status = 57
    remedy = "Make room on this disk, then run `releve recover start` again: it goes on by itself."

    def __init__(self, needs: int, free: int) -> None:
        super().__init__(f"{needs / 1e6:.0f} MB are to come, {free / 1e6:.0f} MB are free.")
        self.needs = needs
        self.free = free


class DoubtfulFilesError(ReleveError):
    """Files differ from the clean point although nobody seems to have written them."""

    status = 58
    remedy = (
        "Look at the names in HOME/report.json; `releve recover finish --replace-doubtful` puts the vault's "
        "version in their place and keeps these beside it."
    )

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} files could not be verified: this is not a restored folder yet.")
        self.count = count


class TargetError(ReleveError):
    """The folder cannot take the recovery."""

    status = 59
    remedy = "Name an empty or absent folder on a local disk; move what is there aside first."

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target}: {why}.")


class CareListError(ReleveError):
    """The list of services or of today's patients cannot be read."""

    status = 100
    remedy = "See `releve recover start --help` for its form; without a list everything comes in plain order."

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")


class SharingFailedError(ReleveError):
    """The folder is there but could not be opened over the network."""

    status = 101
    remedy = "See HOME/box/log; the local folder works meanwhile. Add people with `releve share user add`."

    def __init__(self, why: str) -> None:
        super().__init__(f"The file server did not start: {why}")
