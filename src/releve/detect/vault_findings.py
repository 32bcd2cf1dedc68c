"""Events of vaults -> findings. One row per notice: how grave it is, and its sentence twice."""

from collections import defaultdict

import msgspec

from releve.model import event as ev
from releve.model.finding import Finding, Severity


class Row(msgspec.Struct, frozen=True):
    severity: Severity
    why: str
    why_en: str


# An unknown notice is a notice, never silence.
NOTICES: dict[str, Row] = {
    "object_bad": Row(
        Severity.SERIOUS,
        "Coffre : un objet n’est plus ce qui fut reçu ({why}) : {about}",
        "Vault: an object is not what was received ({why}): {about}",
    ),
    "object_missing": Row(
        Severity.CRITICAL,
        "Coffre : un objet reçu a disparu du disque : {about}",
        "Vault: an object that was received is gone from the disk: {about}",
    ),
    "found_at_start": Row(
        Severity.NOTICE,
        "Coffre : objets trouvés sur le disque sans reçu, après un arrêt brutal : {count}.",
        "Vault: objects found on the disk without a receipt, after a crash: {count}.",
    ),
    "strange": Row(
        Severity.NOTICE,
        "Coffre : fichiers étrangers mis à l’écart : {count}.",
        "Vault: strange files put aside: {count}.",
    ),
    "store_fell": Row(
        Severity.NOTICE,
        "Coffre : le serveur de stockage est tombé ; il est relancé.",
        "Vault: the store fell; it is started again.",
    ),
    "read_budget_used_up": Row(
        Severity.SERIOUS,
        "Coffre : l’accès de {about} a lu tout son budget. Quelqu’un copie-t-il l’historique ?",
        "Vault: {about} used up its reading budget. Is somebody copying the history?",
    ),
    "quota_used_up": Row(
        Severity.SERIOUS,
        "Coffre : {about} a rempli sa place ; ses sauvegardes ne sont plus reçues.",
        "Vault: {about} has filled its room; its backups are not received any more.",
    ),
    "disk_full": Row(
        Severity.CRITICAL,
        "Coffre : le disque est plein. Tout est gardé, plus rien n’est reçu.",
        "Vault: the disk is full. Everything is kept, nothing more is received.",
    ),
    "disk_forecast": Row(
        Severity.NOTICE,
        "Coffre : jours avant que le disque soit plein, au rythme actuel : {days_left}.",
        "Vault: days until the disk is full, at this pace: {days_left}.",
    ),
    "clock_stepped": Row(
        Severity.SERIOUS,
        "Coffre : l’heure de la machine a sauté de {ahead_s} s ; les reçus n’en dépendent pas.",
        "Vault: the machine's clock jumped by {ahead_s} s; receipts do not follow it.",
    ),
    "clock_behind": Row(
        Severity.NOTICE,
        "Coffre : son heure est en retard de {seconds} s sur le dernier reçu.",
        "Vault: its clock is {seconds} s behind the last receipt.",
    ),
    "clock_accepted": Row(
        Severity.SERIOUS,
        "Coffre : l’heure de la machine a été prise pour juste par {about} (écart {ahead_s} s).",
        "Vault: the machine's clock was accepted by {about} (difference {ahead_s} s).",
    ),
    "head_not_delivered": Row(
        Severity.NOTICE,
        "Coffre : une tête signée n’a pas pu être déposée ({about}).",
        "Vault: a signed head could not be delivered ({about}).",
    ),
    "restore_asked": Row(
        Severity.NOTICE,
        "Coffre : {by} demande le droit de restaurer {host} (incident {incident}).",
        "Vault: {by} asks for the right to restore {host} (incident {incident}).",
    ),
    "restore_signed": Row(
        Severity.NOTICE,
        "Coffre : {by} approuve le droit de restaurer {host} (incident {incident}).",
        "Vault: {by} approves the right to restore {host} (incident {incident}).",
    ),
    "restore_opened": Row(
        Severity.SERIOUS,
        "Coffre : droit de restaurer ouvert par {by} pour {host} ({path}, incident {incident}).",
        "Vault: right to restore opened by {by} for {host} ({path}, incident {incident}).",
    ),
    "restore_closed": Row(
        Severity.INFO,
        "Coffre : droit de restaurer {host} refermé par {by}.",
        "Vault: right to restore {host} closed by {by}.",
    ),
    "drill_opened": Row(
        Severity.INFO,
        "Coffre : droit de relire ouvert {hours} h pour l’essai de restauration de {host} (chemin {about}).",
        "Vault: right to read opened for {hours} h for the restore drill of {host} (path {about}).",
    ),
    "drill_refused": Row(
        Severity.NOTICE,
        "Coffre : un essai de restauration de {host} demandé par le chemin {about} est refusé.",
        "Vault: a restore drill of {host} that was asked for on the path {about} is refused.",
    ),
    "approver_enrolled": Row(
        Severity.SERIOUS,
        "Coffre : {about} peut désormais approuver.",
        "Vault: {about} may approve from now on.",
    ),
    "approver_removed": Row(
        Severity.SERIOUS,
        "Coffre : {about} ne peut plus approuver.",
        "Vault: {about} may not approve any more.",
    ),
    "retention_asked": Row(
        Severity.NOTICE,
        "Coffre : {by} demande un retrait (générations : {generations}) ; deux personnes décident.",
        "Vault: {by} asks for a removal (generations: {generations}); two people decide.",
    ),
    "retention_refused": Row(
        Severity.SERIOUS,
        "Coffre : retrait refusé, l’horloge n’est pas sûre.",
        "Vault: removal refused, the clock cannot be believed.",
    ),
    "hold_lifted": Row(
        Severity.SERIOUS,
        "Coffre : conservation légale {about} levée par deux personnes.",
        "Vault: legal hold {about} lifted by two people.",
    ),
    "copy_incomplete": Row(
        Severity.SERIOUS,
        "Coffre : la copie {about} n’a pas tout (objets manquants : {objects}).",
        "Vault: the copy {about} is not whole (objects that lack: {objects}).",
    ),
    "copy_not_immutable": Row(
        Severity.SERIOUS,
        "Coffre : la copie {about} n’est pas immuable ({attacks}).",
        "Vault: the copy {about} is not immutable ({attacks}).",
    ),
    "copy_source_lost": Row(
        Severity.CRITICAL,
        "Coffre : la source {copy} a perdu ce qu’elle avait reçu : {about}",
        "Vault: the source {copy} lost what it had received: {about}",
    ),
    "copy_source_changed": Row(
        Severity.CRITICAL,
        "Coffre : la source {about} n’est plus la même chaîne.",
        "Vault: the source {about} is not the same chain any more.",
    ),
    "seal_broken": Row(
        Severity.CRITICAL,
        "Coffre : le scellé d’une génération a été levé sur la machine du coffre : {about}",
        "Vault: the seal of a generation was taken off on the vault's own machine: {about}",
    ),
    "seal_not_possible": Row(
        Severity.NOTICE,
        "Coffre : une génération ne peut pas être scellée sur ce disque : {about}",
        "Vault: a generation cannot be sealed on this disk: {about}",
    ),
    "job_failed": Row(
        Severity.NOTICE,
        "Coffre : la tâche {about} a échoué (statut {status}).",
        "Vault: the job {about} failed (status {status}).",
    ),
    "job_overdue": Row(
        Severity.SERIOUS,
        "Coffre : la tâche {about} n’a pas abouti depuis trop longtemps (dernière fois : {last_ok}).",
        "Vault: the job {about} has not ended well for too long (last time: {last_ok}).",
    ),
}
PROOFS: dict[str, Row] = {
    "signature": Row(
        Severity.CRITICAL,
        "Coffre : une tête n’est pas signée par ce coffre. Quelqu’un d’autre parle à sa place.",
        "Vault: a head is not signed by this vault. Somebody else speaks in its place.",
    ),
    "went_back": Row(
        Severity.CRITICAL,
        "Coffre : la chaîne des reçus a reculé de l’entrée {known_seq} à {seq} : on en a retiré.",
        "Vault: the chain of receipts went back from entry {known_seq} to {seq}: some were removed.",
    ),
    "changed": Row(
        Severity.CRITICAL,
        "Coffre : l’entrée {seq} de la chaîne n’est plus la même : le passé a été réécrit.",
        "Vault: entry {seq} of the chain is another one: the past was rewritten.",
    ),
    "standing": Row(
        Severity.CRITICAL,
        "Coffre : un état n’est pas signé par ce coffre. Quelqu’un d’autre parle à sa place.",
        "Vault: a standing is not signed by this vault. Somebody else speaks in its place.",
    ),
}
# Words of the vault's programs that people read in sentences.
_WORDS = {
    "missing": ("absent", "missing"),
    "size": ("taille", "size"),
    "content": ("contenu", "content"),
    "unreadable": ("illisible", "unreadable"),
    "two_people": ("par deux personnes", "by two people"),
    "*": ("tous les postes", "every host"),
}
_TRANSLATED = ("why", "path", "host")
_UNKNOWN = Row(Severity.NOTICE, "Coffre : {notice} {about}", "Vault: {notice} {about}")
SILENT = "vault_silent"


def find(event: ev.VaultEvent, *, vault: str, identity: str) -> Finding:
    """What the event means."""
    match event:
        case ev.VaultNoticed():
            said = {**event.facts, "about": event.about, "notice": event.notice}
            row = NOTICES.get(event.notice, _UNKNOWN)
            return _finding(event, f"vault_{event.notice}", row, said, vault, identity)
        case ev.VaultProofRefused():
            said = {"seq": str(event.seq), "known_seq": str(event.known_seq)}
            row = PROOFS[event.why]
            return _finding(event, f"vault_proof_{event.why}", row, said, vault, identity)
        case ev.VaultWentSilent():
            row = Row(
                Severity.NOTICE,
                "Coffre : plus de nouvelles, aucune tête signée n’est arrivée.",
                "Vault: no news, no signed head has come.",
            )
            return _finding(event, SILENT, row, {}, vault, identity)


def _finding(
    event: ev.VaultEvent, kind: str, row: Row, said: dict[str, str], vault: str, identity: str
) -> Finding:
    return Finding(
        id=identity,
        host=vault,
        kind=kind[:64],
        severity=row.severity,
        seen_at=event.seen_at,
        why=row.why.format_map(_in_language(said, 0)),
        why_en=row.why_en.format_map(_in_language(said, 1)),
        incident=said.get("incident", ""),
    )


def _in_language(said: dict[str, str], place: int) -> dict[str, str]:
    """The facts with the words that have a translation; one that lacks shows as a dash."""
    told = defaultdict(lambda: "-", said)
    for name in _TRANSLATED:
        if (word := said.get(name, "")) in _WORDS:
            told[name] = _WORDS[word][place]
    return told
