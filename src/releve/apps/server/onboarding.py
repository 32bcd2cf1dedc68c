"""Takes structures in, from one file: what is there already stays as it is, so that it can be run again.

What holds a secret is on disk before the server knows of it: a run that is killed between is completed
by the next one with the same secret, and nothing is doubled.
"""

import datetime as dt
import re
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path

import msgspec

from releve.adapters.content import law, playbooks
from releve.adapters.durable import write
from releve.adapters.pdf import PdfMissingError, pdf
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import new_id
from releve.apps.server.home import Home
from releve.apps.server.onboard_steps import by_hand, file_word
from releve.flow.envelope import read_token, write_token
from releve.flow.server import profiles, vaults
from releve.flow.server.assist import rotas
from releve.flow.server.enrol import digest, ensure_structure, make_token
from releve.flow.server.ports import Structure
from releve.flow.server.signin import create_person
from releve.model.errors import ReleveError
from releve.model.help import Rota
from releve.model.standing import EnrolledVault
from releve.model.structure import Profile
from releve.model.token import EnrolmentToken
from releve.report.playbook_sheet import sheet

_TOKEN_DAYS = 30
_TOKEN = re.compile(r"--token (\S+)")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One structure, as a person wrote it."""

    name: str
    profile: Profile
    hosts: tuple[str, ...] = ()
    login: str = ""
    vault_name: str = ""
    vault_key: str = ""
    rota: Rota | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file. `url`: the server's address as hosts see it."""

    url: str
    structures: tuple[Wanted, ...]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """`new`: what this run made or changed; `by_hand`: what a technician still does."""

    structure: str
    folder: str
    new: tuple[str, ...]
    kept: tuple[str, ...]
    by_hand: tuple[str, ...]


class OnboardTakenError(ReleveError):
    """A login is somebody else's, in another structure."""

    status = 74
    remedy = "Choose another login in the file, then run it again: what was done stays."

    def __init__(self, login: str) -> None:
        super().__init__(f"The login {login} is taken in another structure.")


class Reception:
    """One structure's reception: each step says whether it changed anything."""

    def __init__(
        self, store: SqlStore, home: Home, url: str, out: Path, tell: Callable[[str], None]
    ) -> None:
        self._store, self._home, self._url, self._out, self._tell = store, home, url, out, tell

    def take(self, wanted: Wanted, now: dt.datetime) -> Taken:
        """Raises: OnboardTakenError."""
        is_known = any(one.name == wanted.name for one in self._store.structures())
        owner = ensure_structure(self._store, wanted.name, new_id(), now)
        folder = self._out / file_word(wanted.name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        steps = [("structure", not is_known), ("profile", self._profile(owner, wanted, now))]
        if wanted.rota is not None:
            steps.append(("rota", self._rota(owner, wanted.rota, now)))
        steps += [(f"host/{h}", self._host(owner, h, folder, now)) for h in wanted.hosts]
        if wanted.vault_key:
            steps.append((f"vault/{wanted.vault_name}", self._vault(owner, wanted, folder, now)))
        if wanted.login:
            steps.append((f"person/{wanted.login}", self._person(owner, wanted.login, folder, now)))
        steps.append(("sheets", self._sheets(wanted, folder / "fiches", now)))
        for name, is_new in steps:
            self._tell(f"{wanted.name}  {name}  {'nouveau / new' if is_new else 'déjà là / kept'}")
        return Taken(
            structure=wanted.name,
            folder=str(folder),
            new=tuple(name for name, is_new in steps if is_new),
            kept=tuple(name for name, is_new in steps if not is_new),
            by_hand=self._by_hand(owner, wanted, folder, now),
        )

    def _by_hand(
        self, owner: Structure, wanted: Wanted, folder: Path, now: dt.datetime
    ) -> tuple[str, ...]:
        with self._store.unit(owner.id, writes=False) as unit:
            enrolled = {one.name for one in unit.hosts()}
        waiting = {
            host: f"{folder}/installer-{file_word(host)}.sh"
            for host in wanted.hosts
            if host not in enrolled
        }
        return by_hand(
            wanted.name,
            hosts=wanted.hosts,
            installers=waiting,
            vault_token=f"{folder}/coffre-{file_word(wanted.vault_name)}.token"
            if wanted.vault_key
            else "",
            url=self._url,
            login=wanted.login,
            has_rota=wanted.rota is not None,
            sheets=f"{folder}/fiches",
            month=now,
        )

    def _profile(self, owner: Structure, wanted: Wanted, now: dt.datetime) -> bool:
        with self._store.unit(owner.id, writes=False) as unit:
            is_same = unit.profile() == wanted.profile
        if not is_same:
            profiles.put(self._store, owner.id, wanted.profile, actor="admin", now=now)
        return not is_same

    def _rota(self, owner: Structure, rota: Rota, now: dt.datetime) -> bool:
        with self._store.unit(owner.id, writes=False) as unit:
            is_same = unit.rota() == rota
        if not is_same:
            rotas.keep(self._store, owner.id, rota, actor="admin", now=now)
        return not is_same

    def _host(self, owner: Structure, host: str, folder: Path, now: dt.datetime) -> bool:
        """A file per host that is not enrolled yet; its token is good once."""
        with self._store.unit(owner.id, writes=False) as unit:
            if any(one.name == host for one in unit.hosts()):
                return False
        file = folder / f"installer-{file_word(host)}.sh"
        secret = _secret_in(file) or secrets.token_bytes(32)
        if self._store.structure_of_token(digest(secret)) is not None:
            return False
        until = now + dt.timedelta(days=_TOKEN_DAYS)
        write(file, self._installer(owner, host, secret, until).encode())
        make_token(self._store, owner.id, secret, now, until)
        return True

    def _installer(self, owner: Structure, host: str, secret: bytes, until: dt.datetime) -> str:
        token = EnrolmentToken(
            url=self._url,
            secret=secret,
            server_key=self._home.public_key(),
            ca_sha256=self._home.authority_digest() if self._url.startswith("https:") else b"",
        )
        name = shlex.quote(host)
        about = f"{host} -> {owner.name}".replace("\n", " ")
        return (
            f"#!/bin/sh\n# {about}. Bon une fois, jusqu'au / good once, until {until:%Y-%m-%d}.\n"
            f"set -e\nreleve agent enrol --name {name} --token {write_token(token)}\n"
        )

    def _vault(self, owner: Structure, wanted: Wanted, folder: Path, now: dt.datetime) -> bool:
        file = folder / f"coffre-{file_word(wanted.vault_name)}.token"
        token = file.read_text().strip() if file.exists() else secrets.token_urlsafe(32)
        with self._store.unit(owner.id, writes=False) as unit:
            names = {one.name for one in unit.vaults() if one.removed_at is None}
        if wanted.vault_name in names:
            return False
        write(file, (token + "\n").encode())
        made = EnrolledVault(
            id=new_id(),
            structure=owner.id,
            name=wanted.vault_name,
            public_key=wanted.vault_key.lower(),
            enrolled_at=now,
        )
        return vaults.enrol(self._store, made, token, now, "admin")

    def _person(self, owner: Structure, login: str, folder: Path, now: dt.datetime) -> bool:
        """The first password lies in a file; the second factor is set up at the first sign-in."""
        known = self._store.person_by_login(login)
        if known is not None and known.structure != owner.id:
            raise OnboardTakenError(login)
        if known is not None:
            return False
        file = folder / f"mot-de-passe-{file_word(login)}.txt"
        password = file.read_text().strip() if file.exists() else secrets.token_urlsafe(18)
        write(file, (password + "\n").encode())
        return create_person(self._store, owner, login, password, new_id(), now) is not None

    def _sheets(self, wanted: Wanted, folder: Path, now: dt.datetime) -> bool:
        """Printed anew only when a page says something else than the one that lies there."""
        folder.mkdir(mode=0o700, exist_ok=True)
        is_new, outside = False, law().outside_help
        for playbook in playbooks().playbooks:
            page = sheet(
                playbook, wanted.name, wanted.profile, now.date(), "fr", outside=outside
            ).encode()
            file = folder / f"{playbook.id}.fr.html"
            if file.exists() and file.read_bytes() == page:
                continue
            is_new = True
            try:
                write(file.with_suffix(".pdf"), pdf(page.decode()))
            except PdfMissingError:
                file.with_suffix(".pdf").unlink(missing_ok=True)
            write(file, page)
        return is_new


def _secret_in(file: Path) -> bytes:
    """Of an installer that a run before wrote; empty: there is none."""
    found = _TOKEN.search(file.read_text()) if file.exists() else None
    token = read_token(found[1]) if found else None
    return token.secret if token else b""
