"""What a technician does by hand after `releve onboard`: nobody can do it from the server."""

import datetime as dt
import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence

from releve.flow.server.enrol import digest

_VAULT_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def by_hand(
    structure: str,
    *,
    hosts: Sequence[str],
    installers: Mapping[str, str],
    vault_token: str,
    url: str,
    login: str,
    has_rota: bool,
    sheets: str,
    month: dt.datetime,
) -> tuple[str, ...]:
    """In the order in which they can be done, as commands; what is in capitals is for the technician to say.

    `installers`: by host, of those that are not enrolled yet. `vault_token`: empty when no vault is known.
    """
    address = f"https://COFFRE:8440/{_vault_word(structure)}/MACHINE/{month:%Y-%m}/"
    setup = (
        f"releve backup setup --url {address} --user MACHINE --http-password-file SECRET"
        f" --ca-file authority.pem --folder DOSSIER --structure {shlex.quote(structure)}"
    )
    run = (
        "releve agent run --guard '--protect DOSSIER --enforce'"
        " --backup '--state /var/lib/releve/backup'"
    )
    return (
        *_of_vault(structure, hosts, vault_token, url),
        *(f"{host} : sh {file} (root)" for host, file in installers.items()),
        f"sur chaque machine qui sauvegarde : {setup}",
        "puis : releve backup run (première sauvegarde), releve drill run (premier essai)",
        "puis : releve key sheet (la feuille de clé ne se fait pas sur le serveur)",
        f"sur chaque machine, par un service : {run} (sans --backup là où rien n'est sauvegardé)",
        *([] if has_rota else ["l'astreinte : releve desk rota template"]),
        *([f"remettre le mot de passe de {login} en main propre"] if login else []),
        f"imprimer {sheets}",
    )


def _of_vault(structure: str, hosts: Sequence[str], token: str, url: str) -> list[str]:
    if not token:
        return ["le coffre : releve vault init, puis vault_name et vault_key dans le fichier"]
    told = f"releve vault init --server-url {url} --server-token-file {token}"
    # The page "Coffre" joins what vault and agent tell of a host by its name.
    add, words = "releve vault credential add", [_vault_word(host) for host in hosts]
    place = f"--structure {_vault_word(structure)}"
    return [
        f"au coffre : {told}, et les mots de la première fois",
        *(f"au coffre : {add} {word} {place} --host {word}" for word in words),
    ]


def _vault_word(name: str) -> str:
    """As the vault names it: the name itself where it can."""
    return name if _VAULT_WORD.fullmatch(name) else plain_word(name)


def plain_word(name: str) -> str:
    """A name in letters, digits and hyphens; different names may give one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "x"


def file_word(name: str) -> str:
    """A file's or a folder's name; a word at its end keeps apart what looks alike without its accents."""
    return f"{plain_word(name)}-{digest(name.encode())[:6]}"
