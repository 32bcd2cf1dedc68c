"""The onboarding file: what a person may write in it, and what does not hold."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from releve.apps.server.rota_cli import unknown_address
from releve.apps.server.written import NotOfFormError, read_written
from releve.flow.server import profiles
from releve.flow.server.assist import rotas
from releve.flow.vault.names import right_of, vault_word
from releve.model.errors import ReleveError
from releve.model.help import Rota
from releve.model.installer import Guarding
from releve.model.structure import Profile

_HEX_KEY = 64
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SIZE = re.compile(r"[1-9]\d*[KMGT]?")
_LONGEST, _LONGEST_HOST = 200, 100  # as the server keeps them
_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")  # ends of lines, and what turns the text round
_OWN = PurePosixPath("/var/lib/releve")


class WantedHost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One host with what it backs up and guards; without folders it does neither."""

    name: str
    folders: tuple[str, ...] = ()
    guard: Guarding = Guarding.ENFORCE
    reads: str = ""  # what the vault gives back to it a day; empty: as the vault does


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One structure, as a person wrote it. A host may be its name alone."""

    name: str
    profile: Profile
    hosts: tuple[str | WantedHost, ...] = ()
    login: str = ""
    vault_name: str = ""
    vault_key: str = ""
    vault_url: str = ""  # as hosts see it
    vault_home: str = ""  # the vault's folder, when it stands on this very machine
    rota: Rota | None = None

    def machines(self) -> tuple[WantedHost, ...]:
        named = (WantedHost(name=one) if isinstance(one, str) else one for one in self.hosts)
        return tuple(named)

    def keeping(self) -> tuple[WantedHost, ...]:
        """Those that back up."""
        return tuple(one for one in self.machines() if one.folders)


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file. `url`: the server's address as hosts see it."""

    url: str
    structures: tuple[Wanted, ...]


class OnboardFileError(ReleveError):
    """The file does not describe structures to take in; nothing was made."""

    status = 73
    remedy = "Start from `releve onboard template`, which explains each line."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}")


def read(path: Path) -> Plan:
    """The file, with the key of each vault that stands on this machine.

    Raises: UsageError, OnboardFileError.
    """
    try:
        plan = read_written(path, Plan, "releve onboard template")
        for one in plan.structures:
            profiles.check(one.profile)
            if one.rota is not None:
                rotas.check(one.rota)
    except (NotOfFormError, profiles.ProfileError, rotas.RotaError) as error:
        raise OnboardFileError(path, str(error)) from error
    plan = msgspec.structs.replace(plan, structures=tuple(_with_key(o) for o in plan.structures))
    for one in plan.structures:
        if why := _wrong(one):
            raise OnboardFileError(path, f"{one.name or 'structures'}: {why}")
    if len({one.name for one in plan.structures}) < len(plan.structures):
        raise OnboardFileError(path, "one name twice")
    if alike := _alike(plan):
        raise OnboardFileError(path, f"{alike}: to the vault this name is that of another one")
    return plan


def _with_key(one: Wanted) -> Wanted:
    """A vault here tells its key itself."""
    key = Path(one.vault_home) / "head.pub"
    if not one.vault_home or one.vault_key or not key.is_file():
        return one
    return msgspec.structs.replace(one, vault_key=key.read_text().strip())


def _wrong(one: Wanted) -> str:
    """What does not hold; empty: it can be used."""
    if why := _wrong_names(one):
        return why
    if why := next(filter(None, map(_wrong_host, one.machines())), ""):
        return why
    if one.vault_home and not one.vault_key:
        return f"there is no vault in {one.vault_home}: `releve vault init` makes it"
    if bool(one.vault_key) != bool(one.vault_name):
        return "vault_name goes with vault_key or vault_home"
    if one.vault_key and not _is_key(one.vault_key):
        return "vault_key is 64 hex digits, as `releve vault init` prints them"
    if one.vault_name and one.keeping() and not _is_address(one.vault_url):
        return "vault_url is the vault's address as hosts see it, such as https://coffre:8440"
    return "rota: " + why if one.rota and (why := unknown_address(one.rota)) else ""


def _wrong_names(one: Wanted) -> str:
    names = [host.name for host in one.machines()]
    if not one.name.strip() or len(set(names)) < len(names) or not all(n.strip() for n in names):
        return "a structure has a name, and its hosts have names of their own"
    for name, most in ((one.name, _LONGEST), *((n, _LONGEST_HOST) for n in (*names, one.login))):
        if len(name) > most or any(unicodedata.category(sign) in _UNSEEN for sign in name):
            return f"{name!r} is longer than {most} signs, or has one that is not seen"
    if not one.vault_name.isprintable():
        return "vault_name has a sign that is not seen"
    return ""


def _wrong_host(host: WantedHost) -> str:
    if host.reads and not _SIZE.fullmatch(host.reads):
        return f"{host.name}: reads is a size, such as 20G"
    places = [PurePosixPath(folder) for folder in host.folders]
    for folder, place in zip(host.folders, places, strict=True):
        is_plain = folder.isprintable() and folder.rstrip("/") == str(place)
        is_plain = is_plain and not folder.startswith("//")  # pathlib takes it for another root
        if not is_plain or not place.is_absolute() or ".." in place.parts or len(place.parts) < 2:
            return f"{host.name}: {folder!r} is no whole path of a folder (/srv/cabinet)"
        if place.is_relative_to(_OWN) or _OWN.is_relative_to(place):
            return f"{host.name}: {folder} holds Releve's own state"
        if any(other is not place and place.is_relative_to(other) for other in places):
            return f"{host.name}: {folder} is there twice, or lies in another folder"
    return ""


def _is_key(words: str) -> bool:
    try:
        return len(bytes.fromhex(words)) * 2 == _HEX_KEY
    except ValueError:
        return False


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_there = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return is_there and is_bare and is_safe


def _alike(plan: Plan) -> str:
    """A structure or host whose word at its vault is another's, too; empty: none."""
    seen: dict[tuple[str, str], str] = {}
    for one, name, word in _words(plan):
        key = (one.vault_key.lower(), word)
        if seen.setdefault(key, f"{one.name} {name}") != f"{one.name} {name}":
            return f"{one.name} {name}".strip()
    return ""


def _words(plan: Plan) -> Iterator[tuple[Wanted, str, str]]:
    for one in plan.structures:
        if one.vault_key:
            yield one, "", f"{vault_word(one.name)}/"
            for host in one.keeping():
                yield one, host.name, f"{vault_word(one.name)}/{vault_word(host.name)}"
                yield one, host.name, right_of(one.name, host.name)
