"""Attacks whose writer is another machine: they have a runner of their own (`smb_run`)."""

from releve.apps.simulate.field import Field
from releve.apps.simulate.profile import Profile


def _never(_: Field) -> None:
    """The client is a machine of its own, not a process of the server."""


SMB = Profile(
    name="smb",
    kind="smb",
    title="poste Windows ou Mac chiffreur (SMB)",
    title_en="encrypting client over SMB",
    act=_never,
    needs=("smbd", "smbclient", "ip", "nft", "nsenter"),
    condition="Le poste est tenu à l'écart ; les autres postes continuent.",
)
PROFILES: tuple[Profile, ...] = (SMB,)
