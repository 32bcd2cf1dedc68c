"""`releve vault credential`: who may add, and who may read back, for how long."""

import datetime as dt
import json
from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.apps.vault.access import Access, Granted, VaultNameError, check_name
from releve.apps.vault.deciders import read_private
from releve.apps.vault.deposits import Laid, add, lay
from releve.apps.vault.leaving import close
from releve.apps.vault.opened import Vault
from releve.apps.vault.show import Size, data_option, json_option, size, tell, until
from releve.flow.vault import openings, signoffs
from releve.flow.vault.openings import OpeningError
from releve.model.vault import (
    Credential,
    Limits,
    Opening,
)

_LAID = {
    Laid.MADE: "droit fait, secret dans {}",
    Laid.KEPT: "déjà là, secret dans {}",
    Laid.CARRIED: "déjà là ; {} a été emporté. S'il est perdu : `releve vault credential add` avec un"
    " autre nom, le même --host et le même --out, puis `credential close` pour celui-ci",
}


@click.group()
def credential() -> None:
    """Droits d'accès : déposer, relire / credentials: to add, to read back."""


@credential.command("add")
@click.argument("name")
@click.option("--structure", required=True)
@click.option("--host", required=True)
@click.option("--quota", type=Size(), default="0", help="Place de la machine (500G) ; 0 : sans.")
@click.option("--rate", type=Size(), default="0", help="Octets par seconde (20M) ; 0 : sans.")
@click.option("--requests", type=int, default=0, help="Requêtes par seconde ; 0 : sans.")
@click.option("--reads", type=Size(), help="Octets de données relus par jour (256M).")
@click.option(
    "--out",
    default="",
    metavar="FILE",
    help="Secret dans ce fichier (0600) et nulle part ailleurs ; à refaire sans risque.",
)
@data_option
@json_option
def credential_add(
    name: str,
    structure: str,
    host: str,
    quota: int,
    rate: int,
    requests: int,
    reads: int | None,
    out: str,
    data: str,
    *,
    as_json: bool,
) -> None:
    """Droit de dépôt d'une machine ; le secret n'est dit qu'une fois.

    An ingest credential for one host: it adds, and reads little. Its secret is told once; with
    --out it goes into a file for the host's installer (`releve onboard`) and is not shown.

    Example: releve vault credential add srv1 --structure cabinet --host srv1 --quota 500G
    """
    vault = Vault(data)
    usual = vault.config.ingest
    limits = Limits(
        quota_bytes=quota or usual.quota_bytes,
        bytes_per_s=rate or usual.bytes_per_s,
        requests_per_s=requests or usual.requests_per_s,
        read_bytes_per_day=usual.read_bytes_per_day if reads is None else reads,
    )
    if out:
        laid = lay(vault, name, structure, host, limits, Path(out))
        kept = {"event": "credential", "credential": name, "file": out, "state": laid.value}
        tell(kept, f"{name} : {_LAID[laid].format(out)}", as_json=as_json)
        return
    secret = add(vault, name, structure, host, limits)
    facts = {"event": "credential", "credential": name, "secret": secret}
    tell(facts, f"{name}\n{secret}", as_json=as_json)
    if not as_json:
        month = dt.datetime.now(dt.UTC).astimezone()
        told = f"--url https://COFFRE:8440/{structure}/{host}/{month:%Y-%m}/ --user {name}"
        click.echo(
            "Utilisateur, puis secret, dit cette seule fois : à mettre dans un fichier (0600) de la machine.\n"
            f"Là-bas : releve backup setup {told} --http-password-file FICHIER --folder DOSSIER",
            err=True,
        )


@credential.command("list")
@data_option
@json_option
def credential_list(data: str, *, as_json: bool) -> None:
    """Tous les droits, et les durées de chaque ouverture / all credentials; openings with times.

    Example: releve vault credential list --json
    """
    vault = Vault(data)
    kept, now = Access(vault), vault.clock.now_ns()
    for held in vault.credentials.all():
        opening = kept.openings.get(held.opening) if held.opening else None
        facts: dict[str, object] = {
            "event": "credential",
            "credential": held.id,
            "kind": held.kind.value,
            "structure": held.structure,
            "host": held.host,
            "state": _state(held, opening, now),
            "expires_ns": held.expires_ns,
        }
        if opening is not None:
            facts["opening"] = msgspec.to_builtins(opening)
            facts["steps"] = msgspec.to_builtins(openings.steps(opening))
        tell(facts, _line(held, opening, now), as_json=as_json)


@credential.command("close")
@click.argument("name")
@click.option("--by", default="", help="Qui ferme.")
@data_option
@json_option
def credential_close(name: str, by: str, data: str, *, as_json: bool) -> None:
    """Fermer un droit, à l'instant / close a credential, at once.

    Example: releve vault credential close srv1 --by "A. Martin"
    """
    vault = Vault(data)
    check_name(name)
    held = vault.credentials.get(name)
    if held is None:
        raise VaultNameError(name, "there is no such credential")
    if held.opening:
        Access(vault).close(held.opening, by)
    else:
        close(vault, name, by)
    tell({"event": "closed", "credential": name}, f"Fermé : {name}", as_json=as_json)


@credential.command("open")
@click.option("--structure", required=True)
@click.option("--host", default="", help="Une machine ; sinon toutes celles de la structure.")
@click.option(
    "--incident",
    required=True,
    help="L'incident, tel que la console le nomme : il y est raconté / as the console names it.",
)
@click.option("--reason", required=True)
@click.option("--by", required=True, help="Qui demande.")
@click.option("--hours", type=float, default=8.0, show_default=True)
@click.option("--agreed", default="", metavar="NAME", help="Chemin convenu d'avance.")
@click.option("--key", default="", metavar="FILE", help="Clé de la salle propre (avec --agreed).")
@click.option("--out", default="", metavar="FILE", help="Y écrire le droit (0600), sans le dire.")
@data_option
@json_option
def credential_open(
    structure: str,
    host: str,
    incident: str,
    reason: str,
    by: str,
    hours: float,
    agreed: str,
    key: str,
    out: str,
    data: str,
    *,
    as_json: bool,
) -> None:
    """Demander le droit de relire : deux personnes signent, ou le chemin convenu ouvre aussitôt.

    Ask for the right to restore, for one incident. Two approvers sign (`credential approve`), or, with
    --agreed, the clean room's key opens at once. The secret is told now; it works once it is open.
    The file of --out is what `releve recover start --right` and `releve drill run --right` take.

    Example: releve vault credential open --structure cabinet --incident 8bbfe0908672a688 --reason rançongiciel --by Roy
    """
    access = Access(Vault(data))
    asked = access.request(
        structure=structure,
        host=host,
        incident=incident,
        reason=reason,
        by=by,
        hours=hours,
        agreement=agreed,
    )
    if agreed:
        if not key:
            raise OpeningError("--agreed needs the clean room's --key")
        signature = signoffs.sign(read_private(key), openings.room_statement(asked))
        granted = access.open_on_path(asked, signature)
    else:
        granted = access.ask(asked)
    facts = _granted(granted)
    if out:
        write(Path(out), json.dumps(facts, ensure_ascii=False).encode())
        facts |= {"secret": "", "out": out}
    words = _granted_text(granted, out)
    tell(facts, words, as_json=as_json)


@credential.command("approve")
@click.argument("opening")
@click.option("--approver", required=True, metavar="NAME")
@click.option("--key", default="", metavar="FILE", help="Clé privée de l'approbateur.")
@click.option("--signature", default="", metavar="HEX", help="Signature faite ailleurs.")
@click.option("--show", is_flag=True, help="Dire seulement le texte à signer.")
@data_option
@json_option
def credential_approve(
    opening: str, approver: str, key: str, signature: str, data: str, *, show: bool, as_json: bool
) -> None:
    """Signer une demande ; la seconde personne l'ouvre / sign a request; the second person opens.

    Example: releve vault credential approve o-k3… --approver martin --key martin.key
    """
    access = Access(Vault(data))
    text = openings.opening_statement(access.opening(opening))
    if show:
        tell({"event": "statement", "text": text.decode()}, text.decode(), as_json=as_json)
        return
    signature = signature or signoffs.sign(read_private(key), text)
    signed = access.sign(opening, approver, signature)
    facts = {
        "event": "opened" if signed.opened_ns else "signed",
        "opening": signed.id,
        "signatures": len(signed.signoffs),
        "expires_ns": signed.expires_ns,
        "steps": msgspec.to_builtins(openings.steps(signed)),
    }
    words = (
        f"Ouvert jusqu'à {until(signed.expires_ns)}"
        if signed.opened_ns
        else "Signé ; il manque une personne"
    )
    tell(facts, words, as_json=as_json)


_STATES = {"closed": "fermé", "waiting": "attend", "expired": "fini", "open": "ouvert"}


def _state(held: Credential, opening: Opening | None, now_ns: int) -> str:
    if held.closed_ns:
        return "closed"
    if opening is not None and not opening.opened_ns:
        return "waiting"
    return "expired" if held.expires_ns and now_ns >= held.expires_ns else "open"


def _line(held: Credential, opening: Opening | None, now_ns: int) -> str:
    words = [f"{held.id:28} {held.kind.value:8} {held.structure}/{held.host or '*'}"]
    words.append(_STATES[_state(held, opening, now_ns)])
    if held.limits.quota_bytes:
        words.append(f"quota {size(held.limits.quota_bytes)}")
    if opening is not None:
        taken = openings.steps(opening)
        signed = len(opening.signoffs)
        words += [opening.incident, opening.agreement or f"{signed} signature{'s'[: signed > 1]}"]
        if taken.to_open_s is not None:
            words.append(f"ouvert en {taken.to_open_s} s, jusqu'à {until(opening.expires_ns)}")
        if taken.to_first_read_s is not None:
            words.append(f"première lecture à {taken.to_first_read_s} s")
    return "  ".join(words)


def _granted(granted: Granted) -> dict[str, object]:
    opening = granted.opening
    return {
        "event": "opened" if opening.opened_ns else "asked",
        "opening": opening.id,
        "credential": opening.id,
        "secret": granted.secret,
        "expires_ns": opening.expires_ns,
        "statement": openings.opening_statement(opening).decode(),
        "steps": msgspec.to_builtins(openings.steps(opening)),
    }


def _granted_text(granted: Granted, out: str = "") -> str:
    opening = granted.opening
    after = (
        f"Ouvert jusqu'à {until(opening.expires_ns)}"
        if opening.opened_ns
        else f"Deux approbateurs : releve vault credential approve {opening.id} --approver … --key …"
    )
    return f"{opening.id}\n{out or granted.secret}\n{after}"
