"""`releve vault approver|agreement`: who decides, and what was decided beforehand."""

from pathlib import Path

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.durable import write
from releve.adapters.own_key import public_key_of
from releve.apps.vault.access import Access, VaultNameError, check_name
from releve.apps.vault.opened import Vault
from releve.apps.vault.show import Moment, Size, data_option, json_option, tell, when
from releve.flow.vault import drill_path, openings, signoffs
from releve.flow.vault.openings import OpeningError
from releve.model.errors import ReleveError
from releve.model.vault import (
    Agreement,
    Approver,
    Deed,
    Signoff,
)


class KeyFileError(ReleveError):
    """The file holds no Ed25519 key as it should."""

    status = 119
    remedy = "Make a key with `releve vault approver make-key FILE`; FILE.pub is the public half."

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} holds no usable key.")


@click.group()
def approver() -> None:
    """Approbateurs : dont deux signatures comptent / approvers: two of them decide together."""


@approver.command("make-key")
@click.argument("file")
@json_option
def approver_make_key(file: str, *, as_json: bool) -> None:
    """Faire une clé, chez l'approbateur : FILE et FILE.pub / make a key, at the approver's.

    Example: releve vault approver make-key martin.key
    """
    path = Path(file)
    if path.exists():
        raise KeyFileError(f"{file} (it exists)")
    key = Ed25519PrivateKey.generate()
    public = signoffs.public_hex(key)
    write(path, (key.private_bytes_raw().hex() + "\n").encode())
    write(path.with_name(path.name + ".pub"), (public + "\n").encode())
    tell({"event": "key", "public_key": public}, public, as_json=as_json)


@approver.command("add")
@click.argument("name")
@click.option("--public-key", required=True, metavar="HEX|FILE")
@data_option
@json_option
def approver_add(name: str, public_key: str, data: str, *, as_json: bool) -> None:
    """Inscrire un approbateur / enrol an approver.

    Example: releve vault approver add martin --public-key martin.key.pub
    """
    vault = Vault(data)
    access = Access(vault)
    check_name(name)
    if access.approvers.get(name) is not None:
        raise VaultNameError(name, "there is such an approver")
    public = _public(public_key)
    now = vault.clock.now_ns()
    access.approvers.put(name, Approver(name=name, public_key=public, enrolled_ns=now))
    vault.add(Deed(what="person:approver:enrolled", by=name, about={"public_key": public}))
    vault.notices.tell("approver_enrolled", name)
    tell({"event": "approver", "name": name, "public_key": public}, name, as_json=as_json)


@approver.command("remove")
@click.argument("name")
@data_option
@json_option
def approver_remove(name: str, data: str, *, as_json: bool) -> None:
    """Rayer un approbateur : ses signatures ne comptent plus / an approver's signatures end to count.

    Example: releve vault approver remove martin
    """
    vault = Vault(data)
    access = Access(vault)
    check_name(name)
    held = access.approvers.get(name)
    if held is None:
        raise signoffs.ApproverUnknownError(name)
    access.approvers.put(name, msgspec.structs.replace(held, removed_ns=vault.clock.now_ns()))
    vault.add(Deed(what="person:approver:removed", by=name))
    vault.notices.tell("approver_removed", name)
    tell({"event": "removed", "name": name}, f"Rayé : {name}", as_json=as_json)


@approver.command("list")
@data_option
@json_option
def approver_list(data: str, *, as_json: bool) -> None:
    """Les approbateurs / the approvers.

    Example: releve vault approver list
    """
    for held in Access(Vault(data)).approvers.all():
        state = "rayé" if held.removed_ns else "inscrit"
        facts = {"event": "approver", **msgspec.to_builtins(held)}
        tell(facts, f"{held.name:20} {state:8} {held.public_key}", as_json=as_json)


@click.group()
def agreement() -> None:
    """Chemins convenus d'avance, pour trois heures du matin / paths agreed on beforehand."""


@agreement.command("add")
@click.argument("name")
@click.option("--structure", required=True)
@click.option("--host", default="", help="Une machine ; sinon toutes celles de la structure.")
@click.option(
    "--room-key", required=True, metavar="HEX|FILE", help="Clé publique de la salle propre."
)
@click.option(
    "--hours", type=float, default=4.0, show_default=True, help="Durée de chaque ouverture."
)
@click.option("--until", type=Moment(), required=True, help="Fin de l'accord (2027-06-30).")
@click.option(
    "--drills-every",
    type=float,
    default=0.0,
    metavar="JOURS",
    help="Pour les essais de restauration seulement, un par si longtemps.",
)
@click.option("--reads", type=Size(), default="0", help="Ce qu'un essai lit au plus (200G).")
@data_option
@json_option
def agreement_add(
    name: str,
    structure: str,
    host: str,
    room_key: str,
    hours: float,
    until: int,
    drills_every: float,
    reads: int,
    data: str,
    *,
    as_json: bool,
) -> None:
    """Proposer un chemin ; il vaut quand deux approbateurs l'ont signé / in force once two signed.

    Example: releve vault agreement add nuit --structure cabinet --room-key salle.key.pub --until 2027-06-30

    With --drills-every the vault itself opens it for weekly drills, and for nothing else:
    releve vault agreement add essais --structure cabinet --host srv1 --room-key salle.key.pub
    --until 2027-06-30 --drills-every 7 --reads 200G
    """
    vault = Vault(data)
    access = Access(vault)
    for word in filter(None, (name, structure, host)):
        check_name(word)
    if access.agreements.get(name) is not None:
        raise VaultNameError(name, "there is such an agreement, standing or ended")
    if not 0 < hours <= openings.LONGEST_HOURS:
        raise OpeningError(f"it may last {openings.LONGEST_HOURS:g} hours at most")
    made = Agreement(
        name=name,
        structure=structure,
        host=host,
        room_key=_public(room_key),
        hours=hours,
        until_ns=until,
        made_ns=vault.clock.now_ns(),
        drill_every_days=drills_every,
        read_bytes=reads,
    )
    if drills_every or reads:
        drill_path.check_agreement(made)
    access.agreements.put(name, made)
    tell({"event": "agreement", **msgspec.to_builtins(made)}, name, as_json=as_json)


@agreement.command("list")
@data_option
@json_option
def agreement_list(data: str, *, as_json: bool) -> None:
    """Les chemins convenus, et ceux qui attendent des signatures / the paths, and how they stand.

    Example: releve vault agreement list
    """
    vault = Vault(data)
    access = Access(vault)
    approvers, now_ns = access.approvers.all(), vault.clock.now_ns()
    for held in access.agreements.all():
        stands = openings.stands(held, approvers, now_ns)
        facts = {"event": "agreement", **msgspec.to_builtins(held), "in_force": stands}
        state = "en vigueur" if stands else "fini" if held.ended_ns else "attend, ou fini"
        use = "essais" if held.drill_every_days else "reprise"
        place = f"{held.structure}/{held.host or '*'}"
        words = f"{held.name:20} {use:8} {place}  {state}, jusqu'au {when(held.until_ns)}"
        tell(facts, words, as_json=as_json)


@agreement.command("sign")
@click.argument("name")
@click.option("--approver", required=True, metavar="NAME")
@click.option("--key", default="", metavar="FILE")
@click.option("--signature", default="", metavar="HEX")
@data_option
@json_option
def agreement_sign(
    name: str, approver: str, key: str, signature: str, data: str, *, as_json: bool
) -> None:
    """Signer un chemin / sign an agreement.

    Example: releve vault agreement sign nuit --approver martin --key martin.key
    """
    vault = Vault(data)
    access = Access(vault)
    held = _agreement(access, name)
    text = openings.agreement_statement(held)
    person = access.approvers.get(approver)
    made = signoffs.accept(
        person,
        approver,
        text,
        signature or signoffs.sign(read_private(key), text),
        vault.clock.now_ns(),
    )
    others: tuple[Signoff, ...] = tuple(s for s in held.signoffs if s.approver != approver)
    held = msgspec.structs.replace(held, signoffs=(*others, made))
    access.agreements.put(name, held)
    stands = signoffs.is_enough(held.signoffs, access.approvers.all(), text)
    vault.add(
        Deed(
            what=f"person:agreement:{'agreed' if stands else 'signed'}",
            structure=held.structure,
            host=held.host,
            by=approver,
            about={"agreement": name},
        )
    )
    facts = {"event": "agreement", "name": name, "in_force": stands}
    tell(facts, "En vigueur" if stands else "Signé ; il manque une personne", as_json=as_json)


@agreement.command("end")
@click.argument("name")
@click.option("--by", default="")
@data_option
@json_option
def agreement_end(name: str, by: str, data: str, *, as_json: bool) -> None:
    """Mettre fin à un chemin, à l'instant / end an agreement, at once.

    Example: releve vault agreement end nuit
    """
    access = Access(Vault(data))
    held = _agreement(access, name)
    access.end_agreement(held, by)
    tell({"event": "ended", "name": name}, f"Fini : {name}", as_json=as_json)


def read_private(file: str) -> Ed25519PrivateKey:
    """The key of `approver make-key`. Raises: KeyFileError."""
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(Path(file).read_text().strip()))
    except (OSError, ValueError) as error:
        raise KeyFileError(file or "nothing") from error


def _public(said: str) -> str:
    """From hex or a file. Raises: KeyFileError."""
    try:
        return public_key_of(said)
    except (OSError, ValueError) as error:
        raise KeyFileError(said) from error


def _agreement(access: Access, name: str) -> Agreement:
    check_name(name)
    held = access.agreements.get(name)
    if held is None:
        raise OpeningError(f"there is no agreement {name}")
    return held
