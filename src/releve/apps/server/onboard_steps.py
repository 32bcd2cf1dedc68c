"""What a technician does by hand after `releve onboard`: nobody can do it from the server."""

from collections.abc import Sequence
from pathlib import Path

from releve.apps.server.onboard_names import deposit_name, installer_name, password_name
from releve.apps.server.onboard_plan import Wanted, WantedHost
from releve.apps.server.onboard_vault import script_of

_NO_VAULT = (
    "le coffre : releve vault init, puis vault_name, vault_url et vault_key (ou vault_home) dans le"
    " fichier, et relancer"
)

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
) -> tuple[str, ...]:
    """In the order in which they can be done.

    `waiting`: whose installer has not done all yet. `untried`: who never told that the recovery
    key's paper opened its backup. `is_heard`: the vault told the server of itself.
    """
    login = wanted.login
    return (
        *_of_vault(wanted, folder, waiting, is_heard=is_heard),
        *(_on_host(wanted, one, folder) for one in waiting),
        *(_on_paper(one) for one in untried if one not in waiting),
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
    restart = "redémarrer sa porte (releve vault serve) : le serveur ne l'entend pas encore"
    if wanted.vault_home:
        return [] if is_heard else [f"au coffre : {restart}"]
    absent = [
        one for one in waiting if one.folders and not (folder / deposit_name(one.name)).exists()
    ]
    if is_heard and not absent:
        return []
    run = f"au coffre (root) : sh {script_of(wanted, folder.parent)}"
    carry = f"remettre dans {folder} les fichiers secrets qu'il a faits ({len(absent)})"
    return ["\u00a0; ".join([run, *([carry] if absent else []), *([] if is_heard else [restart])])]


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
