"""How structures, hosts and sheets are called in files and at the vault."""

import re
import unicodedata

from releve.flow.server.enrol import digest
from releve.flow.vault.names import is_word

_LONGEST = 63


def plain_word(name: str) -> str:
    """A name in letters, digits and hyphens; different names may give one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "x"


def file_word(name: str) -> str:
    """A file's or a folder's name; a word at its end keeps apart what looks alike without its accents."""
    return f"{plain_word(name)}-{digest(name.encode())[:6]}"


def vault_word(name: str) -> str:
    """As the vault names it: the name itself where it can, for the console joins both by it."""
    if is_word(name):
        return name
    plain = plain_word(name)
    return plain if is_word(plain) else f"{plain[:50].strip('-')}-{digest(name.encode())[:6]}"


def right_of(structure: str, host: str) -> str:
    """The name of a host's right to deposit; one vault keeps several structures with a host `accueil`."""
    whole = f"{vault_word(host)}.{vault_word(structure)}"
    if is_word(whole):
        return whole
    return f"{whole[:50].strip('.-')}-{digest(whole.encode())[:6]}"


def installer_name(host: str) -> str:
    return f"installer-{file_word(host)}.sh"


def deposit_name(host: str) -> str:
    """The file with the vault's secret for one host, beside its installer."""
    return f"coffre-{file_word(host)}.json"
