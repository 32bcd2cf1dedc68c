"""How the files of an onboarding are called."""

from releve.flow.server.enrol import digest
from releve.flow.vault.names import plain_word


def file_word(name: str) -> str:
    """A file's or a folder's name; a word at its end keeps apart what looks alike without its accents."""
    return f"{plain_word(name)}-{digest(name.encode())[:6]}"


def installer_name(host: str) -> str:
    return f"installer-{file_word(host)}.sh"


def deposit_name(host: str) -> str:
    """The file with the vault's secret for one host, beside its installer."""
    return f"coffre-{file_word(host)}.json"


def password_name(login: str) -> str:
    """The file with a person's first password."""
    return f"mot-de-passe-{file_word(login)}.txt"
