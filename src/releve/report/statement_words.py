"""The words of the service statement, French first."""

from releve.report.text import counted, text

KIND = text("Relevé de service", "Service statement")
DESCRIPTION = text(
    "Le service d’un mois, mesuré et signé.", "One month of service, measured and signed."
)
FOOTER = text(
    "Relève — chaque chiffre dit ce qui a été mesuré et sur combien de cas. Aucun nom de fichier ni de patient.",
    "Relève — every figure says what was measured and over how many cases. No file name, no patient name.",
)
MONTH = text("Mois", "Month")
MADE = text("Établi le", "Made on")
ZONE = text("Heure de", "Time of")
UNDER_WAY = text(
    "Le mois n’est pas fini : ces chiffres vont jusqu’au moment où le relevé est établi.",
    "The month is not over: these figures go up to the moment at which the statement is made.",
)
TOLD_SINCE = text(
    "Le serveur ne tient les messages des machines que depuis le {at} : les sauvegardes et les essais "
    "d’avant n’y sont pas comptés.",
    "The server holds the hosts’ messages only since {at}: backups and drills of before are not counted.",
)
NOT_MEASURED = text("non mesuré", "not measured")
NEVER = text("jamais", "never")

TIMES = text("Durées mesurées", "Times measured")
TIMES_HEAD = (
    text("De quoi à quoi", "From what to what"),
    text("Moyenne", "Mean"),
    text("p95", "p95"),
    text("Pire", "Worst"),
    text("Cas", "Cases"),
)
HELP = text(
    "Aide : de la première sonnerie à une personne qui répond",
    "Help: from the first ring to a person who answers",
)
CARE = text(
    "Incident : du premier signe aux soins repris, par service",
    "Incident: from the first sign to care resumed, per service",
)
FIRST_FILE = text("Essai de restauration : premier fichier", "Restore drill: first file")
PATIENT_LIST = text("Essai : liste des patients utilisable", "Drill: patient list usable")
DATABASES = text("Essai : bases ouvertes", "Drill: databases open")
ALL_LOCAL = text("Essai : tout est là", "Drill: everything local")
RPO = text("Essai : âge des données revenues", "Drill: age of the data that came back")
WITH_NEVER = text("dont {n} sans réponse", "of which {n} without an answer")

COUNTS = text("Ce qui a été compté", "What was counted")
COUNTS_HEAD = (
    text("Quoi", "What"),
    text("Combien", "How many"),
    text("Sur quoi cela repose", "What it rests on"),
)
HELP_IN_TIME = text(
    "Demandes d’aide prises en {minutes} min", "Calls for help taken in {minutes} min"
)
OF = text("{n} sur {all}", "{n} of {all}")
ASKED = counted(
    "{n} demande du mois", "{n} demandes du mois", "{n} call of the month", "{n} calls of the month"
)
WAITING_CALLS = text(
    "{n} encore en cours d’appel, non comptées", "{n} still being rung, not counted"
)
INCIDENTS = text("Incidents commencés dans le mois", "Incidents that began in the month")
STILL_OPEN = text("encore ouverts : {n}", "still open: {n}")
FILES = text("Fichiers rétablis / perdus", "Files brought back / lost")
FILES_OF = text(
    "par ce que les gardiens ont dit de ces incidents", "as the guards told of these incidents"
)
PENDING = text("retours pas encore annoncés : {n}", "rollbacks not told yet: {n}")
DRILLS = text("Essais de restauration réussis", "Restore drills that succeeded")
BACKUPS = text("Sauvegardes réussies", "Backups that succeeded")
BACKUPS_OF = text(
    "par ce que les machines ont dit dans le mois ({n} sur {all})",
    "as the hosts told in the month ({n} of {all})",
)
PROTECTED = text("Machines protégées", "Hosts protected")
PROTECTED_OF = text(
    "le gardien veille et la machine répond, le {at}",
    "the guard watches and the host answers, on {at}",
)
VAULT = text(
    "Dernier instantané reçu par le coffre {name}", "Last snapshot that vault {name} received"
)
VAULT_OF = text("{host}, {size} ; état signé du {at}", "{host}, {size}; standing signed on {at}")
MORE_HOSTS = text("et {n} autres machines, dans le JSON", "and {n} other hosts, in the JSON")
NO_SNAPSHOT = text("aucun", "none")
DUTIES = text(
    "Obligations légales à échéance dans le mois, tenues", "Legal duties due in the month, met"
)
DUTIES_OF = text(
    "en retard : {late} ; pas encore dues : {waiting} ; écartées avec une raison : {not_due}",
    "late: {late}; not due yet: {waiting}; set aside with a reason: {not_due}",
)
FREE_DUTIES = text(
    "Obligations sans délai chiffré, commencées dans le mois, faites",
    "Duties without a delay in hours, begun in the month, done",
)
NO_DUTY = text("aucune n’a couru", "none ran")
ON_CALL = text("Heures couvertes par l’astreinte", "Hours covered by on-call")
HOURS = text("{n} h sur {all} h", "{n} h of {all} h")
ON_CALL_OF = text(
    "selon la liste d’astreinte telle qu’elle est à ce jour", "by the rota as it is on this day"
)
ON_CALL_FROM = text(
    "comptées du {since}, première liste d’astreinte ici, au {until}",
    "counted from {since}, the first rota here, to {until}",
)
ON_CALL_UNTIL = text("comptées jusqu’au {until}", "counted up to {until}")
NOBODY = text("aucune liste d’astreinte dans ce mois", "there was no rota in this month")
NO_CASE = text("aucun cas dans le mois", "no case in the month")

SERVICES = text("Soins touchés", "Care that was touched")
SERVICES_HEAD = (
    text("Service", "Service"),
    text("Premier signe", "First sign"),
    text("Soins repris après", "Care resumed after"),
    text("Incident", "Incident"),
)
NOT_RESUMED = text("personne ne l’a dit", "nobody said so")
MORE_SERVICES = text("et {n} autres, dans le fichier JSON", "and {n} others, in the JSON file")

SIGNATURE = text("Signature", "Signature")
SIGNED_BY = text("Ed25519, clé {key}, dans {file}", "Ed25519, key {key}, in {file}")
CHECK = text("Vérifier", "Check")
LIMITS = text(
    "Seul est compté ce que le serveur tient. « Non mesuré » n’est pas zéro : personne ne l’a mesuré. "
    "Les incidents comptent dans le mois de leur premier signe, les demandes dans celui de leur première "
    "sonnerie, à l’heure de la structure.",
    "Only what the server holds is counted. “Not measured” is not zero: nobody measured it. Incidents "
    "count in the month of their first sign, calls in that of their first ring, in the structure’s own time.",
)
