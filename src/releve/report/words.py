"""The words of the simulation report, French first. A text cannot be built in one language only."""

# ruff: noqa: E501  (a sentence is read whole, not in pieces)

from releve.report.text import Counted, Text, counted, text

KIND = text("Rapport de simulation", "Simulation report")
TITLE = text("Ce que valent nos défenses, mesuré ici", "What our defences are worth, measured here")
DESCRIPTION = text(
    "Résultat d’attaques réelles lancées contre un cabinet d’essai, mesuré sur cette machine.",
    "Result of real attacks run against a trial practice, measured on this machine.",
)
FOOTER = text(
    "Relève — mesuré sur cette machine, pas estimé. Aucun nom de fichier ni de patient.",
    "Relève — measured on this machine, not estimated. No file name, no patient name.",
)
MEASURED_ON = text("Mesuré le", "Measured on")
MACHINE = text("Machine", "Machine")
NOT_MEASURED = text("non mesuré ici", "not measured here")
NEVER = text("jamais", "never")
OVER = text("déjà finie", "already over")
OVER_MEANS = text(
    "l’attaque avait fini d’elle-même avant d’être jugée : personne à arrêter, ce qu’elle a fait est défait.",
    "the attack had ended by itself before it was judged: nobody to stop, what it did is undone.",
)
BAD_OVER = text(
    "l’attaque avait fini avant d’être jugée", "the attack had ended before it was judged"
)

# The first page
LEAD_NONE = text(
    "Aucune attaque n’a été mesurée sur cette machine. Ce rapport ne prouve donc rien.",
    "No attack was measured on this machine. This report therefore proves nothing.",
)
LEAD_SAFE = counted(
    "{n} attaque réelle lancée contre un cabinet de {files} fichiers : aucun fichier perdu.",
    "{n} attaques réelles lancées contre un cabinet de {files} fichiers : aucun fichier perdu.",
    "{n} real attack run against a practice of {files} files: no file lost.",
    "{n} real attacks run against a practice of {files} files: no file lost.",
)
LEAD_LOST = counted(
    "{n} attaque réelle lancée contre un cabinet de {files} fichiers : {lost}.",
    "{n} attaques réelles lancées contre un cabinet de {files} fichiers : {lost}.",
    "{n} real attack run against a practice of {files} files: {lost}.",
    "{n} real attacks run against a practice of {files} files: {lost}.",
)
FILES_LOST = counted("{n} fichier perdu", "{n} fichiers perdus", "{n} file lost", "{n} files lost")
WHAT_HAPPENED = text(
    "Un cabinet d’essai a été créé (comptes rendus, courriers, images, base de patients fictifs), puis de vrais "
    "programmes de chiffrement et d’effacement ont été lancés contre ses fichiers, l’un après l’autre. Après "
    "chaque attaque, chaque fichier a été comparé à ce qu’il était avant.",
    "A trial practice was created (reports, letters, images, a database of invented patients), then real programs "
    "that encrypt and erase were run against its files, one after the other. After each attack every file "
    "was compared with what it was before.",
)
KIND_COUNT = text("{kind} : {n}", "{kind}: {n}")
BY_KIND = text("Par genre — {kinds}.", "By kind — {kinds}.")
PROMISES_LINE = text(
    "Promesses : {held} sur {n} tenues, {broken} non tenues, {unmeasured} non mesurées ici. Elles ont leur page.",
    "Promises: {held} of {n} held, {broken} not held, {unmeasured} not measured here. They have their page.",
)
NOT_HELD = text("Non tenues : {which}", "Not held: {which}")
# Some are named by the attack above that broke them.
NOT_HELD_EITHER = text("Non tenues non plus : {which}", "Not held either: {which}")
MEANING = text("Ce que cela veut dire pour les soins", "What this means for care")
MEANING_SAFE = text(
    "Après chaque attaque mesurée, les documents étaient de nouveau lisibles, tels qu’avant : rien à reconstituer, "
    "aucune rançon en jeu.",
    "After every attack measured here the documents could be read again, as before: nothing to rebuild, no ransom at stake.",
)
MEANING_LOST = counted(
    "{n} document serait à reprendre dans la sauvegarde, ou à reconstituer s’il n’y est pas.",
    "{n} documents seraient à reprendre dans la sauvegarde, ou à reconstituer s’ils n’y sont pas.",
    "{n} document would have to come from the backup, or be rebuilt if it is not there.",
    "{n} documents would have to come from the backup, or be rebuilt if they are not there.",
)
MEANING_NEWEST = counted(
    "{n} saisie faite à l’instant même d’une attaque serait à refaire ; la version précédente a été rendue.",
    "{n} saisies faites à l’instant même d’une attaque seraient à refaire ; la version précédente a été rendue.",
    "{n} entry made at the very moment of an attack would have to be made again; the version before it was given back.",
    "{n} entries made at the very moment of an attack would have to be made again; the version before was given back.",
)
MEANING_NEWEST_NONE = text(
    "Même la dernière saisie avant l’attaque a été rendue, dans tous les cas mesurés.",
    "Even the last entry before the attack was given back, in every case measured here.",
)
MEANING_BREAK = text(
    "De la première écriture destructrice au dernier fichier remis en place : {median} en médiane, {worst} au pire "
    "(mesuré dans {n} cas sans perte sur {of}, attaquant arrêté ou non). C’est le temps pendant lequel un document pouvait être illisible.",
    "From the first destructive write to the last file put back: {median} median, {worst} at worst "
    "(measured in {n} cases without loss of {of}, attacker stopped or not). That is how long a document may have been unreadable.",
)
MEANING_HONEST = counted(
    "{n} travail ordinaire a tourné sous la même garde sans être arrêté.",
    "{n} travaux ordinaires ont tourné sous la même garde, aucun n’a été arrêté.",
    "{n} ordinary task ran under the same guard and was not stopped.",
    "{n} ordinary tasks ran under the same guard, none was stopped.",
)
BAD = text("Ce qui n’a pas tenu", "What did not hold")
BAD_ATTACK = text("{attack} ({fs}) : {faults}.", "{attack} ({fs}): {faults}.")
BAD_WRONG = counted(
    "{n} différence après le retour arrière ({sorts})",
    "{n} différences après le retour arrière ({sorts})",
    "{n} difference after the rollback ({sorts})",
    "{n} differences after the rollback ({sorts})",
)
BAD_STOP = text("l’attaquant n’a pas été arrêté", "the attacker was not stopped")
# How the simulation's comparison begins its sentences, and what the report says instead.
SORTS: dict[str, Text] = {
    "mode": text("droits", "rights"),
    "propriétaire": text("propriétaire", "owner"),
    "date": text("date", "time"),
    "ACL": text("ACL ou attributs", "ACL or attributes"),
    "de trop": text("fichier de trop", "file too many"),
    "absent": text("élément absent", "missing item"),
    "autre contenu": text("autre contenu", "other content"),
    "n'est plus": text("lien entre fichiers rompu", "link between files broken"),
}
SORT_OTHER = text("autre différence", "another difference")
BAD_HONEST = text(
    "{work} ({fs}) : travail honnête arrêté par erreur.",
    "{work} ({fs}): honest work stopped by mistake.",
)
BAD_CARE = text(
    "{part} : cette partie de la chaîne n’a pas fonctionné.",
    "{part}: this part of the chain did not work.",
)
AND_MORE = counted(
    "et {n} autre, dans les tableaux plus loin.",
    "et {n} autres, dans les tableaux plus loin.",
    "and {n} more, in the tables further on.",
    "and {n} more, in the tables further on.",
)
CONDITIONS = text("À quelles conditions", "On what conditions")
CONDITION_TEXT = text(
    "L’attaquant n’est pas administrateur (root) du serveur : s’il l’est, seule la sauvegarde hors de portée protège. "
    "La réserve des originaux est intacte et a encore de la place. L’enregistrement est plus ancien que la fenêtre de tenue ; "
    "les plus jeunes sont comptés à part.",
    "The attacker is not root on the server: if he is, only the backup out of his reach protects. "
    "The store of originals is intact and still has room. The save is older than the window; younger ones are counted apart.",
)
TILE_ATTACKS = text("Attaques réelles", "Real attacks")
TILE_LOST = text("Fichiers perdus", "Files lost")
TILE_TOUCHED = text("Fichiers touchés avant l’arrêt", "Files touched before the stop")
TILE_STOP = text("Délai d’arrêt", "Time to stop")
TILE_ROLLBACK = text("Retour arrière", "Rollback")
TILE_HONEST = text("Travaux honnêtes arrêtés", "Honest tasks stopped")
ON_SYSTEMS = text("sur {fs}", "on {fs}")
SKIPPED_COUNT = counted("{n} non lancée", "{n} non lancées", "{n} not run", "{n} not run")
MEDIAN_OF = text("médiane ; pire {worst} ; {n} attaques", "median; worst {worst}; {n} attacks")
NEVER_IN = counted(
    "sans arrêt, compté comme infini ({n} fois)",
    "sans arrêt, compté comme infini ({n} fois)",
    "no stop, counted as infinite (once)",
    "no stop, counted as infinite ({n} times)",
)
LOST_OF = text(
    "sur {n} attaques ; saisies trop récentes : {newest}", "over {n} attacks; too recent: {newest}"
)
HONEST_OF = text(
    "sur {tuned} de mise au point et {held_out} jamais vus",
    "of {tuned} tuned on and {held_out} never seen",
)

# The timelines
TIMELINE = text(
    "Chaque attaque, de la première écriture au dernier fichier remis",
    "Each attack, from first write to last file put back",
)
TIMELINE_INTRO = text(
    "Une ligne par attaque. Le temps va de gauche à droite et chaque trait vertical vaut dix fois le précédent : "
    "sans cela, les arrêts les plus rapides seraient invisibles.",
    "One line per attack. Time runs from left to right and each vertical line is ten times the one before: "
    "without that, the fastest stops could not be seen.",
)
LEGEND_ATTACK = text("l’attaque écrit", "the attack writes")
LEGEND_STOP = text("arrêt", "stop")
LEGEND_BACK = text("retour arrière", "rollback")
LEGEND_NEVER = text("jamais arrêtée", "never stopped")
LEGEND_OVER = text("déjà finie", "already over")
AXIS_TOUCHED = text("touchés", "touched")
AXIS_LOST = text("perdus", "lost")
CHART_DESC = text(
    "{n} attaques. Délai d’arrêt médian {stop}. Les mêmes valeurs sont dans le tableau des attaques.",
    "{n} attacks. Median time to stop {stop}. The same values are in the table of attacks.",
)
NO_CHART = text(
    "Aucune attaque à dessiner : rien n’a été mesuré ici.",
    "No attack to draw: nothing was measured here.",
)
DETAIL = text("Une attaque de près — {attack} ({fs})", "One attack up close — {attack} ({fs})")
DETAIL_INTRO = text(
    "Le gardien n’arrête pas sur une impression : chaque raison vaut des points, et leur somme décide. "
    "Voici ses raisons, dans l’ordre où il les a vues. Les noms de fichiers sont cachés.",
    "The guard does not stop on an impression: each reason is worth points, and their sum decides. "
    "These are its reasons, in the order in which it saw them. File names are hidden.",
)
DETAIL_DESC = text(
    "Première écriture, arrêt après {stop}, dernier fichier remis après {back}.",
    "First write, stop after {stop}, last file put back after {back}.",
)
FIRST_WRITE = text("première écriture", "first write")
STOPPED_AFTER = text("arrêt : {time}", "stop: {time}")
BACK_AFTER = text("tout remis : {time}", "all back: {time}")
POINTS = text("{score} points", "{score} points")
POINTS_TOTAL = text("total {score}", "total {score}")
MORE_REASONS = counted(
    "et {n} autre raison.",
    "et {n} autres raisons.",
    "and {n} more reason.",
    "and {n} more reasons.",
)
TIMES_SEEN = text("vu {n} fois", "seen {n} times")
ACTIONS: dict[str, Text] = {
    "killed": text("Programme gelé puis terminé.", "Program frozen, then ended."),
    "frozen": text(
        "Programme gelé, en attente d’une décision.", "Program frozen, waiting for a decision."
    ),
    "client_blocked": text(
        "Poste attaquant coupé, les autres continuent.",
        "Attacking machine cut off, the others go on.",
    ),
    "would_stop": text(
        "Mode observation : aurait été arrêté.", "Watch mode: would have been stopped."
    ),
    "none": text(
        "Auteur inconnu ou déjà parti : rien à arrêter.", "Writer unknown or gone: nothing to stop."
    ),
}
RESTORED = counted(
    "{n} fichier remis en place en {time}.",
    "{n} fichiers remis en place en {time}.",
    "{n} file put back in {time}.",
    "{n} files put back in {time}.",
)
QUARANTINED = counted(
    "{n} fichier créé par l’attaquant mis en quarantaine.",
    "{n} fichiers créés par l’attaquant mis en quarantaine.",
    "{n} file made by the attacker put in quarantine.",
    "{n} files made by the attacker put in quarantine.",
)
LEFT = counted(
    "{n} fichier apparu pendant l’attaque, laissé en place : son auteur n’est pas connu.",
    "{n} fichiers apparus pendant l’attaque, laissés en place : leur auteur n’est pas connu.",
    "{n} file that came up during the attack, left in place: its author is not known.",
    "{n} files that came up during the attack, left in place: their author is not known.",
)
KEPT_BOTH = counted(
    "{n} fichier modifié aussi par quelqu’un d’autre : les deux versions gardées.",
    "{n} fichiers modifiés aussi par quelqu’un d’autre : les deux versions gardées.",
    "{n} file also edited by somebody else: both versions kept.",
    "{n} files also edited by somebody else: both versions kept.",
)

# The other tables
NOT_SHOWN = text(
    "Ce qui n’a pas été montré sur cette machine", "What was not shown on this machine"
)
NOT_SHOWN_INTRO = text(
    "Une mesure absente n’est pas une réussite. Voici ce que ce rapport ne prouve pas.",
    "A missing measure is not a success. This is what this report does not prove.",
)
NOT_SHOWN_NONE = text("Tout ce qui était prévu a été lancé.", "All that was planned was run.")
NOT_RUN = text("{attack} ({fs}) : {why}", "{attack} ({fs}): {why}")
ENVIRONMENT = text(
    "Où et comment ces chiffres ont été obtenus", "Where and how these figures came about"
)
CHAIN = text("La chaîne autour du gardien", "The chain around the guard")
WINDOWS = text(
    "Fenêtre entre un enregistrement et sa copie tenue", "Window between a save and its held copy"
)
ATTACKS = text("Toutes les attaques", "All attacks")
HONEST = text("Le travail honnête sous la même garde", "Honest work under the same guard")
HONEST_TUNED = text(
    "Liste de mise au point : les règles ont été réglées dessus",
    "Tuning list: the rules were tuned on it",
)
HONEST_HELD_OUT = text("Travaux jamais vus par les règles", "Work that the rules had never seen")
HONEST_WANTED = text("Arrêt voulu, sauf approbation", "Stop intended, unless approved")
GLOSSARY = text("Huit mots", "Eight words")

HEAD: dict[str, Text] = {
    "attack": text("Attaque", "Attack"),
    "kind": text("Genre", "Kind"),
    "fs": text("Système", "System"),
    "touched": text("Touchés", "Touched"),
    "lost": text("Perdus", "Lost"),
    "newest": text("Trop récents", "Too recent"),
    "stop": text("Arrêt", "Stop"),
    "rollback": text("Retour", "Rollback"),
    "as_before": text("Comme avant", "As before"),
    "work": text("Travail", "Task"),
    "stopped": text("Arrêté", "Stopped"),
    "points": text("Points", "Points"),
    "slowdown": text("Ralentissement", "Slowdown"),
    "promise": text("Promesse", "Promise"),
    "measured": text("Mesuré ici", "Measured here"),
    "verdict": text("Verdict", "Verdict"),
    "condition": text("Condition", "Condition"),
    "command": text("Commande", "Command"),
    "part": text("Partie", "Part"),
    "result": text("Résultat", "Result"),
    "time": text("Durée", "Time"),
    "saves": text("Enregistrements", "Saves"),
    "median": text("Médiane", "Median"),
    "p99": text("99 sur 100", "99 in 100"),
    "worst": text("Pire", "Worst"),
}
CARE_PARTS: dict[str, Text] = {
    "backup": text("sauvegarde hors de portée", "backup out of reach"),
    "restore": text("reprise depuis la sauvegarde", "restore from the backup"),
    "incident_visible": text("incident visible à l’écran", "incident visible on screen"),
    "server": text("serveur", "server"),
    "agent": text("agent", "agent"),
    "console": text("écran de suivi", "console"),
}
YES = text("oui", "yes")
NO = text("non", "no")
WORKED = text("fait", "done")
FAILED = text("échec", "failed")
KINDS: dict[str, Text] = {
    "encryptor": text("chiffreur", "encryptor"),
    "evasion": text("dissimulation", "evasion"),
    "wiper": text("effaceur", "wiper"),
    "breaking": text("contournement", "breaking try"),
    "smb": text("poste du réseau", "network client"),
}
KIND_GROUPS: dict[str, Text] = {
    "encryptor": text("chiffreurs", "encryptors"),
    "evasion": text("dissimulations", "evasions"),
    "wiper": text("effaceurs", "wipers"),
    "breaking": text("contournements", "breaking tries"),
    "smb": text("postes du réseau", "network clients"),
}
KIND_OTHER = text("autre", "other")
ENVIRONMENT_ROWS: dict[str, Text] = {
    "host": text("Machine", "Machine"),
    "at": text("Date", "Date"),
    "kernel": text("Noyau", "Kernel"),
    "hardware": text("Matériel", "Hardware"),
    "load": text("Charge au départ", "Load at the start"),
    "practice": text("Cabinet d’essai", "Trial practice"),
    "systems": text("Systèmes de fichiers", "File systems"),
    "mode": text("Mode du gardien", "Mode of the guard"),
    "versions": text("Versions", "Versions"),
    "seconds": text("Durée de la simulation", "Length of the simulation"),
    "command": text("Refaire la mesure", "Measure again"),
}
HARDWARE = text("{cpus} cœurs, {memory} de mémoire", "{cpus} cores, {memory} of memory")
PRACTICE = text("{files} fichiers, {size}", "{files} files, {size}")
MODES: dict[str, Text] = {
    "exact": text(
        "exact : le système nomme l’auteur de chaque écriture",
        "exact: the system names the writer of each write",
    ),
    "portable": text(
        "portable : originaux tenus, auteur désigné par indices seulement",
        "portable: originals held, writer named by evidence only",
    ),
}
AS_ROOT = text("lancé comme administrateur", "run as root")
AS_USER = text("lancé sans droits d’administrateur", "run without root rights")

# Promises
PROMISES = text(
    "Nos promesses, et ce qui a été mesuré ici", "Our promises, and what was measured here"
)
PROMISES_INTRO = text(
    "Mesuré le {at} sur {host}. Promesses datées du {dated}. {held} sur {n} tenues, {broken} non tenues, {unmeasured} non mesurées ici.",
    "Measured on {at} on {host}. Promises dated {dated}. {held} of {n} held, {broken} not held, {unmeasured} not measured here.",
)
PROMISES_SOURCE = text("Source des promesses : {source}", "Source of the promises: {source}")
OUTCOMES: dict[str, Text] = {
    "held": text("tenu", "held"),
    "broken": text("non tenu", "not held"),
    "unmeasured": text("non mesuré", "not measured"),
    "counted": text("compté", "counted"),
}
UNITS: dict[str, Counted] = {
    "files": counted("{n} fichier", "{n} fichiers", "{n} file", "{n} files"),
    "works": counted("{n} travail", "{n} travaux", "{n} task", "{n} tasks"),
    "differences": counted(
        "{n} différence", "{n} différences", "{n} difference", "{n} differences"
    ),
}
TIMES = text("{n} fois", "{n} times")
RESTS_MEAN = text("moyenne {x}", "mean {x}")
RESTS_P95 = text("p95 {x}", "p95 {x}")
RESTS_WORST = text("pire {x}", "worst {x}")
RESTS_MEDIAN = text("médiane {x}", "median {x}")
RESTS_N = text("n = {n}", "n = {n}")
RESTS_NEVER = text("dont {n} jamais", "{n} of them never")
ASIDE = text("plus grand retour mesuré : {x}", "largest rollback measured: {x}")
