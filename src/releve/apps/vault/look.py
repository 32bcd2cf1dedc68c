"""`releve vault receipts|head|view|scrub|clock`: what the vault has, proved without a key."""

import json
from collections import Counter
from pathlib import Path

import click
import msgspec

from releve.adapters.system import new_id
from releve.adapters.vault import heads as kept_heads
from releve.adapters.vault import scrub as scrubbing
from releve.adapters.vault import view as viewing
from releve.adapters.vault.heads import HeadMismatchError
from releve.adapters.vault.records import Records
from releve.adapters.vault.scrub import Scrub
from releve.apps.vault.opened import Vault
from releve.apps.vault.show import (
    Moment,
    data_option,
    end_progress,
    iso,
    json_option,
    progress,
    size,
    tell,
    when,
)
from releve.flow.vault import heads as heads_core
from releve.model.errors import ReleveError, UsageError
from releve.model.vault import Deed, Generation, ObjectKind, Opening, Receipt, Repository, View
from releve.recover.received import as_of


class ScrubFoundError(ReleveError):
    """Objects of the vault are not what was received."""

    status = 120
    remedy = (
        "Heal the named objects from a copy (see docs/vault.md), and look at the disk's health."
    )

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} objects are not what was received.")


@click.command()
@click.option("--structure", default="")
@click.option("--host", default="")
@click.option("--generation", default="")
@click.option("--since", type=Moment(), default=None)
@click.option("--limit", type=int, default=0, help="Les derniers seulement / only the last ones.")
@click.option("--objects/--summary", "each", default=None, help="Chaque objet, ou un résumé.")
@data_option
@json_option
def receipts(
    structure: str,
    host: str,
    generation: str,
    since: int | None,
    limit: int,
    each: bool | None,
    data: str,
    *,
    as_json: bool,
) -> None:
    """Ce qui a été reçu, et quand ; la chaîne est vérifiée / what was received; the chain is checked.

    Example: releve vault receipts --structure cabinet --host srv1 --limit 20
    """
    vault = Vault(data)  # reading it checks every link
    if not (each if each is not None else limit or since):
        for told in vault.book.generations():
            if _fits(told.repository, structure, host, generation):
                tell(_generation(told), _generation_line(told), as_json=as_json)
        return
    wanted = [
        entry
        for entry in vault.entries()
        if isinstance(entry, Receipt)
        and _fits(entry.repository, structure, host, generation)
        and entry.received_ns >= (since or 0)
    ]
    for receipt in wanted[-limit:]:
        facts: dict[str, object] = {"event": "receipt", **msgspec.to_builtins(receipt)}
        found = " (trouvé au démarrage)" if receipt.found else ""
        line = f"{receipt.seq:8} {when(receipt.received_ns)} {receipt.repository} {receipt.kind:9} "
        tell(facts, f"{line}{receipt.name[:16]} {size(receipt.size):>9}{found}", as_json=as_json)


@click.command()
@click.option(
    "--check",
    "checked",
    type=click.Path(exists=True, dir_okay=False),
    help="Fichier de têtes gardé ailleurs : la chaîne doit les contenir toutes.",
)
@data_option
@json_option
def head(checked: str | None, data: str, *, as_json: bool) -> None:
    """Signer la tête de la chaîne ; --check la compare avec celles gardées ailleurs.

    Signs the chain's end, or checks that heads kept elsewhere lie on this chain: nothing was removed.

    Example: releve vault head --check /mnt/usb/heads-2026-11.jsonl
    """
    vault = Vault(data)
    if checked:
        public = vault.layout.key().public_key().public_bytes_raw()
        signed = kept_heads.read(Path(checked))
        if not signed:  # one that was emptied would prove anything
            raise UsageError(f"{checked} holds no signed head: nothing is proved.")
        opened = [heads_core.open_head(public, one) for one in signed]
        kept = [one for one in opened if one is not None]
        if len(kept) != len(signed):
            raise HeadMismatchError(f"{len(signed) - len(kept)} heads are not signed by this vault")
        if why := heads_core.why_not_on(vault.entries(), kept):
            raise HeadMismatchError(why)
        facts: dict[str, object] = {"event": "heads_checked", "heads": len(kept)}
        tell(facts, f"{len(kept)} têtes, toutes sur la chaîne", as_json=as_json)
        return
    made = vault.heads().sign(vault.journal.end, vault.clock.now_ns(), vault.clock.wall_ns())
    told = kept_heads.as_facts(made)
    tell({"event": "head", **told}, f"{told['seq']} {told['hash']}", as_json=as_json)


@click.command()
@click.option(
    "--as-of", "at_ns", type=Moment(), help="Reçu jusqu'à cet instant (2026-11-22T03:00)."
)
@click.option("--structure", default="")
@click.option("--host", default="")
@click.option(
    "--generation", default="", help="Sinon la plus récente qui avait un instantané alors."
)
@click.option("--verify", is_flag=True, help="Relire et comparer chaque contenu.")
@click.option("--list", "listed", is_flag=True, help="Les vues qui existent.")
@click.option("--remove", "removed", default="", metavar="ID", help="Enlever une vue.")
@click.option("--sweep", is_flag=True, help="Enlever celles dont l'ouverture est finie.")
@data_option
@json_option
def view(
    at_ns: int | None,
    structure: str,
    host: str,
    generation: str,
    removed: str,
    data: str,
    *,
    verify: bool,
    listed: bool,
    sweep: bool,
    as_json: bool,
) -> None:
    """Le dépôt tel que reçu à un instant, sans clé / the repository as received by a time, keyless.

    What was added later, a poisoned index for one, is not in it. Read it with `restic --no-lock -r FOLDER`,
    or through the gate as /views/ID/ with a restore credential.

    Example: releve vault view --as-of 2026-11-22T03:00 --structure cabinet --host srv1
    """
    vault = Vault(data)
    if listed:
        for kept in vault.views.all():
            tell(_view(kept), _view_line(kept), as_json=as_json)
        return
    if sweep:
        gone = sweep_views(vault)
        tell({"event": "swept", "views": gone}, f"Enlevées : {gone}", as_json=as_json)
        return
    if removed:
        if not viewing.remove(vault.layout, removed):
            raise viewing.ViewError(f"there is no view {removed}")
        tell({"event": "removed", "view": removed}, f"Enlevée : {removed}", as_json=as_json)
        return
    if at_ns is None or not structure or not host:
        raise click.UsageError("--as-of, --structure et --host sont nécessaires / are needed")
    made = make_view(
        vault, structure=structure, host=host, generation=generation, at_ns=at_ns, verify=verify
    )
    end_progress()
    tell(_view(made), _view_line(made), as_json=as_json)


def make_view(
    vault: Vault,
    *,
    structure: str,
    host: str,
    generation: str = "",
    at_ns: int,
    verify: bool,
    by: str = "",
) -> View:
    """A view of one host's repository; without a generation, of the newest with a snapshot by then.

    Raises: NothingReceivedError, ViewError.
    """
    repository = Repository(
        structure=structure,
        host=host,
        generation=generation or _newest(vault, structure, host, at_ns),
    )
    chosen = as_of(vault.entries(), repository, at_ns)
    kinds = Counter(receipt.kind for receipt in chosen.receipts)
    if not (kinds[ObjectKind.CONFIG] and kinds[ObjectKind.KEYS] and kinds[ObjectKind.SNAPSHOTS]):
        raise viewing.NothingReceivedError(repository, when(at_ns))
    asked = View(
        id=f"v-{new_id()}",
        repository=repository,
        as_of_ns=at_ns,
        last_seq=chosen.last_seq,
        objects=len(chosen.receipts),
        bytes=chosen.bytes,
        left_out=chosen.left_out,
        made_ns=vault.clock.now_ns(),
        verified=verify,
        folder="",
        by=by,
    )
    return viewing.make(
        vault.layout,
        chosen,
        asked,
        verify=verify,
        tell=lambda done, of: progress(f"{done} / {of}"),
    )


def sweep_views(vault: Vault) -> int:
    """Take away the views of openings that are over; how many. What they showed stays."""
    kept, now, gone = Records(vault.layout.openings, Opening), vault.clock.now_ns(), 0
    for made in vault.views.all():
        opening = kept.get(made.by) if made.by else None
        if opening is not None and (opening.closed_ns or now >= opening.expires_ns):
            gone += viewing.remove(vault.layout, made.id)
            about = {"view": made.id, "opening": opening.id}
            vault.add(Deed(what="vault:view:ended", about=about))
    return gone


@click.command()
@click.option(
    "--seconds", type=float, default=0.0, help="S'arrêter après ; l'appel suivant continue."
)
@click.option("--restart", is_flag=True, help="Recommencer depuis le début.")
@data_option
@json_option
def scrub(seconds: float, data: str, *, restart: bool, as_json: bool) -> None:
    """Relire tout le coffre sans clé et nommer ce qui n'est plus ce qui fut reçu.

    Reads the whole store without any key, compares names and receipts, names what differs. Resumable.

    Example: releve vault scrub --seconds 3600
    """
    vault = Vault(data)
    begun = scrubbing.load(vault.layout)
    if restart or begun is None or begun.ended_ns:
        begun = scrubbing.begin(begun, vault.clock.now_ns(), vault.book.seq)

    def told(at: Scrub) -> None:
        progress(f"{at.last_seq} / {at.until_seq}  {size(at.bytes)}  {at.mb_per_s} Mo/s")
        if as_json:
            click.echo(json.dumps(_scrub(at, "scrubbing")))

    at = scrubbing.run(
        vault.layout,
        vault.entries(),
        vault.book,
        begun,
        now_ns=vault.clock.now_ns,
        tell=told,
        seconds=seconds,
    )
    end_progress()
    if at.ended_ns and not begun.ended_ns:
        about = {"objects": str(at.objects), "bytes": str(at.bytes), "bad": str(len(at.bad))}
        vault.add(Deed(what="vault:store:scrubbed", about=about))
    for bad in at.bad:
        name, whose = f"{bad.repository}/{bad.kind}/{bad.name}", bad.repository.partition("/")[0]
        vault.notices.tell("object_bad", name, why=bad.why, structure=whose)
        line = f"{bad.why:10} {name}"
        tell({"event": "bad", **msgspec.to_builtins(bad)}, line, as_json=as_json)
    state = "fini" if at.ended_ns else "à continuer"
    words = f"{at.objects} objets, {size(at.bytes)}, {at.mb_per_s} Mo/s, {len(at.bad)} mauvais ; {state}"
    tell(_scrub(at, "scrub"), words, as_json=as_json)
    if at.bad:
        raise ScrubFoundError(len(at.bad))


@click.command()
@click.option("--accept-wall", is_flag=True, help="L'heure de la machine est juste : la prendre.")
@click.option("--by", default="", help="Qui en répond.")
@data_option
@json_option
def clock(by: str, data: str, *, accept_wall: bool, as_json: bool) -> None:
    """L'heure du coffre et celle de la machine / the vault's clock and the machine's.

    The vault's clock runs on evenly whatever the machine's is set to. When the machine's is right and the
    vault's is not (a wrong start), --accept-wall takes it over; that is a deed in the chain. Restart the gate after.

    Example: releve vault clock
    """
    vault = Vault(data)
    ahead_ns = vault.clock.ahead_ns()
    if accept_wall:
        about = {"ahead_s": f"{ahead_ns / 1e9:.0f}"}
        vault.add(Deed(what="person:clock:accepted", by=by, about=about))
        vault.notices.tell("clock_accepted", by, **about)
        vault.clock.set(vault.clock.wall_ns())
    facts = {
        "event": "clock",
        "vault": iso(vault.clock.now_ns()),
        "machine": iso(vault.clock.wall_ns()),
        "ahead_s": round(ahead_ns / 1e9, 3),
        "accepted": accept_wall,
    }
    words = f"coffre {when(vault.clock.now_ns())}, machine {when(vault.clock.wall_ns())}"
    tell(facts, words, as_json=as_json)


def _newest(vault: Vault, structure: str, host: str, at_ns: int) -> str:
    """The generation whose snapshot was the last one received by then; empty if there is none."""
    newest, chosen = 0, ""
    for entry in vault.entries():
        if not isinstance(entry, Receipt) or entry.received_ns > at_ns:
            continue
        repository = entry.repository
        if (repository.structure, repository.host) != (structure, host):
            continue
        is_standing = vault.book.held(repository, entry.kind, entry.name) is not None
        if entry.kind is ObjectKind.SNAPSHOTS and entry.received_ns > newest and is_standing:
            newest, chosen = entry.received_ns, repository.generation
    return chosen


def _fits(repository: Repository, structure: str, host: str, generation: str) -> bool:
    return (
        repository.structure == (structure or repository.structure)
        and repository.host == (host or repository.host)
        and repository.generation == (generation or repository.generation)
    )


def _generation(told: Generation) -> dict[str, object]:
    return {"event": "generation", "name": str(told.repository), **msgspec.to_builtins(told)}


def _generation_line(told: Generation) -> str:
    gone = f"  supprimée {when(told.dropped_ns)}" if told.dropped_ns else ""
    return (
        f"{told.repository!s:40} {told.objects:8} objets {size(told.bytes):>10}  "
        f"{when(told.first_ns)} … {when(told.last_ns)}{gone}"
    )


def _view(made: View) -> dict[str, object]:
    return {"event": "view", "url_path": f"/views/{made.id}/", **msgspec.to_builtins(made)}


def _view_line(made: View) -> str:
    return (
        f"{made.id}  {made.repository}  {when(made.as_of_ns)}  {made.objects} objets, "
        f"{size(made.bytes)}, {made.left_out} laissés de côté\n{made.folder}"
    )


def _scrub(at: Scrub, event: str) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(at)
    del told["passes"]
    return told | {"event": event, "mb_per_s": at.mb_per_s, "bad": len(at.bad)}
