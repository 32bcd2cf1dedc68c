"""The vault's side of an onboarding: each host's right to deposit, and the server that hears of it.

One list of commands: run here when the vault stands on this machine, else written as one script
that is run at the vault. No secret is on a command line, in a log or on stdout.
"""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.adapters.private import read_own
from releve.apps.server.onboard_names import deposit_name, file_word
from releve.apps.server.onboard_plan import Wanted, WantedHost
from releve.flow.vault.names import plain_word, right_of, vault_word
from releve.model.errors import ReleveError
from releve.model.installer import ServerLink

_RELEVE = (sys.executable, "-P", "-m", "releve.apps.cli.main")
_REPORT = ("vault", "report-to", "-")
_SECONDS = 120
_END = "FIN_DU_COFFRE"
_HEAD = """\
#!/bin/sh
# Coffre {name} : à lancer une fois sur la machine du coffre (root) : sh {file} [DOSSIER DU COFFRE]
# At the vault, as root. Refait sans risque. Chaque machine a un fichier secret (0600), écrit à côté :
# le remettre près de son installateur, dans le dossier du même nom, puis l'effacer ici.
set -e
umask 077
data=${{1:-}} releve=${{RELEVE:-releve}}
case $data in ''|/*) ;; *) data=$PWD/$data ;; esac
case $releve in /*) ;; */*) releve=$PWD/$releve ;; esac
CDPATH= cd -- "$(dirname -- "$0")"
[ -z "$data" ] || export RELEVE_VAULT="$data"
"""


class Heard(msgspec.Struct, frozen=True):
    """The server as vaults reach it; `authority`: PEM, when it is its own."""

    url: str
    authority: str = ""


class OnboardVaultError(ReleveError):
    """The vault on this machine did not make a host's right, or is not told which server hears it."""

    status = 75
    remedy = "Mend what the vault says, then run it again: what was done stays."

    def __init__(self, home: str, said: str) -> None:
        super().__init__(f"The vault in {home} did not do it: {said}")


def words_for(wanted: Wanted, host: WantedHost, folder: Path | str) -> tuple[str, ...]:
    """The command, after `releve`, that makes one host's right and lays its secret into the folder."""
    return (
        "vault", "credential", "add", right_of(wanted.name, host.name),
        "--structure", vault_word(wanted.name), "--host", vault_word(host.name),
        *(("--reads", host.reads) if host.reads else ()),
        "--out", f"{folder}/{deposit_name(host.name)}",
    )  # fmt: skip


def token_file(wanted: Wanted, folder: Path) -> Path:
    return folder / f"coffre-{file_word(wanted.vault_name)}.token"


def link_of(wanted: Wanted, folder: Path, server: Heard) -> ServerLink | None:
    """What the vault needs to tell the server of this structure; None: its token is not here."""
    token = read_own(token_file(wanted, folder))
    if token is None:
        return None
    return ServerLink(
        structure=vault_word(wanted.name),
        url=server.url,
        token=token.decode().strip(),
        authority=server.authority,
    )


def make_here(wanted: Wanted, host: WantedHost, folder: Path) -> bool:
    """Have the vault of this machine make a host's right; False: it was there.

    Raises: OnboardVaultError.
    """
    said = _run_here(wanted, words_for(wanted, host, folder.absolute()))
    return bool(msgspec.json.decode(said)["state"] == "made")


def link_here(wanted: Wanted, folder: Path, server: Heard) -> bool:
    """Have the vault of this machine tell the server; False: it does. Raises: OnboardVaultError."""
    link = link_of(wanted, folder, server)
    if link is None:
        return False
    said = _run_here(wanted, _REPORT, msgspec.json.encode(link))
    return bool(msgspec.json.decode(said)["new"])


def _run_here(wanted: Wanted, words: tuple[str, ...], given: bytes = b"") -> bytes:
    done = subprocess.run(
        [*_RELEVE, *words, "--data", wanted.vault_home, "--json"],
        input=given,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OnboardVaultError(wanted.vault_home, _message(said))
    return done.stdout


def write_scripts(structures: Sequence[Wanted], out: Path, server: Heard) -> dict[str, Path]:
    """One script for each vault that stands elsewhere; by the vault's key. Unchanged ones stay."""
    made: dict[str, Path] = {}
    for one in structures:
        if one.vault_key and not one.vault_home:
            made.setdefault(one.vault_key.lower(), script_of(one, out))
    for key, file in made.items():
        text = _script(key, structures, file, server)
        if not file.exists() or file.read_bytes() != text:
            write(file, text)
        file.chmod(0o700)
    return made


def script_of(one: Wanted, out: Path) -> Path:
    """The script of its vault; one for all structures there."""
    return out / f"coffre-{plain_word(one.vault_name)}-{one.vault_key[:6].lower()}.sh"


def _script(key: str, structures: Sequence[Wanted], file: Path, server: Heard) -> bytes:
    own = [one for one in structures if one.vault_key.lower() == key and not one.vault_home]
    lines = [_HEAD.format(name=" ".join(own[0].vault_name.split()), file=file.name)]
    for one in own:
        folder = file_word(one.name)
        rights = [words_for(one, host, folder) for host in one.keeping()]
        lines += [f'"$releve" {shlex.join(words)}\n' for words in rights]
        if link := link_of(one, file.parent / folder, server):
            body = msgspec.json.format(msgspec.json.encode(link)).decode()
            lines.append(f"\"$releve\" {shlex.join(_REPORT)} <<'{_END}'\n{body}\n{_END}\n")
    return "".join(lines).encode()


def _message(said: str) -> str:
    try:
        return str(msgspec.json.decode(said)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return said
