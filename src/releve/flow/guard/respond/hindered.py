"""What people are told when a roll-back cannot do its work on a file, and how that ends."""

from releve.model.lines import Alert


def read_only(folder: str, family: str = "") -> Alert:
    """Nothing can be put back into a folder for now, and how that ends."""
    return Alert(
        kind="read_only",
        family=family,
        folder=folder,
        why="Le disque de ce dossier est en lecture seule : rien ne peut y être remis pour l'instant. Tous "
        "les originaux restent gardés. Rendez le disque inscriptible (`mount -o remount,rw`, après "
        "vérification du disque) : la remise reprend seule, ou au prochain démarrage du gardien.",
        why_en="The disk of this folder is read-only: nothing can be put back into it for now. All "
        "originals stay held. Make the disk writable again (`mount -o remount,rw`, once the disk is "
        "checked): giving back goes on by itself, or at the guard's next start.",
    )


def no_room(folder: str, family: str = "") -> Alert:
    """The disk is full where something is to be put back, and how that ends."""
    return Alert(
        kind="no_room",
        family=family,
        folder=folder,
        why="Le disque est plein : un fichier ne peut pas y être remis pour l'instant. Son original reste gardé. "
        "Libérez de la place (`releve guard free`, ou supprimez ce qui l'a rempli) : la remise reprend seule.",
        why_en="The disk is full: a file cannot be put back for now. Its original stays held. Make room (`releve "
        "guard free`, or delete what filled it): giving back goes on by itself.",
    )


def kept_shut(folder: str, family: str = "") -> Alert:
    """Somebody keeps a file from being written, and how that ends."""
    return Alert(
        kind="kept_shut",
        family=family,
        folder=folder,
        why="Un programme tient un fichier fermé à l'écriture (bail ou exécution) : il est remis dès que ce "
        "programme le rend, au plus tard après 45 s pour un bail. L'original reste gardé.",
        why_en="A program keeps a file from being written (a lease, or it runs): it is given back as soon as that "
        "program lets go, a lease within 45 s. The original stays held.",
    )


def not_put_back(folder: str, family: str, cause: str | None) -> Alert:
    """An original that stays held only, and how to get it."""
    return Alert(
        kind="put_back_failed",
        family=family,
        folder=folder,
        why=f"Un fichier n'a pas pu être remis : {cause}. L'original reste gardé ; "
        "`releve restore` le rendra quand la cause sera levée.",
        why_en=f"A file could not be put back: {cause}. Its original stays held; "
        "`releve restore` gives it back once the cause is gone.",
    )


def not_quarantined(folder: str, family: str, cause: str | None) -> Alert:
    """Something that the family made still stands in the folder."""
    return Alert(
        kind="quarantine_failed",
        family=family,
        folder=folder,
        why=f"Un fichier fabriqué par ce programme n'a pas pu être écarté : {cause}. Il est encore dans le "
        "dossier ; aucun original n'y manque. Supprimez-le quand la cause sera levée.",
        why_en=f"A file that this program made could not be moved away: {cause}. It still stands in the "
        "folder; no original is missing. Delete it once the cause is gone.",
    )
