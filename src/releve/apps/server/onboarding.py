"""Takes structures in, from one file: what is there already stays as it is, so that it can be run again.

What holds a secret is on disk before the server knows of it: a run that is killed between is completed
by the next one with the same secret, and nothing is doubled.
"""

import datetime as dt
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from releve.adapters.content import law, playbooks
from releve.adapters.durable import write
from releve.adapters.pdf import PdfMissingError, pdf
from releve.adapters.private import need_own_folder, read_own
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import new_id
from releve.apps.server import installers
from releve.apps.server.home import Home
from releve.apps.server.onboard_names import deposit_name, file_word, installer_name, password_name
from releve.apps.server.onboard_plan import Wanted, WantedHost
from releve.apps.server.onboard_steps import by_hand, said
from releve.apps.server.onboard_taken import OnboardTakenError, check_place
from releve.apps.server.onboard_vault import Heard, link_here, make_here, token_file
from releve.flow.envelope import read_token, write_token
from releve.flow.server import profiles, vaults
from releve.flow.server.assist import rotas
from releve.flow.server.enrol import digest, ensure_structure, make_token
from releve.flow.server.ports import Structure
from releve.flow.server.signin import create_person
from releve.flow.server.situations import told_vaults
from releve.flow.server.vault_tokens import new_token
from releve.flow.vault.names import plain_word, vault_word
from releve.model.help import Rota
from releve.model.host import Host
from releve.model.installer import HostPlan
from releve.model.standing import EnrolledVault
from releve.model.token import EnrolmentToken
from releve.report.playbook_sheet import sheet

_TOKEN_DAYS = 30


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """`new`: what this run made or changed; `by_hand`: what a technician still does."""

    structure: str
    folder: str
    new: tuple[str, ...]
    kept: tuple[str, ...]
    by_hand: tuple[str, ...]


class Reception:
    """One structure's reception: each step says whether it changed anything."""

    def __init__(
        self, store: SqlStore, home: Home, url: str, out: Path, tell: Callable[[str], None]
    ) -> None:
        self._store, self._home, self._url, self._out, self._tell = store, home, url, out, tell

    def take(self, wanted: Wanted, now: dt.datetime) -> Taken:
        """Raises: OnboardTakenError, OnboardVaultError."""
        is_known = any(one.name == wanted.name for one in self._store.structures())
        check_place(self._store, wanted)
        folder = self._out / file_word(wanted.name)
        for place in (self._out, folder):
            need_own_folder(place)
        owner = ensure_structure(self._store, wanted.name, new_id(), now)
        steps = [("structure", not is_known), ("profile", self._profile(owner, wanted, now))]
        if wanted.rota is not None:
            steps.append(("rota", self._rota(owner, wanted.rota, now)))
        steps += [
            (f"host/{one.name}", self._host(owner, wanted, one, folder, now))
            for one in wanted.machines()
        ]
        if wanted.vault_key:
            steps.append((f"vault/{wanted.vault_name}", self._vault(owner, wanted, folder, now)))
        if wanted.vault_home:
            heard = heard_at(self._url, self._home)
            steps.append(("vault/report", link_here(wanted, folder, heard)))
            steps += [
                (f"right/{one.name}", make_here(wanted, one, folder)) for one in wanted.keeping()
            ]
        if wanted.login:
            steps.append((f"person/{wanted.login}", self._person(owner, wanted.login, folder, now)))
        steps.append(("sheets", self._sheets(wanted, folder / "fiches", now)))
        for name, is_new in steps:
            self._tell(
                f"{wanted.name}  {said(name)}  {'nouveau / new' if is_new else 'déjà là / kept'}"
            )
        return Taken(
            structure=wanted.name,
            folder=str(folder),
            new=tuple(name for name, is_new in steps if is_new),
            kept=tuple(name for name, is_new in steps if not is_new),
            by_hand=self._by_hand(owner, wanted, folder),
        )

    def _by_hand(self, owner: Structure, wanted: Wanted, folder: Path) -> tuple[str, ...]:
        with self._store.unit(owner.id, writes=False) as unit:
            known = {one.name: one for one in unit.hosts()}
            told = [one for one in told_vaults(unit) if one.vault.removed_at is None]
        own = [one for one in told if one.vault.name == wanted.vault_name]
        return by_hand(
            wanted,
            folder=folder,
            waiting=[one for one in wanted.machines() if not is_set_up(one, known.get(one.name))],
            untried=[one for one in wanted.machines() if lacks_paper(one, known.get(one.name))],
            is_heard=any(one.vault.head is not None for one in own),
            standing=next((one.standing for one in own if one.standing), None),
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

    def _host(
        self, owner: Structure, wanted: Wanted, host: WantedHost, folder: Path, now: dt.datetime
    ) -> bool:
        """An installer per host, written again when it would say something else.

        Its token is good once; that of a host that is enrolled stays as it is.
        """
        with self._store.unit(owner.id, writes=False) as unit:
            is_enrolled = any(one.name == host.name for one in unit.hosts())
        file = folder / installer_name(host.name)
        before = installers.read(file)
        if is_enrolled and before is None and not host.folders:
            return False
        plan = self._plan_of(wanted, host, before)
        if is_enrolled:
            return _put(file, plan)
        secret = _secret_of(plan.token, plan.until, now) or secrets.token_bytes(32)
        is_known = self._store.structure_of_token(digest(secret)) is not None
        if is_known and plan.until:
            return _put(file, plan)
        until = now + dt.timedelta(days=_TOKEN_DAYS)
        token = self._token(secret)
        _put(file, msgspec.structs.replace(plan, token=token, until=f"{until:%Y-%m-%d}"))
        if not is_known:
            make_token(self._store, owner.id, secret, now, until)
        return True

    def _plan_of(self, wanted: Wanted, host: WantedHost, before: HostPlan | None) -> HostPlan:
        has_vault = bool(wanted.vault_key and host.folders)
        called = next((one for one in wanted.profile.contacts if one.phone), None)
        return HostPlan(
            structure=wanted.name,
            host=host.name,
            token=before.token if before else "",
            until=before.until if before else "",
            folders=tuple(folder.rstrip("/") for folder in host.folders),
            guard=host.guard,
            vault_url=wanted.vault_url.rstrip("/") if has_vault else "",
            vault_place=f"{vault_word(wanted.name)}/{vault_word(host.name)}" if has_vault else "",
            deposit=deposit_name(host.name) if has_vault else "",
            call=f"{called.name}, {called.phone}" if called and host.folders else "",
        )

    def _token(self, secret: bytes) -> str:
        return write_token(
            EnrolmentToken(
                url=self._url,
                secret=secret,
                server_key=self._home.public_key(),
                ca_sha256=self._home.authority_digest() if self._url.startswith("https:") else b"",
            )
        )

    def _vault(self, owner: Structure, wanted: Wanted, folder: Path, now: dt.datetime) -> bool:
        file = token_file(wanted, folder)
        token = _kept(file) or new_token(self._home.signing_key(), lambda: secrets.token_bytes(32))
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
            within=vault_word(wanted.name),
            enrolled_at=now,
        )
        return vaults.enrol(self._store, made, token, now, "admin")

    def _person(self, owner: Structure, login: str, folder: Path, now: dt.datetime) -> bool:
        """The first password lies in a file; the second factor is set up at the first sign-in."""
        known = self._store.person_by_login(login)
        if known is not None and known.structure != owner.id:
            raise OnboardTakenError(f"The login {login}")
        if known is not None:
            return False
        file = folder / password_name(login)
        password = _kept(file) or secrets.token_urlsafe(18)
        write(file, (password + "\n").encode())
        made = create_person(self._store, owner, login, password, new_id(), now, actor="admin")
        return made is not None

    def _sheets(self, wanted: Wanted, folder: Path, now: dt.datetime) -> bool:
        """Printed anew only when a page says something else than the one that lies there."""
        folder.mkdir(mode=0o700, exist_ok=True)
        is_new, outside = False, law().outside_help
        for playbook in playbooks().playbooks:
            page = sheet(
                playbook, wanted.name, wanted.profile, now.date(), "fr", outside=outside
            ).encode()
            for earlier in (".fr.html", ".fr.pdf"):  # its name of before, with numbers of then
                (folder / f"{playbook.id}{earlier}").unlink(missing_ok=True)
            title = playbook.title.fr.replace("’", " ")
            file = folder / f"fiche-{plain_word(title)}.html"
            if file.exists() and file.read_bytes() == page:
                continue
            is_new = True
            try:
                write(file.with_suffix(".pdf"), pdf(page.decode()))
            except PdfMissingError:
                file.with_suffix(".pdf").unlink(missing_ok=True)
            write(file, page)
        return is_new


def heard_at(url: str, home: Home) -> Heard:
    """The server as its vaults reach it."""
    return Heard(url, home.authority().decode() if url.startswith("https:") else "")


def is_set_up(wanted: WantedHost, known: Host | None) -> bool:
    """Whether the server heard all that its installer is to do: enrolled, backed up, proved."""
    if known is None:
        return False
    backup, drill = known.state.backup, known.state.drill
    if not wanted.folders:
        return known.last_seen_at is not None  # its agent works
    return bool(backup and backup.last_good_at and drill and drill.last_good_at)


def lacks_paper(wanted: WantedHost, known: Host | None) -> bool:
    """Whether it backs up, and never told that its recovery key's paper opened the repository."""
    if not wanted.folders or known is None:
        return False
    return known.state.paper is None or known.state.paper.tried_at is None


def _kept(file: Path) -> str:
    """The secret that a run before laid there; empty: none."""
    return (read_own(file) or b"").decode().strip()


def _put(file: Path, plan: HostPlan) -> bool:
    """False: it says just that already."""
    text = installers.write_text(plan)
    if file.exists() and file.read_bytes() == text:
        return False
    write(file, text)
    return True


def _secret_of(text: str, until: str, now: dt.datetime) -> bytes:
    """Of an installer that a run before wrote; empty: there is none, or its time is over."""
    token = read_token(text) if text else None
    is_over = bool(until) and until < f"{now:%Y-%m-%d}"
    return token.secret if token and not is_over else b""
