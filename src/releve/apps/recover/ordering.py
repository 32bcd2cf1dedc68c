"""The order of a recovery: its words made one struct, written down once, the vault mounted at once."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from releve.adapters.linux.overlay import Overlay
from releve.adapters.restic.databases import FOLDER as BASES
from releve.adapters.restic.lent import Lent, Listing
from releve.apps.recover.opening import Opening
from releve.apps.recover.state import Asked, Phase, RecoveryHome, SharedAs, State
from releve.flow.recovery.errors import CareListError, NoRecoveryError, TargetError
from releve.model.errors import ReleveError, UsageError
from releve.recover.care_order import CareList


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The words of `recover start`."""

    repository: str
    password_file: str
    user: str
    http_password_file: str
    ca_file: str
    cache: str
    snapshot: str
    folder: str
    care: str
    today: str
    share_name: str
    share_users: tuple[str, ...]
    interfaces: tuple[str, ...]
    port: int
    people_of: str
    at_operator: str
    threads: int
    reserve_mb: int


def asked_by(home: RecoveryHome, given: Given, ordered_ns: int) -> Asked:
    if not given.password_file:
        raise UsageError("--repository needs --password-file")
    lent = Lent(
        repository=given.repository,
        password_file=str(Path(given.password_file).absolute()),
        user=given.user,
        http_password_file=given.http_password_file,
        ca_file=given.ca_file,
        cache=given.cache,
    )
    return Asked(
        target=str(home.target),
        lent=lent,
        snapshot=given.snapshot,
        folder=given.folder,
        ordered_ns=ordered_ns,
        threads=given.threads,
        reserve=given.reserve_mb * 1_000_000,
        structure=given.at_operator,
        share=_shared(given),
    )


def check(home: RecoveryHome, asked: Asked) -> None:
    """Raises: TargetError, NoRecoveryError."""
    if not home.target.parent.is_dir():
        raise TargetError(asked.target, f"{home.target.parent} is not there")
    home.make()
    Overlay(str(home.path), asked.target).check()


def order(home: RecoveryHome, asked: Asked, care: CareList) -> Listing | None:
    """Write the order down, once; the same order again goes on with what there is.

    The vault is mounted while the snapshot is listed: each costs restic half a second.
    """
    before = home.read("asked.json", Asked)
    if before is not None and home.state().phase is not Phase.DONE:
        return None
    if before is not None:
        raise NoRecoveryError(asked.target, f"one is finished; remove {home.path} to begin another")
    opening = Opening(home, asked)
    with ThreadPoolExecutor(1) as pool:
        mounting = pool.submit(opening.mount_vault)
        try:
            listing = opening.repository.listing(asked.snapshot, asked.folder)
            wanted = _folders(asked, *listing.snapshot())
        except ReleveError:
            with contextlib.suppress(ReleveError):
                program, point = mounting.result()
                opening.unmount_vault(point, program)
            raise
        program, point = mounting.result()
    home.keep("care.json", care)
    home.keep("state.json", State(vault=program, vault_point=point))
    home.keep("asked.json", wanted)
    return listing


def _folders(asked: Asked, snapshot: str, folders: tuple[str, ...]) -> Asked:
    """Raises: UsageError when the folder is to be named."""
    bases = next((f for f in folders if f.rpartition("/")[2] == BASES), "")
    # What Relève itself puts beside people's folders (consistent copies, fingerprints).
    others = [f for f in folders if not f.rpartition("/")[2].startswith("releve-")]
    if not asked.folder and len(others) != 1:
        raise UsageError(f"--folder: one of {', '.join(others)}")
    folder = asked.folder or others[0]
    return msgspec.structs.replace(asked, snapshot=snapshot, folder=folder, bases=bases)


def _shared(given: Given) -> SharedAs | None:
    if not given.share_name:
        if given.at_operator:
            raise UsageError("--at-operator needs --share")
        return None
    if given.at_operator and not given.interfaces:
        raise UsageError("--at-operator needs --interface: the address of that structure's VPN")
    return SharedAs(
        name=given.share_name,
        users=given.share_users,
        interfaces=given.interfaces,
        port=given.port,
        people_of=given.people_of,
    )


def care_by(care: str, today: str) -> CareList:
    """Raises: CareListError."""
    found = CareList()
    try:
        if care:
            found = msgspec.json.decode(Path(care).read_bytes(), type=CareList)
        if today:
            lines = [line.strip() for line in Path(today).read_text("utf-8").splitlines()]
            names = tuple(line for line in lines if line and not line.startswith("#"))
            found = msgspec.structs.replace(found, today=(*found.today, *names))
    except (OSError, UnicodeError, msgspec.MsgspecError) as error:
        raise CareListError(care or today, str(error)) from error
    return found
