"""A step that failed, in French: what is the matter, and what to do before the file is run again."""

from releve.apps.install.proving import StepFailedError
from releve.apps.install.telling import State, Step
from releve.model.errors import ReleveError


def failed(name: str, error: ReleveError) -> Step:
    """A step that an error for people ended: in French; the error's own words apart, as its detail."""
    what, kind, detail = "", type(error).__name__, str(error)
    if isinstance(error, StepFailedError):
        what, kind, detail = error.what, error.inner, error.detail
    led, remedy = _FRENCH.get(kind, ("", ""))
    if _DISTRUST in str(error):
        led, remedy = _DISTRUSTED
    if not remedy and error.remedy and kind:
        detail = f"{detail} {error.remedy}"
    return Step(
        name=name,
        state=State.FAILED,
        said=" : ".join(one for one in (what, led) if one),
        remedy=remedy or _LOOK,
        status=error.status,
        detail=detail,
    )


_AGAIN = "puis relancer ce fichier : il reprend là."
_LOOK = f"Réparer ce que dit le détail, {_AGAIN}"
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
    "ToolMissingError": (
        "restic ou rest-server manque sur cette machine",
        f"L'installer, ou lancer `make setup`, {_AGAIN}",
    ),
    "ToolTooOldError": (
        "le restic ou rest-server d'ici est trop ancien",
        f"Lancer `make setup`, qui en met un récent dans .tools, {_AGAIN}",
    ),
    "RepositoryMissingError": (
        "le coffre répond, mais n'a pas de dépôt de cette machine",
        f"Vérifier vault_url, {_AGAIN}",
    ),
    "RepositoryLockedError": (
        "quelqu'un d'autre travaille sur le dépôt et ne finit pas",
        f"Attendre sa fin, {_AGAIN}",
    ),
    "WrongPasswordError": (
        "le mot de passe du dépôt ne l'ouvre pas",
        f"Remettre le bon fichier `password` dans le dossier de la sauvegarde, {_AGAIN}",
    ),
    "EngineStalledError": (
        "plus rien n'avançait vers le coffre",
        f"Vérifier le lien vers le coffre, {_AGAIN}",
    ),
    "VaultFullError": (
        "le coffre n'a plus de place et ne prend plus rien",
        f"Lui donner un plus grand disque, ou une autre réserve (`releve vault init --reserve`), {_AGAIN}",
    ),
    "BackupIncompleteError": (
        "des fichiers n'ont pas pu être lus et n'y sont pas",
        f"Regarder leurs droits, un dossier qui n'est pas monté, un disque qui faiblit, {_AGAIN}",
    ),
    "BackupFolderMissingError": (
        "un dossier à sauvegarder n'est pas là",
        f"Le monter ou le remettre, {_AGAIN}",
    ),
    "DrillFailedError": (
        "tout n'a pas pu être repris et vérifié",
        f"Lire le certificat (`releve drill list`) : chaque étape y dit sa raison, {_AGAIN}",
    ),
    "RoomError": (
        "il n'y a pas la place de faire l'essai, ou elle est dans les données vivantes",
        f"Faire de la place, {_AGAIN}",
    ),
    "SheetToolMissingError": (
        "une bibliothèque manque pour la feuille de clé",
        f"pip install 'releve[paper]', {_AGAIN}",
    ),
    "SheetPlaceError": (
        "le dossier de la feuille n'est pas sûr, ou en tient déjà une",
        f"Imprimer et effacer celle qui est là, ou nommer un dossier vide par --sheets, {_AGAIN}",
    ),
    "BadTokenError": (
        "le jeton de l'installateur ne se lit pas",
        "Rapporter l'installateur entier depuis le serveur.",
    ),
    "NotTheServerError": (
        "qui répond ne prouve pas qu'il est ce serveur",
        f"Vérifier l'adresse, et que l'installateur vient de ce serveur, {_AGAIN}",
    ),
}
