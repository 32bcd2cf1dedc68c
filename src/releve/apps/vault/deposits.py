"""A host's right to deposit, made once; its secret laid into a file (0600) for the host."""

import hashlib
import secrets
from enum import StrEnum
from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.adapters.private import need_own_folder, read_own
from releve.apps.vault.access import VaultNameError, check_name
from releve.apps.vault.opened import Vault
from releve.flow.vault.names import is_word
from releve.model.installer import Deposit
from releve.model.vault import Credential, CredentialKind, Deed, Limits

_deposit = msgspec.json.Decoder(Deposit).decode


class Laid(StrEnum):
    """What became of a file that was asked for."""

    MADE = "made"
    KEPT = "kept"  # the right and its file were there
    CARRIED = "carried"  # the right was there, its file is not: the host has it, or it is lost


def add(
    vault: Vault, name: str, structure: str, host: str, limits: Limits, secret: str = ""
) -> str:
    """A new right to deposit; its secret, which is told now and never again.

    Raises: VaultNameError.
    """
    for word in (name, structure, host):
        check_name(word)
    if vault.credentials.get(name) is not None:
        raise VaultNameError(name, "there is such a credential, open or closed")
    secret = secret or secrets.token_urlsafe(32)
    made = Credential(
        id=name,
        kind=CredentialKind.INGEST,
        structure=structure,
        host=host,
        secret_sha256=_digest(secret),
        made_ns=vault.clock.now_ns(),
        limits=limits,
    )
    vault.credentials.put(name, made)
    vault.add(Deed(what="person:credential:added", structure=structure, host=host, by=name))
    return secret


def lay(vault: Vault, name: str, structure: str, host: str, limits: Limits, file: Path) -> Laid:
    """The right and its file, whatever of both was there; killed between, the next run completes it.

    The file is on disk before its secret is worth anything.

    Raises: VaultNameError: there is another right of that name, or the file is another's;
        UsageError: others write to the folder, or laid the file there.
    """
    for word in (name, structure, host):
        check_name(word)
    need_own_folder(file.parent)
    known, laid = vault.credentials.get(name), _read(file, name)
    if laid is not None and laid.user != name:
        if not _stands(vault, laid, structure, host):
            raise VaultNameError(name, f"{file} is {laid.user}'s")
        return Laid.KEPT  # one that was lost was followed by another
    if known is not None:
        if known.closed_ns or (known.structure, known.host) != (structure, host):
            raise VaultNameError(name, "it is closed, or another host's")
        if laid is None:
            return Laid.CARRIED
        if _digest(laid.secret) != known.secret_sha256:
            raise VaultNameError(name, f"{file} holds another secret than its own")
    from releve.apps.vault.serving_certificate import authority_of

    secret = laid.secret if laid else secrets.token_urlsafe(32)
    whole = Deposit(
        user=name,
        secret=secret,
        structure=structure,
        host=host,
        authority=authority_of(vault.layout),
        reads_per_day=(known.limits if known else limits).read_bytes_per_day,
    )
    if whole != laid:
        write(file, msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    if known is not None:
        return Laid.KEPT
    add(vault, name, structure, host, limits, secret)
    return Laid.MADE


def _read(file: Path, name: str) -> Deposit | None:
    """Raises: VaultNameError: something else lies there; UsageError: another user laid it there."""
    try:
        content = read_own(file)
        found = None if content is None else _deposit(content)
    except (OSError, msgspec.DecodeError) as error:
        raise VaultNameError(name, f"{file} is no such file ({error})") from error
    return found


def _stands(vault: Vault, laid: Deposit, structure: str, host: str) -> bool:
    """Whether it is an open right of that very host."""
    held = vault.credentials.get(laid.user) if is_word(laid.user) else None
    return (
        held is not None
        and not held.closed_ns
        and (held.structure, held.host) == (structure, host)
        and held.secret_sha256 == _digest(laid.secret)
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
