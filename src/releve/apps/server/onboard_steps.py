"""What a technician does by hand after `releve onboard`: nobody can do it from the server."""

from collections.abc import Sequence
from pathlib import Path

from releve.apps.server.onboard_names import deposit_name, installer_name, password_name
from releve.apps.server.onboard_plan import Wanted, WantedHost
from releve.apps.server.onboard_vault import script_of
from releve.flow.vault.names import vault_word
from releve.model.standing import Standing

_NO_VAULT = (
    "le coffre : releve vault init, puis vault_name, vault_url et vault_key (ou vault_home) dans le"
    " fichier, et relancer"
)

_APPROVERS = 2  # that sign together

_SAID = {
    "structure": "structure",
    "profile": "profil",
    "rota": "astreinte",
    "host": "machine",
    "vault": "coffre",
    "vault/report": "coffre : le serveur qui l'entend",
    "right": "droit au coffre :",
    "person": "compte",
    "sheets": "fiches",
}


def by_hand(
    wanted: Wanted,
    *,
    folder: Path,
    waiting: Sequence[WantedHost],
    untried: Sequence[WantedHost],
    is_heard: bool,
    standing: Standing | None = None,
) -> tuple[str, ...]:
    """In the order in which they can be done.

    `standing`: what the vault told of itself last; None: nothing yet.

    `waiting`: whose installer has not done all yet. `untried`: who never told that the recovery
    key's paper opened its backup. `is_heard`: the vault told the server of itself.
    """
    login = wanted.login
    return (
        *_of_vault(wanted, folder, waiting, is_heard=is_heard),
        *(_on_host(wanted, one, folder) for one in waiting),
        *(_on_paper(one) for one in untried if one not in waiting),
        *_for_recovery(wanted, standing),
        *([] if wanted.rota is not None else ["l'astreinte : releve desk rota template"]),
        *_of_person(login, folder),
        f"imprimer {folder}/fiches",
        *_to_erase(wanted, folder, waiting),
    )


def said(step: str) -> str:
    """A step of the reception, as people read it."""
    kind, _, name = step.partition("/")
    return _SAID.get(step) or f"{_SAID[kind]} {name}".rstrip()


def _of_person(login: str, folder: Path) -> list[str]:
    if not login:
        return ["la première personne : login dans le fichier, et relancer"]
    file = password_name(login)
    if not (folder / file).exists():
        return []
    return [f"remettre le mot de passe de {login} en main propre ({file}), puis effacer ce fichier"]


def _to_erase(wanted: Wanted, folder: Path, waiting: Sequence[WantedHost]) -> list[str]:
    """The vault's secrets are needed once: of hosts that did all, the file goes."""
    names = [deposit_name(one.name) for one in wanted.keeping() if one not in waiting]
    there = [name for name in names if (folder / name).exists()]
    return [f"effacer {', '.join(there)} dans {folder}, et ses copies"] if there else []


def _of_vault(
    wanted: Wanted, folder: Path, waiting: Sequence[WantedHost], *, is_heard: bool
) -> list[str]:
    if not wanted.vault_key:
        return [_NO_VAULT] if wanted.keeping() else []
    place = at_vault(wanted)
    restart = (
        f"{place} : redémarrer sa porte (releve vault serve) : le serveur ne l'entend pas encore"
    )
    if wanted.vault_home:
        return [] if is_heard else [restart]
    absent = [
        one for one in waiting if one.folders and not (folder / deposit_name(one.name)).exists()
    ]
    if is_heard and not absent:
        return []
    lines = [f"{place} (root) : sh {script_of(wanted, folder.parent)}"]
    if absent:
        lines.append(f"remettre dans {folder} les fichiers secrets qu'il a faits ({len(absent)})")
    return lines if is_heard else [*lines, restart]


def at_vault(wanted: Wanted) -> str:
    """How lines begin that are about a vault and not about one structure."""
    return f"au coffre « {wanted.vault_name} »"


def _for_recovery(wanted: Wanted, standing: Standing | None) -> list[str]:
    """Without these nobody opens the right to restore, and no recovery begins."""
    if not (wanted.vault_key and wanted.keeping()):
        return []
    lines, place, word = [], at_vault(wanted), vault_word(wanted.name)
    if standing is None or standing.approvers < _APPROVERS:
        lines.append(
            f"{place} : inscrire deux approbateurs au moins, chacun avec sa clé : releve vault"
            " approver make-key FICHIER, puis releve vault approver add NOM --public-key FICHIER.pub ;"
            " sans eux, personne n'ouvre le droit de relire après une attaque (fait : le coffre le dit au"
            " serveur dans les cinq minutes)"
        )
    if standing is None or not standing.paths:
        path = vault_word(f"nuit-{word}")
        lines.append(
            f"convenir du chemin de reprise de {wanted.name}, pour la nuit, au coffre : releve vault"
            f" agreement add {path} --structure {word} --room-key SALLE.pub --until AAAA-MM-JJ"
            " (SALLE, dans la salle propre : releve vault approver make-key SALLE), puis deux fois"
            f" releve vault agreement sign {path} --approver NOM --key CLÉ ; sans chemin, deux"
            " approbateurs signent au moment de l'attaque"
        )
    return lines


def said_once(lists: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """What is done once for a vault stands in the list of the first structure only: it is done for all."""
    said: set[str] = set()
    found = []
    for lines in lists:
        found.append(tuple(line for line in lines if line not in said))
        said |= {line for line in lines if line.startswith("au coffre « ")}
    return found


def _on_host(wanted: Wanted, host: WantedHost, folder: Path) -> str:
    installer = folder / installer_name(host.name)
    if not host.folders:
        return f"{host.name} : sh {installer} (root ; sans dossiers, elle ne sauvegarde rien)"
    beside = f", avec {deposit_name(host.name)} à côté" if wanted.vault_key else ""
    return (
        f"{host.name} : sh {installer} (root){beside} ; imprimer la feuille de clé qu'il fait, et"
        " l'essayer : releve key try"
    )


def _on_paper(host: WantedHost) -> str:
    return (
        f"{host.name} : la feuille de clé n'y a jamais été essayée. Papier en main, sur cette machine :"
        " releve key try ; sans papier, d'abord releve key sheet"
    )
