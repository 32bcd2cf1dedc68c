"""The words of the incident report, French first."""

from releve.report.text import Text, counted, text

KIND = text("Rapport d’incident", "Incident report")
TITLE = text("Ce qui s’est passé, et ce qui reste à faire", "What happened, and what is left to do")
DESCRIPTION = text(
    "Une attaque, ce qui l’a arrêtée et ce qui a été rendu.",
    "An attack, what stopped it and what was given back.",
)
FOOTER = text(
    "Relève — établi à partir de ce que le gardien a constaté. Aucun nom de fichier ni de patient.",
    "Relève — drawn up from what the guard observed. No file name, no patient name.",
)
STRUCTURE = text("Structure", "Structure")
HOST = text("Machine", "Machine")
WRITTEN = text("Établi le", "Drawn up on")
NUMBER = text("Incident", "Incident")

LEAD_SAFE = text(
    "Le {at}, une attaque a été arrêtée sur {host}. Tous les fichiers touchés ont été rendus.",
    "On {at} an attack was stopped on {host}. All files touched were given back.",
)
LEAD_OVER = text(
    "Le {at}, {host} a été attaqué. L’attaque avait fini avant d’être jugée ; tout ce qu’elle a touché a été rendu.",
    "On {at} {host} was attacked. The attack had ended before it was judged; all it touched was given back.",
)
LEAD_LOST = text("Le {at}, {host} a été attaqué : {lost}.", "On {at} {host} was attacked: {lost}.")
LEAD_PENDING = text(
    "Le {at}, {host} a été attaqué. La remise en place n’est pas encore confirmée.",
    "On {at} {host} was attacked. Putting the files back is not confirmed yet.",
)
LEAD_RUNNING = text(
    "Le {at}, {host} a été attaqué, et l’attaquant n’a pas pu être mis hors d’état.",
    "On {at} {host} was attacked, and the attacker could not be put out of action.",
)
LEAD_UNSTOPPED = text(
    "Le {at}, {host} a été attaqué. L’auteur est inconnu ou déjà parti : rien n’a été arrêté, et il peut revenir.",
    "On {at} {host} was attacked. The author is unknown or gone: nothing was stopped, and may come back.",
)
LEAD_OTHER = text(
    "Le {at}, un constat grave a été fait sur {host}. Aucune attaque n’y a été arrêtée.",
    "On {at} a serious finding was made on {host}. No attack was stopped there.",
)
OPEN = text(
    "Incident encore ouvert. Dernier constat le {at}.", "Incident still open. Last finding on {at}."
)
CLOSED = text("Incident clos le {at}.", "Incident closed on {at}.")

TILE_STOPS = text("Arrêts", "Stops")
TILE_TOUCHED = text("Fichiers vus touchés à l’arrêt", "Files seen touched at the stop")
TILE_SEEN = text("Fichiers vus touchés au constat", "Files seen touched when found")
TILE_RESTORED = text("Fichiers rendus", "Files given back")
TILE_LOST = text("Fichiers perdus", "Files lost")
TILE_NEWEST = text("Saisies trop récentes", "Too recent entries")
TILE_STOP = text("Délai d’arrêt, au pire", "Time to stop, worst")
OF_STOPS = counted("sur {n} arrêt", "sur {n} arrêts", "over {n} stop", "over {n} stops")
OF_FOUND = counted("sur {n} constat", "sur {n} constats", "over {n} finding", "over {n} findings")
OVER = counted(
    "et {n} attaque déjà finie, défaite",
    "et {n} attaques déjà finies, défaites",
    "and {n} attack already over, undone",
    "and {n} attacks already over, undone",
)
UNSTOPPED = counted(
    "et {n} attaque sans auteur connu, que rien n’a arrêtée",
    "et {n} attaques sans auteur connu, que rien n’a arrêtées",
    "and {n} attack without a known author, which nothing stopped",
    "and {n} attacks without a known author, which nothing stopped",
)
PENDING = counted(
    "{n} retour arrière pas encore confirmé",
    "{n} retours arrière pas encore confirmés",
    "{n} rollback not confirmed yet",
    "{n} rollbacks not confirmed yet",
)
IN_TIME = text("en {time}", "in {time}")
NEWEST_MEANS = text("la version précédente a été rendue", "the version before was given back")
NOT_TOLD = text("pas encore connu", "not known yet")

TO_DO = text("Ce qui reste à faire", "What is left to do")
NOTHING_TO_DO = text(
    "Rien pour les fichiers : tout a été rendu. Cherchez par où l’attaquant est entré.",
    "Nothing for the files: all was given back. Find out where the attacker came in.",
)
DO_PENDING = text(
    "Attendre la confirmation du retour arrière avant de rouvrir les dossiers touchés.",
    "Wait for the rollback to be confirmed before opening the folders touched.",
)
DO_LOST = counted(
    "Reprendre {n} fichier dans la sauvegarde.",
    "Reprendre {n} fichiers dans la sauvegarde.",
    "Take {n} file back from the backup.",
    "Take {n} files back from the backup.",
)
DO_NEWEST = counted(
    "Refaire {n} saisie, faite à l’instant de l’attaque.",
    "Refaire {n} saisies, faites à l’instant de l’attaque.",
    "Make {n} entry again, made at the moment of the attack.",
    "Make {n} entries again, made at the moment of the attack.",
)
DO_LEFT = counted(
    "Regarder {n} fichier apparu pendant l’attaque et laissé en place : son auteur n’est pas connu.",
    "Regarder {n} fichiers apparus pendant l’attaque et laissés en place : leur auteur n’est pas connu.",
    "Look at {n} file that came up during the attack and was left in place: its author is not known.",
    "Look at {n} files that came up during the attack and were left in place: their author is not known.",
)
DO_KEPT_BOTH = counted(
    "Choisir entre deux versions de {n} fichier, gardées côte à côte.",
    "Choisir entre deux versions de {n} fichiers, gardées côte à côte.",
    "Choose between two versions of {n} file, kept side by side.",
    "Choose between two versions of {n} files, kept side by side.",
)
DO_ACTION: dict[str, Text] = {
    "frozen": text(
        "Un programme gelé attend votre décision : le terminer ou le reprendre.",
        "A frozen program waits for your decision: end it or let it go on.",
    ),
    "none": text(
        "L’auteur est inconnu ou parti : il peut revenir. Gardez la machine sous surveillance.",
        "The writer is unknown or gone: he may come back. Keep the machine under watch.",
    ),
    "client_blocked": text(
        "Le poste attaquant est coupé du partage : le nettoyer avant de le rouvrir.",
        "The attacking machine is cut off from the share: clean it before it is let in again.",
    ),
    "would_stop": text(
        "Le gardien observe sans agir : décider s’il doit désormais arrêter.",
        "The guard watches without acting: decide whether it should stop from now on.",
    ),
}

COURSE = text("Le déroulement", "The course of events")
COURSE_INTRO = text("Heures en {zone}.", "Times in {zone}.")
LEFT_OUT = counted(
    "{n} autre constat n’est pas repris ici.",
    "{n} autres constats ne sont pas repris ici.",
    "{n} more finding is not listed here.",
    "{n} more findings are not listed here.",
)
REASONS = text("Pourquoi le gardien a arrêté", "Why the guard stopped it")
REASONS_SEEN = text("Ce que le gardien a vu", "What the guard saw")
SEEN_LINE = text("Constat {number}, {at}", "Finding {number}, {at}")
STOP_LINE = text("Arrêt {number}, {at}", "Stop {number}, {at}")
MORE_STOPS = counted(
    "{n} autre arrêt du même incident n’est pas détaillé ici.",
    "{n} autres arrêts du même incident ne sont pas détaillés ici.",
    "{n} more stop of the same incident is not detailed here.",
    "{n} more stops of the same incident are not detailed here.",
)
FROM_CLIENT = text("Depuis le poste {client}.", "From the machine {client}.")
CLOSE_UP = text("Le premier arrêt, en vraies proportions", "The first stop, in true proportion")

SEEN = counted(
    "{action} {n} fichier touché, vu en {time}.",
    "{action} {n} fichiers touchés, vu en {time}.",
    "{action} {n} file touched, seen in {time}.",
    "{action} {n} files touched, seen in {time}.",
)
STOPPED = counted(
    "{action} {n} fichier touché, arrêt en {time}.",
    "{action} {n} fichiers touchés, arrêt en {time}.",
    "{action} {n} file touched, stopped in {time}.",
    "{action} {n} files touched, stopped in {time}.",
)
ROLLED_BACK = counted(
    "{n} fichier rendu en {time} ; perdus : {lost}, trop récents : {newest}.",
    "{n} fichiers rendus en {time} ; perdus : {lost}, trop récents : {newest}.",
    "{n} file given back in {time}; lost: {lost}, too recent: {newest}.",
    "{n} files given back in {time}; lost: {lost}, too recent: {newest}.",
)
KINDS: dict[str, Text] = {
    "acknowledged": text("L’incident est vu.", "The incident was seen."),
    "note": text("Une note est écrite.", "A note is written."),
    "linked": text("Une autre machine est touchée.", "Another host is hit."),
    "merged": text("Un autre incident est réuni à celui-ci.", "Another incident is merged in."),
    "split": text("Des machines sont séparées.", "Hosts are split off."),
    "split_from": text("Séparé d’un autre incident.", "Split from another incident."),
    "closed": text("Incident clos.", "Incident closed."),
    "reopened": text("Incident rouvert.", "Incident reopened."),
    "care_resumed": text("Un soin a repris.", "Care goes on."),
    "care_stopped": text("Un soin n’a pas repris, finalement.", "Care does not go on after all."),
    "task_added": text("Une tâche est ajoutée.", "A task is added."),
    "task_done": text("Une tâche est faite.", "A task is done."),
    "evidence": text("Une preuve est notée.", "Evidence is noted."),
    "hand_over": text("Une preuve est remise.", "Evidence is handed over."),
    "ransom_decided": text(
        "Une décision sur la rançon est écrite.", "A decision about the ransom is written."
    ),
    "playbook_started": text("Une fiche réflexe est commencée.", "A playbook is started."),
    "step_done": text("Une étape est faite.", "A step is done."),
    "step_skipped": text("Une étape est passée.", "A step is skipped."),
    "step_undone": text("Une étape est reprise en arrière.", "A step is taken back."),
    "step_proposed": text(
        "Une étape est proposée aux machines.", "A step is proposed to the hosts."
    ),
    "store_full": text("La réserve des originaux est pleine.", "The store of originals is full."),
    "mass_deletion": text("Suppression en masse constatée.", "Mass deletion observed."),
    "slow_score": text("Destruction lente constatée.", "Slow destruction observed."),
    "volume_score": text(
        "Destruction répartie sur tout le volume.", "Destruction spread over the whole volume."
    ),
    "user_score": text(
        "Destruction répartie sur plusieurs programmes d’un même compte.",
        "Destruction spread over several programs of one account.",
    ),
    "rollback_failed": text("Le retour arrière a échoué.", "The rollback failed."),
    "rollback_incomplete": text("Le retour arrière est incomplet.", "The rollback is incomplete."),
    "lineage_lost": text(
        "La filiation des programmes n’est plus sûre.", "The lineage of programs is no longer sure."
    ),
    "overflow": text(
        "Trop d’événements à la fois : tout a été relu.",
        "Too many events at once: everything was read again.",
    ),
    "guard_down": text(
        "Le gardien s’est arrêté ; l’agent l’a relancé.",
        "The guard ended; the agent started it again.",
    ),
    "backup_failed": text("Une sauvegarde a échoué.", "A backup failed."),
    "backup_harmed": text(
        "Une sauvegarde, reçue, montre des fichiers détruits, chiffrés ou douteux.",
        "A backup, received, shows files that are destroyed, encrypted or doubtful.",
    ),
    "order_done": text(
        "Un ordre a été exécuté sur la machine.", "An order was carried out on the machine."
    ),
    "order_failed": text("Un ordre n’a pas pu être exécuté.", "An order could not be carried out."),
    "events_dropped": text(
        "Des événements ont été abandonnés, la file était pleine.",
        "Events were given up, the queue was full.",
    ),
    "lines_unreadable": text("Des lignes n’ont pas pu être lues.", "Some lines could not be read."),
}
KIND_OTHER = text("Constat : {kind}.", "Finding: {kind}.")
COUNT = text("Nombre : {n}.", "Count: {n}.")
