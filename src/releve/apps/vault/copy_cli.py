"""`releve vault copy`: a second vault by pull, a bucket with Object Lock; checked, probed, healed from."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import click
import msgspec

from releve.adapters.own_key import public_key_of
from releve.adapters.vault.remote import Remote
from releve.apps.vault.access import VaultNameError, check_name
from releve.apps.vault.copies import Copies
from releve.apps.vault.healing import Mended
from releve.apps.vault.healing import heal as mend
from releve.apps.vault.opened import Vault
from releve.apps.vault.pulling import Pull, entries
from releve.apps.vault.show import (
    data_option,
    end_progress,
    json_option,
    progress,
    size,
    tell,
    when,
)
from releve.apps.vault.standing import OVERDUE_NS
from releve.flow.vault.book import Book
from releve.flow.vault.copying import (
    CopyIncompleteError,
    CopySourceError,
    NotImmutableError,
    claim_of,
    is_proved,
)
from releve.model.copies import Checked, Copy, CopyKind, Ran
from releve.model.errors import UsageError
from releve.model.vault import Credential, CredentialKind, Deed

_LOCK_DAYS = 434  # 13 months of 31 days, the wait, and three weeks


@click.group()
def copy() -> None:
    """Copies du coffre : un second coffre qui tire, un seau verrouillé.

    Copies need no key of any backup. What a copy is shown as, it was tried to be: `copy verify`, `copy probe`.
    """


@copy.command("credential")
@click.argument("name")
@data_option
@json_option
def credential_(name: str, data: str, *, as_json: bool) -> None:
    """Un droit de copie, pour le second coffre : il ne peut que lire / a copy's credential: it reads.

    Example: releve vault copy credential coffre2
    """
    vault = Vault(data)
    check_name(name)
    if vault.credentials.get(name) is not None:
        raise VaultNameError(name, "there is such a credential, open or closed")
    secret = secrets.token_urlsafe(32)
    made = Credential(
        id=name,
        kind=CredentialKind.COPY,
        structure="",
        host="",
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        made_ns=vault.clock.now_ns(),
    )
    vault.credentials.put(name, made)
    vault.add(Deed(what="person:credential:added", by=name, about={"kind": "copy"}))
    facts = {"event": "credential", "credential": name, "secret": secret}
    tell(facts, f"{name}\n{secret}", as_json=as_json)


@copy.command()
@click.argument("name")
@click.option("--kind", type=click.Choice([each.value for each in CopyKind]), required=True)
@click.option("--url", required=True, help="Porte de l'autre coffre, ou S3.")
@click.option("--secret-file", required=True, type=click.Path(), help="Deux lignes, 0600.")
@click.option("--public-key", default="", help="Clé des têtes de l'autre coffre (HEX|FICHIER).")
@click.option("--authority", default="", help="Son autorité TLS (PEM), si elle est à lui.")
@click.option("--bucket", default="")
@click.option("--prefix", default="")
@click.option("--lock-days", type=int, default=_LOCK_DAYS, show_default=True)
@click.option("--door", "doors", multiple=True, metavar="HOST:PORT", help="Doit être fermée (S3).")
@data_option
@json_option
def add(
    name: str,
    kind: str,
    url: str,
    secret_file: str,
    public_key: str,
    authority: str,
    bucket: str,
    prefix: str,
    lock_days: int,
    doors: tuple[str, ...],
    data: str,
    *,
    as_json: bool,
) -> None:
    """Ajouter une copie : source (tirer d'un coffre), vault (qui nous copie), s3.

    Example: releve vault copy add un --kind source --url https://c:8440/ --secret-file un.txt --public-key un.pub
    """
    is_bucket = kind == CopyKind.S3
    if is_bucket and (not bucket or lock_days < 1):
        raise UsageError("--bucket and --lock-days are needed for s3.")
    made = Copy(
        name=name,
        kind=CopyKind(kind),
        url=url,
        secret_file=str(Path(secret_file).absolute()),
        public_key="" if is_bucket else _key(public_key),
        authority_file=str(Path(authority).absolute()) if authority else "",
        bucket=bucket,
        prefix=prefix,
        lock_days=lock_days if is_bucket else 0,
        doors=doors,
    )
    vault = Vault(data)
    Copies(vault.layout).add(made)
    vault.add(Deed(what="person:copy:added", about={"name": name, "kind": kind, "url": url}))
    tell({"event": "copy", **msgspec.to_builtins(made)}, name, as_json=as_json)


@copy.command("list")
@data_option
@json_option
def list_(data: str, *, as_json: bool) -> None:
    """Les copies, et ce qui en est prouvé / the copies, and what is proved of them.

    Example: releve vault copy list --json
    """
    vault = Vault(data)
    copies, now = Copies(vault.layout), vault.clock.now_ns()
    for each in copies.all():
        done, probe = copies.progress(each.name), copies.probe(each.name)
        proved = is_proved(each, probe, now)
        is_overdue = each.kind is not CopyKind.VAULT and now - done.ran_ns > OVERDUE_NS
        facts: dict[str, object] = {
            "event": "copy",
            **msgspec.to_builtins(each),
            "progress": msgspec.to_builtins(done),
            "probe": msgspec.to_builtins(probe) if probe else None,
            "immutable": proved,
            "overdue": is_overdue,
        }
        words = [f"{each.name:20} {each.kind.value:7} {each.url} copié {when(done.ran_ns)}"]
        words += ["EN RETARD"] if is_overdue else []
        words.append(f"vérifié {when(done.verified_ns)}")
        if each.kind is CopyKind.S3:
            at = when(probe.at_ns) if probe else "jamais éprouvé"
            words.append(f"immuable, éprouvé {at}" if proved else f"immuabilité non prouvée ({at})")
        tell(facts, "  ".join(words), as_json=as_json)


@copy.command()
@click.argument("name")
@data_option
@json_option
def run(name: str, data: str, *, as_json: bool) -> None:
    """Apporter ce qui est nouveau / bring what is new.

    A source that lost or changed what it had receipted is an alert, and the status says so.

    Example: releve vault copy run principal
    """
    vault = Vault(data)
    copies = Copies(vault.layout)
    wanted = copies.get(name, CopyKind.SOURCE, CopyKind.S3)
    with copies.only_run(name):
        done: Ran = _of(vault, copies, wanted).run(_progress)
    end_progress()
    words = f"{done.objects} objets, {size(done.bytes)}"
    words += f" ; {len(done.lost)} perdus à la source" if done.lost else ""
    tell(msgspec.to_builtins(done) | {"event": "copied"}, words, as_json=as_json)
    if done.lost:
        raise CopySourceError(name, f"{len(done.lost)} receipted objects, first {done.lost[0]}")


@copy.command()
@click.argument("name")
@click.option("--read", is_flag=True, help="Relire et comparer chaque contenu.")
@data_option
@json_option
def verify(name: str, data: str, *, read: bool, as_json: bool) -> None:
    """La copie a-t-elle tout ce qu'elle doit ? / has the copy all that it should?

    Example: releve vault copy verify s3 --read
    """
    vault = Vault(data)
    copies = Copies(vault.layout)
    wanted = copies.get(name)
    is_ours = wanted.kind is CopyKind.VAULT
    checked = _there(vault, wanted) if is_ours else _of(vault, copies, wanted).verify(read=read)
    at = msgspec.structs.replace(copies.progress(name), verified_ns=vault.clock.now_ns())
    lacking = len(checked.missing) + len(checked.bad)
    if not lacking:
        copies.keep_progress(name, at)
    words = f"{checked.objects} objets, {size(checked.bytes)}"
    words += f" ; manquent {len(checked.missing)}, mauvais {len(checked.bad)}"
    tell({"event": "verified", **msgspec.to_builtins(checked)}, words, as_json=as_json)
    if lacking:
        vault.notices.tell("copy_incomplete", name, objects=str(lacking))
        raise CopyIncompleteError(name, lacking)


@copy.command()
@click.argument("name")
@data_option
@json_option
def heal(name: str, data: str, *, as_json: bool) -> None:
    """Reprendre d'une copie ce que la relecture a trouvé mauvais / heal what the scrub found bad.

    The bad content is kept aside as evidence; what comes is checked against its receipt.

    Example: releve vault scrub; releve vault copy heal coffre2
    """
    vault = Vault(data)
    wanted = Copies(vault.layout).get(name)
    left = 0
    for each in _heal(vault, wanted):
        left += not each.healed
        words = f"{each.name}: {'guéri' if each.healed else each.why}"
        tell({"event": "mended", **msgspec.to_builtins(each)}, words, as_json=as_json)
    if left:
        raise CopyIncompleteError(name, left)


@copy.command()
@click.argument("name")
@data_option
@json_option
def probe(name: str, data: str, *, as_json: bool) -> None:
    """Attaquer l'immuabilité promise, avec nos propres clés / attack the WORM claim, with our own keys.

    Leaves one small locked object. A copy is shown as immutable for 30 days after every attack failed.

    Example: releve vault copy probe s3
    """
    from releve.adapters.vault.s3 import Bucket
    from releve.adapters.vault.s3_probe import probe as attack

    vault = Vault(data)
    copies = Copies(vault.layout)
    wanted = copies.get(name, CopyKind.S3)
    made = attack(Bucket(wanted), vault.clock.now_ns())
    copies.keep_probe(name, made)
    vault.add(
        Deed(
            what="vault:copy:probed",
            about={"name": name, "claim": claim_of(wanted), "holds": str(made.holds)},
        )
    )
    for each in made.trials:
        words = f"{'tient' if each.held else 'CÈDE':6} {each.attack:32} {each.said}"
        tell({"event": "trial", **msgspec.to_builtins(each)}, words, as_json=as_json)
    facts = {"event": "probe", "holds": made.holds, "at_ns": made.at_ns, "claim": made.claim}
    tell(facts, "immuable" if made.holds else "NON immuable", as_json=as_json)
    if not made.holds:
        broken = [each.attack for each in made.trials if not each.held]
        vault.notices.tell("copy_not_immutable", name, attacks=", ".join(broken))
        raise NotImmutableError(name, broken)


class _Driver(Protocol):
    def run(self, tell: Callable[[int, int], object]) -> Ran: ...
    def verify(self, *, read: bool) -> Checked: ...


def _of(vault: Vault, copies: Copies, wanted: Copy) -> _Driver:
    if wanted.kind is CopyKind.SOURCE:
        return Pull(vault, copies, wanted)
    from releve.apps.vault.pushing import Push  # botocore is slow to import

    return Push(vault, copies, wanted)


def _heal(vault: Vault, wanted: Copy) -> Iterator[Mended]:
    if wanted.kind is CopyKind.S3:
        from releve.adapters.vault.s3 import Bucket

        yield from mend(vault, Bucket(wanted), wanted.name)
    else:
        with Remote(wanted) as remote:
            yield from mend(vault, remote, wanted.name)


def _there(vault: Vault, wanted: Copy) -> Checked:
    """Which of our objects another vault's proved chain says that it has."""
    book, missing, count, total = Book(), [], 0, 0
    with Remote(wanted) as remote:
        book.apply(entries(remote))
    for where in vault.book.repositories():
        for kind, name, held in vault.book.names(where):
            theirs = book.held(where, kind, name)
            count, total = count + 1, total + held.size
            if theirs is None or theirs.sha256 != held.sha256:
                missing.append(f"{where}/{kind}/{name}")
    return Checked(objects=count, bytes=total, missing=tuple(missing))


def _key(said: str) -> str:
    """A public key in hex, or the file that holds it."""
    try:
        return public_key_of(said)
    except (OSError, ValueError) as error:
        raise UsageError(
            "--public-key: DATA/head.pub of the other vault, or its 64 hex digits."
        ) from error


def _progress(done: int, whole: int) -> None:
    progress(f"{done}/{whole}")
