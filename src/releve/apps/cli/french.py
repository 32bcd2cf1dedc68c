"""Errors in French: what each class means, and what to do. Facts stay in the error's own words.

An error that carries its own French (`fr`) says it; of the others the class is said here, and the
error's words stand below as the technical detail.
"""

from collections.abc import Mapping

from releve.apps.cli.french_room import ROOM

# Class: what is the matter, what to do.
FRENCH: Mapping[str, tuple[str, str]] = {
    **ROOM,
    "NotRootError": (
        "il faut être root",
        "Lancer la même commande avec sudo. Pour le gardien : --portable s'en passe.",
    ),
    "ToolMissingError": (
        "restic ou rest-server manque sur cette machine",
        "L'installer, ou lancer `make setup` (RELEVE_TOOLS nomme un autre dossier).",
    ),
    "ToolTooOldError": (
        "le restic ou rest-server d'ici est trop ancien",
        "Lancer `make setup`, qui en met un récent dans .tools.",
    ),
    "ToolBrokenError": (
        "un outil de cette machine ne démarre pas",
        "L'enlever, puis lancer `make setup`.",
    ),
    "BackupNotSetUpError": (
        "cette machine n'a pas de sauvegarde réglée, ou son réglage ne se lit pas",
        "Régler : `releve backup setup --url … --user … --folder …`. Ailleurs que d'habitude : --state.",
    ),
    "VaultUnreachableError": (
        "le coffre ne répond pas",
        "Démarrer le coffre (`releve vault serve`), ou réparer le réseau ou l'adresse.",
    ),
    "VaultRefusedError": (
        "le coffre refuse ce droit, ou lui refuse de relire autant",
        ("Vérifier le nom et le secret (`releve backup setup` les réécrit). Le droit de déposer relit peu"
        " par jour : pour tout relire, un droit ouvert (--right) ou un chemin convenu (--agreed)."),
    ),
    "RepositoryMissingError": (
        "le coffre répond, mais n'a pas de dépôt de cette machine",
        "Vérifier l'adresse, ou le faire : `releve backup setup`.",
    ),
    "RepositoryLockedError": (
        "quelqu'un d'autre travaille sur le dépôt et ne finit pas",
        "Attendre sa fin ; les verrous de programmes morts s'en vont à l'essai suivant.",
    ),
    "WrongPasswordError": (
        "le mot de passe du dépôt ne l'ouvre pas",
        ("Remettre le bon fichier `password`. Sans lui : la clé de secours, sur papier, dans un fichier de"
        " root, par --password-file."),
    ),
    "EngineFailedError": (
        "restic a échoué",
        ("Lire le détail ; `releve backup check` dit si le dépôt est sain. Si quelqu'un y a mis du rebut,"
        " ce qui fut reçu avant est entier (`releve vault view`) ; commencer une autre génération :"
        " `releve key rotate`."),
    ),
    "EngineStalledError": (
        "plus rien n'avançait vers le coffre",
        "Vérifier le lien vers le coffre et relancer : cela reprend où c'en était.",
    ),
    "VaultFullError": (
        "le coffre n'a plus de place et ne prend plus rien (HTTP 507)",
        ("Lui donner un plus grand disque, ou une autre réserve : au coffre, `releve vault init --reserve`."
        " La sauvegarde suivante reprend où c'en était."),
    ),
    "NoViewError": (
        "le coffre répond, mais ne peut montrer le dépôt tel qu'il est voulu",
        ("Lire le détail : une sauvegarde qu'il n'a jamais reçue n'est dans aucune vue. Au coffre,"
        " `releve vault view --as-of` en fait une à la main ; la nommer par --repository."),
    ),
    "RightFileError": (
        "le fichier du droit, ou du plan, ne se lit pas",
        ("Donner à --right le fichier de `releve vault credential open --out`, à --plan celui de"
        " `releve recover plan --json`."),
    ),
    "EnvelopeError": (
        "cette enveloppe de clé ne s'ouvre pas ici",
        "En demander une autre à la structure : `releve key escrow add` sur sa machine.",
    ),
    "EscrowKeyError": (
        "la clé de la salle propre ne convient pas",
        "En faire une paire dans la salle propre (`releve key escrow pair`), et donner ici la publique.",
    ),
    "CatalogueError": (
        "le catalogue des sauvegardes jugées ne se lit pas",
        ("Mettre catalogue.sqlite de côté et lancer `releve recover scan` : il est refait depuis les"
        " sauvegardes ; ce que des personnes avaient accepté est à accepter de nouveau."),
    ),
    "ScanRunningError": (
        "les sauvegardes sont déjà en train d'être jugées",
        "Attendre la fin de l'autre commande (ou de l'agent), puis relancer.",
    ),
    "RulesError": (
        "les règles de détection ne peuvent servir",
        "Réparer le fichier nommé dans le détail, ou `pip install releve[scan]`.",
    ),
    "MountFailedError": (
        "le point sain n'a pas pu être ouvert comme dossier",
        ("Il faut root, /dev/fuse et overlayfs sur un disque local (ext4, xfs, btrfs) ; voir restic.log"
        " dans le dossier .NOM.reprise."),
    ),
    "CareListError": (
        "la liste des services ou des patients du jour ne se lit pas",
        "Sa forme : `releve recover start --help` ; sans liste, tout revient dans l'ordre ordinaire.",
    ),
    "SharingFailedError": (
        "le dossier est là, mais n'a pas pu être ouvert sur le réseau",
        ("Voir box/log dans le dossier .NOM.reprise ; le dossier local sert en attendant. Ajouter des"
        " personnes : `releve share user add`."),
    ),
    "BoxRootError": ("il faut être root", "Lancer la même commande avec sudo."),
    "BoxFileError": (
        "un fichier du serveur de fichiers ne se lit pas",
        "Le remettre, ou l'enlever et refaire les partages ; les dossiers partagés ne sont pas touchés.",
    ),
    "SambaMissingError": (
        "Samba manque sur cette machine",
        "`apt install samba smbclient` (Debian, Ubuntu), `dnf install samba`.",
    ),
    "SambaRefusedError": (
        "Samba refuse ce réglage",
        "Lire le détail ; le dernier bon réglage reste en place.",
    ),
    "VerificationFailedError": (
        "ce qui est revenu n'est pas ce qui fut sauvegardé",
        "Choisir une version plus ancienne (`--list`), et lancer `releve backup check`.",
    ),
}  # fmt: skip
