"""What the vault's no means to whoever wants to recover: which right lacks, who gives it, with which words.

What only adds cannot read everything back, whoever stole it; so a person at the vault opens a right
for each incident. The command that meets the no says so itself: nobody reads docs at night.
"""

import contextlib
from collections.abc import Iterator

from releve.adapters.vault.asked import place_of
from releve.apps.backup.state import BackupNotSetUpError, State
from releve.apps.recover.intent import Words, asking, newest_envelope
from releve.apps.web.terminal import as_word
from releve.flow.backup import VaultRefusedError
from releve.flow.keys import EnvelopeError
from releve.flow.vault.names import is_word

_OPEN_FR = """\
Ce droit s'ouvre sur la machine du coffre, de l'une de ces deux façons :
    à deux : `releve vault credential open {about} --reason "…" --by "…" --out droit.json`
      puis deux approbateurs signent, chacun avec sa clé : `releve vault credential approve ID \
--approver NOM --key CLÉ` (qui peut : `releve vault approver list`)
    par un chemin convenu d'avance, aussitôt : la même première commande, avec --agreed CHEMIN --key \
CLÉ-DE-LA-SALLE (lesquels : `releve vault agreement list`)
  Apporter droit.json ici (lisible de root seul), et relancer la commande avec --right droit.json."""
_OPEN_EN = """\
It is opened on the vault's machine, in one of these two ways:
    by two people: `releve vault credential open {about} --reason "…" --by "…" --out right.json`
      then two approvers sign, each with a key of their own: `releve vault credential approve ID \
--approver NAME --key KEY` (who may: `releve vault approver list`)
    on a path agreed beforehand, at once: the same first command, with --agreed PATH --key \
KEY-OF-THE-ROOM (which: `releve vault agreement list`)
  Bring right.json here (readable by root alone), and run the command again with --right right.json."""
_WAITS_FR = (
    "Au coffre, `releve vault credential list` dit s'il attend une signature (`releve vault credential"
    " approve`), s'il est ouvert, ou fini. Fini : en ouvrir un autre, et relancer avec --right."
)
_WAITS_EN = (
    "At the vault `releve vault credential list` says whether it waits for a signature (`releve vault"
    " credential approve`), is open, or over. Over: open another one, and run it again with --right."
)


@contextlib.contextmanager
def understood(words: Words) -> Iterator[None]:
    """A no of the vault leaves as what lacks. Raises: VaultRefusedError."""
    try:
        yield
    except VaultRefusedError as error:
        raise _lacking(words, error) from error


def check_right(words: Words) -> None:
    """Ask the gate of this machine's backups first: nobody waits for a judgement that is no use yet.

    Raises: VaultRefusedError, VaultUnreachableError.
    """
    state = State(words.state or None)
    if words.right or words.repository or words.envelope or not state.is_configured():
        return
    held = state.repository()
    if place_of(held.url) is None:
        return
    user, secret = words.user or held.user, words.http_password_file or held.http_password_file
    with asking(held.url, user, secret, words.ca_file or held.ca_file) as desk:
        desk.right()


def _lacking(words: Words, refused: VaultRefusedError) -> VaultRefusedError:
    error = VaultRefusedError(refused.address, refused.code)
    if words.right:
        error.args = (f"The vault refuses this right (HTTP {refused.code}): it is not open.",)
        error.fr = f"Le coffre refuse ce droit (HTTP {refused.code}) : il n'est pas ouvert, ou il est fini."
        error.remedy, error.remedy_fr = _WAITS_EN, _WAITS_FR
        return error
    error.args = (
        "The vault gives backups back by a right to restore only, opened for the incident.",
    )
    error.fr = (
        "Le coffre ne rend les sauvegardes que par un droit de relire, ouvert pour l'incident."
        " Rien n'est perdu : il manque ce droit."
    )
    about = _about(words)
    error.remedy, error.remedy_fr = _OPEN_EN.format(about=about), _OPEN_FR.format(about=about)
    return error


def _about(words: Words) -> str:
    """The words of `credential open` that are known here."""
    structure, host = _whose(words)
    incident = as_word(words.incident) if words.incident else "…"
    return f"--structure {structure or '…'} --host {host or '…'} --incident {incident}"


def _whose(words: Words) -> tuple[str, str]:
    """Structure and host as the vault names them; empty where nobody knows."""
    with contextlib.suppress(EnvelopeError, BackupNotSetUpError):
        url = (
            newest_envelope(words).url
            if words.envelope
            else State(words.state or None).config().url
        )
        url = words.repository or url
        if (place := place_of(url)) is not None:
            structure = url.removeprefix(f"rest:{place[0]}").removeprefix(place[0]).split("/")[0]
            return (structure if is_word(structure) else ""), place[1]
    return "", ""
