"""What can go wrong with the box, for people."""

from pathlib import PurePath

from releve.model.errors import ReleveError


class BoxRootError(ReleveError):
    """The box changes the machine's network or file server: root only."""

    status = 65
    remedy = "Run it with sudo."

    def __init__(self) -> None:
        super().__init__("This needs root.")


class SambaMissingError(ReleveError):
    """The file server's programs are not installed."""

    status = 66
    remedy = "Install Samba: `apt install samba smbclient` (Debian, Ubuntu), `dnf install samba`."

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not on this machine.")
        self.program = program


class UnsuitableFolderError(ReleveError):
    """The folder cannot be shared safely."""

    status = 67
    remedy = "Choose a folder of its own on a local disk, such as /srv/cabinet."

    def __init__(self, path: PurePath, why: str) -> None:
        super().__init__(f"{path} cannot be shared: {why}.")
        self.path = path
        self.why = why


class FolderAccessError(ReleveError):
    """The people of the share could not write in the folder."""

    status = 68
    remedy = (
        "Add --prepare: a group `releve-share` gets the folder, and the rights to read and write; "
        "owners stay."
    )

    def __init__(self, path: PurePath) -> None:
        super().__init__(f"The group of {path} cannot write in it, or is root's.")
        self.path = path


class ShareNameError(ReleveError):
    """The name is not one that every Windows and Mac can show."""

    status = 69
    remedy = "Use 1 to 30 letters, digits, spaces, - or _, and no name of Samba's own (homes, ...)."

    def __init__(self, name: str, why: str = "not a possible name") -> None:
        super().__init__(f"Share {name!r}: {why}.")
        self.name = name


class UnknownShareError(ReleveError):
    """There is no such share, or none at all."""

    status = 70
    remedy = "See `releve share list`; add one with `releve share add NAME PATH`."

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no share {name}." if name else "There is no share yet.")
        self.name = name


class SambaRefusedError(ReleveError):
    """A program of Samba's refused what it was told."""

    status = 71
    remedy = "See what it says; the last good configuration stays in place."

    def __init__(self, program: str, said: str) -> None:
        super().__init__(f"{program} refused: {said}")
        self.program = program
        self.said = said


class ShareUserError(ReleveError):
    """The user cannot be added as asked."""

    status = 72
    remedy = (
        "Names: a to z, digits, . _ -, starting with a letter. "
        "Passwords: 10 characters or more, on standard input or typed, never on the command line."
    )

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"User {name}: {why}.")
        self.name = name


class ServerLinkError(ReleveError):
    """Isolation keeps the link to the server, so it must know where that is."""

    status = 73
    remedy = (
        "Give --server ADDRESS:PORT, or keep it with `releve isolate --configure --server ...`; "
        "--without-server cuts every link."
    )

    def __init__(self, why: str) -> None:
        super().__init__(why)


class BoxFileError(ReleveError):
    """A file of the box's home is not readable as what it should be."""

    status = 74
    remedy = "Restore it, or remove it and add the shares again; the shared folders are untouched."

    def __init__(self, path: PurePath, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
