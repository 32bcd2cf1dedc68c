"""The vault's side of an onboarding: each host's right to deposit, made there, its secret in a file.

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
from releve.apps.server.onboard_names import deposit_name, file_word
from releve.apps.server.onboard_plan import Wanted
from releve.flow.vault.names import plain_word, right_of, vault_word
from releve.model.errors import ReleveError

_RELEVE = (sys.executable, "-P", "-m", "releve.apps.cli.main")
_SECONDS = 120
_HEAD = """\
#!/bin/sh
# Coffre {name} : à lancer une fois sur la machine du coffre (root) : sh {file} [DOSSIER DU COFFRE]
# At the vault, as root. Refait sans risque. Chaque machine a un fichier secret (0600), écrit à côté :
# le remettre près de son installateur, dans le dossier du même nom, puis l'effacer ici.
set -e
umask 077
cd -- "$(dirname -- "$0")"
[ -z "${{1:-}}" ] || export RELEVE_VAULT="$1"
releve=${{RELEVE:-releve}}
"""


class OnboardVaultError(ReleveError):
    """The vault on this machine did not make a host's right to deposit."""

    status = 75
    remedy = "Mend what the vault says, then run it again: what was done stays."

    def __init__(self, home: str, said: str) -> None:
        super().__init__(f"The vault in {home} made no right: {said}")


def words_for(wanted: Wanted, host: str, folder: Path | str) -> tuple[str, ...]:
    """The command, after `releve`, that makes one host's right and lays its secret into the folder."""
    return (
        "vault", "credential", "add", right_of(wanted.name, host),
        "--structure", vault_word(wanted.name), "--host", vault_word(host),
        "--out", f"{folder}/{deposit_name(host)}",
    )  # fmt: skip


def make_here(wanted: Wanted, host: str, folder: Path) -> bool:
    """Have the vault of this machine make it; False: it was there. Raises: OnboardVaultError."""
    words = words_for(wanted, host, folder.absolute())
    done = subprocess.run(
        [*_RELEVE, *words, "--data", wanted.vault_home, "--json"],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise OnboardVaultError(wanted.vault_home, _message(said))
    return bool(msgspec.json.decode(done.stdout)["state"] == "made")


def write_scripts(structures: Sequence[Wanted], out: Path) -> dict[str, Path]:
    """One script for each vault that stands elsewhere; by the vault's key. Unchanged ones stay."""
    made: dict[str, Path] = {}
    for one in structures:
        if one.vault_key and one.keeping() and not one.vault_home:
            made.setdefault(one.vault_key.lower(), script_of(one, out))
    for key, file in made.items():
        text = _script(key, structures, file.name)
        if not file.exists() or file.read_bytes() != text:
            write(file, text)
        file.chmod(0o700)
    return made


def script_of(one: Wanted, out: Path) -> Path:
    return out / f"coffre-{plain_word(one.vault_name)}-{one.vault_key[:6].lower()}.sh"


def _script(key: str, structures: Sequence[Wanted], file: str) -> bytes:
    own = [one for one in structures if one.vault_key.lower() == key and not one.vault_home]
    name = " ".join(own[0].vault_name.split())
    lines = [_HEAD.format(name=name, file=file)]
    for one in own:
        for host in one.keeping():
            words = words_for(one, host.name, file_word(one.name))
            lines.append(f'"$releve" {shlex.join(words)}\n')
    return "".join(lines).encode()


def _message(said: str) -> str:
    try:
        return str(msgspec.json.decode(said)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return said
