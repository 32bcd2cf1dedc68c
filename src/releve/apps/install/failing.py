"""A step that failed, in French: what is the matter, and what to do before the file is run again."""

from releve.apps.install.telling import State, Step
from releve.model.errors import ReleveError


def failed(name: str, error: ReleveError) -> Step:
    """A step that an error for people ended: said in French, with the error's own words behind it."""
    led, remedy = _FRENCH.get(type(error).__name__, ("", ""))
    if _DISTRUST in str(error):
        led, remedy = _DISTRUSTED
    return Step(
        name=name,
        state=State.FAILED,
        said=f"{led} ({error})" if led else str(error),
        remedy=remedy or error.remedy,
        status=error.status,
    )


_AGAIN = "puis relancer ce fichier : il reprend là."
_DISTRUST = "CERTIFICATE_VERIFY_FAILED"
_DISTRUSTED = (
    "la machine atteinte n'a pas le certificat attendu",
    (
        "Si c'est le coffre : relancer `releve onboard` (coffre ailleurs : le script coffre-….sh),"
        f" rapporter le fichier secret, il porte son autorité, {_AGAIN} Vérifier aussi l'adresse."
    ),
)
_FRENCH = {
    "VaultUnreachableError": (
        "le coffre ne répond pas",
        f"Démarrer le coffre (`releve vault serve`), ou réparer le réseau ou vault_url, {_AGAIN}",
    ),
    "VaultRefusedError": (
        "le coffre refuse le droit de cette machine",
        f"Relancer au coffre le script coffre-….sh, remettre ici le fichier secret, {_AGAIN}",
    ),
    "DepositMissingError": (
        "le secret du coffre pour cette machine manque",
        (
            "Lancer le script coffre-….sh au coffre, poser à côté de l'installateur le fichier qu'il a"
            f" fait pour cette machine, {_AGAIN}"
        ),
    ),
    "NoVaultError": (
        "aucun coffre n'est connu, rien n'est sauvegardé",
        (
            "Mettre vault_name, vault_url et vault_home ou vault_key dans le fichier d'accueil, relancer"
            f" `releve onboard`, apporter le nouvel installateur, {_AGAIN}"
        ),
    ),
    "OtherBackupError": (
        "cette machine sauvegarde déjà ailleurs ; rien n'y est changé",
        "Si le coffre a déménagé : `releve backup setup` avec la nouvelle adresse.",
    ),
    "FolderAbsentError": (
        "un dossier à sauvegarder n'est pas là",
        f"Le monter ou le faire, ou corriger le fichier d'accueil, {_AGAIN}",
    ),
    "OtherHostError": (
        "cet installateur est celui d'une autre machine",
        "Lancer sur chaque machine le fichier à son nom ; voir `releve agent status`.",
    ),
    "NoTokenError": (
        "cette machine est connue du serveur, mais pas reliée d'ici",
        (
            "Si elle a été refaite : `releve server token create`, ici `releve agent enrol --token JETON"
            f" --name NOM`, {_AGAIN}"
        ),
    ),
    "ServerUnreachableError": (
        "le serveur Relève ne répond pas",
        f"Le démarrer (`releve server run`) ou réparer le réseau, {_AGAIN}",
    ),
    "EnrolmentRefusedError": (
        "le jeton de l'installateur ne vaut plus",
        "Effacer l'installateur sur le serveur, relancer `releve onboard`, apporter le nouveau.",
    ),
    "ToolMissingError": ("un programme manque sur cette machine", ""),
}
