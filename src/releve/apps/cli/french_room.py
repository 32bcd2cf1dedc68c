"""Errors of the operations room in French: the server, its desk, incidents, duties and papers, and the agent.

Where the remedy is empty the error itself says it: what to do depends on what is the matter.
"""

from collections.abc import Mapping

_LISTED = "Voir `releve {}`."

ROOM: Mapping[str, tuple[str, str]] = {
    # the server and its state
    "DatabaseMissingError": (
        "aucune base de données d'un serveur n'est là",
        (
            "Nommer le dossier du serveur par --home (RELEVE_SERVER_HOME), ou sa base par --db. `releve"
            " server run` en fait un neuf."
        ),
    ),
    "BackupPlaceError": (
        "la sauvegarde ne peut pas être écrite là",
        "Nommer un dossier qui existe, ou un fichier qui n'existe pas encore, avec assez de place.",
    ),
    "HomeTakenError": (
        "un rétablissement n'écrit jamais par-dessus ce qui est là",
        "Nommer par --home un dossier neuf ou vide, par --db une base vide.",
    ),
    "StateFileError": (
        "ce fichier n'est pas une sauvegarde d'un serveur, ou il est abîmé",
        "Prendre une autre sauvegarde du serveur : rien n'a été rétabli de celle-ci.",
    ),
    "TrailNotWholeError": (
        "un journal d'audit n'est pas ce qui fut écrit et signé",
        "",
    ),
    "HeadsNotShippedError": (
        "des têtes signées n'arrivent pas au lieu que nomme --ship-heads",
        (
            "Remonter le disque, ou rendre le dossier inscriptible par le serveur : ce qui manque y va dans"
            " la minute."
        ),
    ),
    # structures and people
    "ProfileFileError": (
        "ce fichier ne décrit pas une structure",
        "Partir de `releve structure template`, qui explique chaque ligne.",
    ),
    "StructureUnknownError": (
        "aucune structure de ce nom, ou elle n'a rien dit d'elle-même",
        (
            "Les noms : `releve structure list`. Une structure neuve : `releve server token create"
            " --structure NOM`, ou `releve onboard FICHIER` ; puis `releve structure set NOM FICHIER`."
        ),
    ),
    "LoginTakenError": ("cet identifiant est déjà à quelqu'un", "En choisir un autre."),
    "WeakPasswordError": (
        "ce mot de passe est trop court, ou trop long pour être tapé à la porte",
        "Prendre une phrase.",
    ),
    "LoginUnknownError": (
        "personne de la structure n'entre par cet identifiant",
        "Faire d'abord le compte : `releve server user create`.",
    ),
    "PersonUnknownError": (
        "personne n'entre par cet identifiant",
        "Faire d'abord le compte : `releve server user create`.",
    ),
    "NothingGrantedError": (
        "cette personne n'a dans cette structure aucun accès à fermer",
        _LISTED.format("server grant list"),
    ),
    "SheetUnknownError": (
        "la structure n'a pas cette feuille de codes",
        _LISTED.format("server break-glass list --structure NOM"),
    ),
    "ProviderTakenError": (
        "un service d'identité porte déjà ce nom",
        "En choisir un autre, ou retirer l'ancien : `releve server identity remove`.",
    ),
    "ProviderUnknownError": (
        "aucun service d'identité de ce nom",
        _LISTED.format("server identity list"),
    ),
    "ProviderUnusableError": (
        "personne ne peut entrer par ce service d'identité tel qu'il est",
        "Corriger ce qui est dit avec qui le tient ; chacun entre encore par ses propres moyens.",
    ),
    # the desk and help
    "RotaFileError": (
        "ce fichier ne dit pas qui est d'astreinte",
        "Partir de `releve desk rota template`, qui explique chaque ligne.",
    ),
    "NobodyOnCallError": (
        "personne n'est d'astreinte : la structure n'a pas de tour",
        (
            "Écrire un fichier d'après `releve desk rota template`, puis `releve desk rota set FICHIER"
            " --structure NOM`."
        ),
    ),
    "RotaHolesError": (
        "à certaines heures personne ne serait appelé",
        "Mettre quelqu'un d'astreinte à ces heures, puis `releve desk rota set FICHIER --structure NOM`.",
    ),
    "HelpUnknownError": (
        "aucune demande d'aide de ce numéro",
        "Voir `releve desk list` ; les premières lettres suffisent si une seule demande les porte.",
    ),
    "NobodyCameError": (
        "personne n'a encore pris l'appel",
        "Appeler soi-même : les numéros ci-dessus, ou ceux de la fiche imprimée.",
    ),
    "MailboxFailedError": (
        "le serveur de courriel ne fait pas ce qu'il faut",
        "Vérifier adresse, identifiant, fichier du mot de passe et --ca ; puis `releve server mailbox test`.",
    ),
    "MailboxMissingError": (
        "aucune boîte aux lettres n'est réglée sur ce serveur",
        "La régler : `releve server mailbox set --imap … --smtp … --address … --password-file …`.",
    ),
    "GlpiFailedError": (
        "GLPI ne fait pas ce qu'il faut",
        "",
    ),
    "GlpiFileError": (
        "ce fichier ne décrit pas un GLPI",
        "Partir de `releve server glpi template`, qui explique chaque ligne.",
    ),
    "GlpiMissingError": (
        "aucun GLPI n'est réglé pour cette structure",
        "Le régler : `releve server glpi set FICHIER --structure NOM`.",
    ),
    # incidents, playbooks, duties
    "IncidentNotFoundError": (
        "la structure n'a pas cet incident",
        _LISTED.format("incident list --structure NOM"),
    ),
    "HostUnknownError": (
        "la structure n'a pas ce poste, ou en a plusieurs de ce nom",
        "Voir `releve host list --structure NOM` ; de deux postes du même nom, dire le numéro.",
    ),
    "NotWaitingError": (
        "cette proposition n'attend pas de décision",
        "Voir `releve host order list --structure NOM` : ce qui attend, ce qui est décidé, ce qui est fini.",
    ),
    "WordRefusedError": (
        "cela n'a pas de sens pour cet incident tel qu'il est",
        "Voir `releve incident show ID` : ce dont il fait partie, ses machines, s'il est ouvert.",
    ),
    "PlaybookUnknownError": ("aucune fiche de ce nom", _LISTED.format("playbook list")),
    "NotStartedError": (
        "la fiche n'est pas commencée sur cet incident",
        "La commencer par `releve playbook start` ; un incident clos se rouvre d'abord.",
    ),
    "NotDeclaredError": (
        "aucun incident de ce numéro, ou personne ne l'a déclaré comme une attaque",
        "Le déclarer dans la console ou par `releve obligation start` : aucune horloge ne court avant.",
    ),
    "DutyUnknownError": (
        "l'incident n'a pas d'horloge pour ce devoir",
        _LISTED.format("obligation list --structure NOM"),
    ),
    "DecisionIncompleteError": (
        "il manque un nom ou un motif, ou un moment nommé ne peut pas être",
        "Dire qui décide ; pourquoi, pour ce qui n'est pas dû ; et des moments passés, dans l'ordre.",
    ),
    "DossierUnknownError": (
        "aucun dossier de cette sorte, ou il n'est pas encore fait",
        "Les sortes sont dans docs/obligations.md ; le faire par `releve dossier make`.",
    ),
    "DossierChangedError": (
        "quelqu'un a écrit entre-temps une version plus récente",
        "Relire le dossier, puis refaire sur sa dernière version.",
    ),
    # the month, papers, taking in and letting go
    "MonthError": (
        "ce n'est pas un mois, ou il n'a pas commencé",
        "Écrire le mois comme 2026-11 ; un mois qui n'a pas commencé n'a pas de chiffres.",
    ),
    "StatementBadError": (
        "le relevé, ou une de ses pages, n'est pas ce qui fut signé",
        "Ne pas s'y fier. Demander l'original, ou établir le relevé de nouveau.",
    ),
    "StatementKeyError": (
        "la signature va, mais la clé n'est ni celle de ce serveur ni celle qui fut nommée",
        "Comparer l'empreinte par téléphone avec qui l'a émis, puis nommer la clé par --key.",
    ),
    "PaperUnknownError": ("aucun papier de ce nom", _LISTED.format("papers list")),
    "OnboardFileError": (
        "ce fichier ne décrit pas des structures à accueillir ; rien n'a été fait",
        "Partir de `releve onboard template`, qui explique chaque ligne.",
    ),
    "OnboardTakenError": (
        "un identifiant, ou le nom d'une structure au coffre, est à une autre structure",
        "En choisir un autre dans le fichier, puis relancer : ce qui est fait reste.",
    ),
    "OnboardVaultError": (
        "le coffre de cette machine n'a pas fait le droit d'un poste, ou ne sait pas quel serveur l'entend",
        "Réparer ce que dit le coffre, puis relancer : ce qui est fait reste.",
    ),
    "RowsLeftError": (
        "des lignes de la structure sont encore dans la base, ou des traces dans ses fichiers",
        "Arrêter le serveur, puis relancer le même `releve leave … --erase`.",
    ),
    "ErasureBadError": (
        "ce certificat d'effacement n'est pas ce qui fut signé, ou une autre clé l'a signé",
        "Ne pas s'y fier ; le redemander par `releve leave --structure NOM --erase`.",
    ),
    "AccountsEndError": (
        "des comptes finiraient sans lesquels d'autres structures, ou l'effacement, n'ont plus personne",
        (
            "Donner d'abord le même rôle à un autre compte (`releve server user create` dans une structure"
            " qui reste, `releve server grant add`), ou l'accepter par --end-accounts."
        ),
    ),
    # tools and vaults
    "ApiTokenUnknownError": (
        "la structure n'a pas de tel jeton qui ouvre encore",
        _LISTED.format("server api-token list"),
    ),
    "WebhookUnknownError": (
        "la structure n'a pas cette adresse à prévenir",
        _LISTED.format("server webhook list"),
    ),
    "WebhookNotTakenError": (
        "le message n'est pas arrivé, ou n'a pas été pris",
        (
            "Démarrer le serveur s'il ne tourne pas. Un réseau intérieur se permet par `releve server run"
            " --webhook-network`. Sinon : docs/api.md."
        ),
    ),
    "VaultTakenError": (
        "un coffre porte déjà ce nom",
        "En choisir un autre, ou retirer l'ancien : `releve server vault remove`.",
    ),
    "VaultNotEnrolledError": (
        "la structure n'a pas ce coffre",
        _LISTED.format("server vault list"),
    ),
    # the agent
    "GuardAwayError": (
        "le gardien que l'agent doit tenir au travail ne tourne pas : rien ne garde les originaux",
        "L'agent le relance en quelques secondes ; s'il ne reste pas : `journalctl -u releve-agent`.",
    ),
    "AgentNotWorkingError": (
        "aucun agent ne travaille sur cette machine : rien n'est sauvegardé, rien n'atteint le serveur",
        "Le lancer : `systemctl start releve-agent`, ou `releve agent run`.",
    ),
    "UnknownToServerError": (
        "le serveur ne connaît plus cette machine",
        "Ce qu'il faut faire est dit plus haut.",
    ),
    "ServerAwayError": (
        "l'agent n'atteint pas son serveur ; ce qu'il a à dire est gardé",
        "Voir le réseau et le serveur (`releve server run`) ; l'agent reprend de lui-même.",
    ),
    "ServerUnreachableError": (
        "le serveur n'a pas répondu, ou pas comme lui-même",
        "Vérifier que `releve server run` tourne et que son adresse s'atteint d'ici.",
    ),
    "NotEnrolledError": (
        "ce poste n'est encore relié à aucune structure",
        "Faire un jeton sur le serveur, puis `releve agent enrol --token JETON`.",
    ),
    "AlreadyEnrolledError": (
        (
            "ce poste est déjà relié ; aucune commande ne le mène à un autre serveur, qui pourrait être"
            " celui d'un attaquant"
        ),
        "Prendre un autre --home, ou retirer celui-ci à la main si le poste change vraiment de mains.",
    ),
    "AgentConfigError": (
        "agent.json ne se lit pas",
        "Réparer le fichier, ou relier de nouveau dans un autre --home.",
    ),
    "AgentRunningError": (
        "un agent tourne déjà ici : deux lanceraient chacun le gardien",
        "Arrêter l'autre, ou prendre un autre --home.",
    ),
    "BadTokenError": (
        "ces mots ne sont pas un jeton d'inscription",
        "Copier toute la ligne que `releve server token create` a dite.",
    ),
    "GuardStaysError": (
        "le gardien qui tourne avec d'autres options ne s'est pas arrêté : les nouvelles ne servent pas",
        (
            "Il remet peut-être des fichiers : voir `releve guard status`, puis relancer. Avec --keep-guard"
            " l'agent le prend tel quel."
        ),
    ),
    # what programs stand on
    "PlainHttpError": (
        "les noms et l'état d'un cabinet ne voyagent pas en clair",
        "Prendre l'adresse https:// que le serveur a dite ; le http simple ne sert que sur la machine même.",
    ),
    "NotTheServerError": (
        "qui répond ne prouve pas être le serveur du jeton",
        "Vérifier l'adresse, et que ce serveur-là a fait le jeton.",
    ),
    "EnrolmentRefusedError": (
        "le jeton est inconnu, déjà servi, ou périmé",
        "En faire un autre par `releve server token create` ; un jeton sert une fois.",
    ),
    "ServerRunningError": (
        "SQLite ne sert qu'à un serveur à la fois",
        "Arrêter l'autre serveur, prendre un autre --home, ou PostgreSQL par --db.",
    ),
    "SecondFactorKeyError": (
        "la clé qui scelle les seconds facteurs manque, ou en est une autre",
        (
            "Remettre keys/totp.key comme elle était : de la sauvegarde du serveur, ou de l'autre serveur"
            " de cette base."
        ),
    ),
    "UnboundRoleError": (
        "ce rôle de la base est au-dessus de ses règles : les structures ne seraient pas séparées",
        "Prendre un rôle ordinaire qui possède la base ; les commandes sont dans docs/audit.md.",
    ),
    "LaterDatabaseError": (
        "un Relève plus récent a écrit cette base",
        "Relancer la version plus récente, ou rétablir la sauvegarde d'avant elle.",
    ),
    "PlainListenError": (
        "sans chiffrement un serveur n'écoute que sur sa propre machine",
        "Laisser --no-tls de côté, ou écouter sur 127.0.0.1.",
    ),
    "ListenError": (
        "on ne peut pas écouter à cette adresse",
        "Arrêter ce qui l'occupe, ou en choisir une autre par --listen ADRESSE:PORT.",
    ),
    "HeadsUnreadableError": (
        "ce qui devrait tenir des têtes transmises ne se lit pas, ou n'en tient aucune",
        (
            "Nommer un fichier ou dossier que `releve server run --ship-heads` a rempli, ou un fichier de"
            " syslog."
        ),
    ),
    "ContentError": (
        "un fichier du contenu manque ou ne se lit pas",
        "Installer Relève de nouveau, ou remettre le dossier content/ de sa source.",
    ),
    "PdfMissingError": (
        "WeasyPrint, ou une bibliothèque dont il a besoin, n'est pas là",
        (
            "Installer `pip install 'releve[server]'` et Pango (Debian : libpango-1.0-0,"
            " libpangoft2-1.0-0). Le HTML est complet sans lui."
        ),
    ),
    "PdfTooLongError": (
        "une partie qui doit tenir sur une page n'y tient pas lisiblement",
        "Raccourcir les textes de content/promises.toml, ou installer le paquet fonts-liberation.",
    ),
    "PlanError": (
        "ce fichier n'est pas un installateur que `releve onboard` a écrit",
        "Relancer `releve onboard FICHIER` sur le serveur, et apporter son installateur ici.",
    ),
    "InstallUnfinishedError": (
        "des étapes de l'installation ne sont pas faites ; ce qui manque à chacune est dit plus haut",
        "Réparer ce qui est dit plus haut, puis relancer le même fichier : ce qui est fait le reste.",
    ),
    "PagesMissingError": (
        "de quoi servir des pages n'est pas installé sur cette machine",
        "L'installer : pip install 'releve[pages]'.",
    ),
}
