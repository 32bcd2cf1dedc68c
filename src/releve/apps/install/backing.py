"""The host's backup, set up with the vault's secret. Its keys are made here and stay here."""

import datetime as dt
import os
from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.apps.backup.state import EXCLUDE, Config, State
from releve.apps.install.places import Places
from releve.apps.install.telling import State as End
from releve.apps.install.telling import Step
from releve.model.errors import ReleveError
from releve.model.installer import Deposit, HostPlan

SETUP = "backup_setup"
READS = "reads-per-day"  # in the backup's folder
_deposit = msgspec.json.Decoder(Deposit).decode


class DepositMissingError(ReleveError):
    """The vault's secret for this host is not beside the installer, or is not this host's."""

    status = 63
    remedy = (
        "Run the script coffre-….sh at the vault, put the file that it made for this machine beside"
        " the installer, and run the installer again."
    )

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file}: {why}.")


class NoVaultError(ReleveError):
    """The onboarding file names no vault, and this host has folders to back up."""

    status = 64
    remedy = (
        "Put vault_name, vault_url and vault_home or vault_key into the file, run `releve onboard`"
        " again, bring the new installer here and run it."
    )

    def __init__(self, plan: HostPlan) -> None:
        super().__init__(f"No vault is known for {plan.host}: nothing is backed up.")


class OtherBackupError(ReleveError):
    """This host backs up to another place already, which is left as it is."""

    status = 65
    remedy = (
        "If the vault moved: `releve backup setup` with the new address. Else take this host's"
        " folders out of the onboarding file."
    )

    def __init__(self, url: str, wanted: str) -> None:
        super().__init__(f"This host backs up to {url} already, not below {wanted}.")


class FolderAbsentError(ReleveError):
    """A folder of the onboarding file is not on this host."""

    status = 66
    remedy = "Mount or make it, or correct the onboarding file, then run the installer again."

    def __init__(self, folders: list[str]) -> None:
        super().__init__(f"Not on this machine: {', '.join(folders)}.")


def set_up(plan: HostPlan, places: Places) -> Step:
    """The repository, made once; a folder that a person added stays.

    Raises: NoVaultError, FolderAbsentError, DepositMissingError, OtherBackupError, those of the vault.
    """
    if not plan.vault_url:
        raise NoVaultError(plan)
    if absent := [folder for folder in plan.folders if not Path(folder).is_dir()]:
        raise FolderAbsentError(absent)
    state = places.state()
    before = state.config() if state.is_configured() else None
    wanted = f"{plan.vault_url.rstrip('/')}/{plan.vault_place}/"
    if before is not None and not before.url.startswith(wanted):
        raise OtherBackupError(before.url, wanted)
    deposit = _read(places.deposit(plan), plan)
    secret = deposit.secret if deposit else _kept_secret(state)
    if not secret or (before is None and deposit is None):
        raise DepositMissingError(places.deposit(plan), "there is no such file")
    places.backup.mkdir(mode=0o700, parents=True, exist_ok=True)
    after = _config(plan, places, before, deposit, wanted)
    if deposit is not None:
        write(places.backup / READS, str(deposit.reads_per_day).encode())
    is_same = after == before and secret == _kept_secret(state)
    if not is_same:
        state.configure(after, secret)
    if is_same and state.load().good_at is not None:
        return Step(name=SETUP, state=End.KEPT, said=after.url)
    made = state.engine().init()
    said = f"{after.url} ({', '.join(after.folders)})"
    return Step(name=SETUP, state=End.DONE if made or not is_same else End.KEPT, said=said)


def _config(
    plan: HostPlan, places: Places, before: Config | None, deposit: Deposit | None, wanted: str
) -> Config:
    authority = str(places.backup / "authority.pem")
    if deposit is not None and deposit.authority:
        if not Path(authority).exists() or Path(authority).read_text() != deposit.authority:
            write(Path(authority), deposit.authority.encode())
    ca_file = authority if deposit is not None and deposit.authority else ""
    if before is not None:
        more = tuple(folder for folder in plan.folders if folder not in before.folders)
        return msgspec.structs.replace(
            before,
            user=deposit.user if deposit else before.user,
            folders=(*before.folders, *more),
            ca_file=ca_file or before.ca_file,
        )
    if deposit is None:  # said before: a first setup has one
        raise DepositMissingError(places.deposit(plan), "there is no such file")
    month = dt.datetime.now(dt.UTC)  # the vault's clock says which; it grants a day of grace
    return Config(
        url=f"{wanted}{month:%Y-%m}/",
        user=deposit.user,
        folders=plan.folders,
        exclude=EXCLUDE,
        ca_file=ca_file,
        structure=plan.structure,
    )


def _read(file: Path, plan: HostPlan) -> Deposit | None:
    """None: it is not there. Raises: DepositMissingError: it is another host's, or broken."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            if os.fstat(opened.fileno()).st_uid not in _carriers(file.parent):
                raise DepositMissingError(file, "another user laid it there")
            found = _deposit(opened.read())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise DepositMissingError(file, f"it cannot be read ({error})") from error
    if f"{found.structure}/{found.host}" != plan.vault_place:
        raise DepositMissingError(file, f"it is for {found.structure}/{found.host}")
    return found


def _carriers(folder: Path) -> set[int]:
    """Whose file is taken: its authority is trusted with the backups, and others write to /tmp."""
    technician = os.environ.get("SUDO_UID", "")
    known = {0, os.geteuid(), folder.stat().st_uid}
    return known | {int(technician)} if technician.isdecimal() else known


def _kept_secret(state: State) -> str:
    try:
        return (state.folder / "http-password").read_text()
    except OSError:
        return ""
