"""What can go wrong with a recovery, for people."""

from collections.abc import Sequence

from releve.model.errors import ReleveError


class RecoveryRunningError(ReleveError):
    """Another process brings this folder home already."""

    status = 32
    remedy = "See `releve recover status`; end it with `releve recover stop` first."

    remedy_fr = "Voir `releve recover status` ; la fermer d'abord par `releve recover stop`."

    def __init__(self, home: str) -> None:
        super().__init__(f"A recovery runs already (lock in {home}).")
        self.fr = f"Une reprise est déjà en cours (verrou dans {home})."


class NoRecoveryError(ReleveError):
    """There is no recovery of this folder, or it is in another phase than the command needs."""

    status = 33
    remedy = "Begin with `releve recover start`; `releve recover status` says where one stands."

    remedy_fr = "Commencer par `releve recover start` ; `releve recover status` dit où elle en est."

    def __init__(self, target: str, why: str, fr: str = "") -> None:
        super().__init__(f"{target}: {why}.")
        self.fr = f"{target} : {fr or why}."


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

    remedy_fr = "Fermer ces programmes, ou quitter le dossier dans ces terminaux, puis relancer la commande."

    def __init__(self, target: str, holders: Sequence[str]) -> None:
        shown = ", ".join(holders[:5]) or "a program that cannot be named"
        super().__init__(f"{target} is in use: {shown}.")
        named = ", ".join(holders[:5]) or "un programme qu'on ne peut nommer"
        self.fr = f"{target} sert encore : {named}."
        self.holders = tuple(holders)


class NotAllLocalError(ReleveError):
    """Some files are still at the vault only."""

    status = 56
    remedy = "Run `releve recover start` again and let it end, then `releve recover finish`."

    remedy_fr = "Relancer `releve recover start` et le laisser finir, puis `releve recover finish`."

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} files are not here yet.")
        self.fr = f"{missing} fichiers ne sont pas encore ici."
        self.missing = missing


class DiskRoomError(ReleveError):
    """The disk has no room for all that comes home; what people wrote is kept."""

    status = 57
    remedy = "Make room on this disk, then run `releve recover start` again: it goes on by itself."

    remedy_fr = "Libérer de la place sur ce disque, puis relancer `releve recover start` : il continue seul."

    def __init__(self, needs: int, free: int) -> None:
        super().__init__(f"{needs / 1e6:.0f} MB are to come, {free / 1e6:.0f} MB are free.")
        self.fr = f"{needs / 1e6:.0f} Mo sont à ramener, {free / 1e6:.0f} Mo sont libres."
        self.needs = needs
        self.free = free


class DoubtfulFilesError(ReleveError):
    """Files differ from the clean point although nobody seems to have written them."""

    status = 58
    remedy = (
        "Look at the names in HOME/report.json; `releve recover finish --replace-doubtful` puts the vault's "
        "version in their place and keeps these beside it."
    )

    remedy_fr = (
        "Regarder les noms dans report.json du dossier .NOM.reprise ; `releve recover finish"
        " --replace-doubtful` met la version du coffre à leur place et garde ceux-ci à côté."
    )

    def __init__(self, count: int) -> None:
        self.fr = (
            f"{count} fichiers n'ont pu être vérifiés : ce n'est pas encore un dossier repris."
        )
        super().__init__(f"{count} files could not be verified: this is not a restored folder yet.")
        self.count = count


class TargetError(ReleveError):
    """The folder cannot take the recovery."""

    status = 59
    remedy = "Name an empty or absent folder on a local disk; move what is there aside first."

    remedy_fr = (
        "Nommer un dossier vide ou absent, sur un disque local ; mettre d'abord de côté ce qui est là :"
        " mv DOSSIER DOSSIER.attaque"
    )

    def __init__(self, target: str, why: str, fr: str = "") -> None:
        super().__init__(f"{target}: {why}.")
        self.fr = f"{target} : {fr or why}."


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
