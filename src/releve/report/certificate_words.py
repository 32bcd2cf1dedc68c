"""The words of the drill's certificate, French first."""

from releve.report.text import Text, counted, text

KIND = text("Certificat d’essai de restauration", "Restore drill certificate")
KIND_CERTIFY = text("Certificat de restauration", "Restore certificate")
TITLE = text("Ce qui revient, et en combien de temps", "What comes back, and how fast")
TITLE_CERTIFY = text("Ce qui a été restauré, et vérifié", "What was restored, and verified")
DESCRIPTION = text(
    "Un essai de restauration mesuré et signé.", "A restore drill, measured and signed."
)
FOOTER = text(
    "Relève — chaque chiffre a été mesuré à cette occasion. Aucun nom de fichier ni de patient.",
    "Relève — every figure was measured in this drill. No file name, no patient name.",
)
STRUCTURE = text("Structure", "Structure")
HOST = text("Machine", "Machine")
DATE = text("Essai du", "Drill of")
DATE_CERTIFY = text("Vérifié le", "Verified on")
NUMBER = text("N°", "No.")

LEAD_PASSED = text(
    "Tout est revenu : {size}, {files}, vérifiés.",
    "Everything came back: {size}, {files}, verified.",
)
LEAD_FAILED = text(
    "L’essai a échoué. Ce qui manque est écrit ci-dessous.",
    "The drill failed. What is missing is written below.",
)
LEAD_PASSED_CERTIFY = text(
    "Ce qui a été examiné est sain : {size}, {files}.",
    "What was examined is sound: {size}, {files}.",
)
LEAD_FAILED_CERTIFY = text(
    "La restauration n’est pas certifiée. Les raisons sont ci-dessous.",
    "The restore is not certified. The reasons are below.",
)
FILES = counted("{n} fichier", "{n} fichiers", "{n} file", "{n} files")
FAILED_TITLE = text("Ce qui n’a pas réussi", "What did not succeed")
INTERRUPTED_TITLE = text("Essai interrompu et repris", "Drill interrupted and resumed")
INTERRUPTED = counted(
    "Interrompu {n} fois, repris là où il en était. Durées comptées depuis la demande, arrêts "
    "compris : pendant {idle}, personne ne travaillait.",
    "Interrompu {n} fois, repris là où il en était. Durées comptées depuis la demande, arrêts "
    "compris : pendant {idle}, personne ne travaillait.",
    "Interrupted {n} time, resumed where it was. Times count from the order, the stop included: "
    "for {idle} nothing worked on it.",
    "Interrupted {n} times, resumed where it was. Times count from the order, stops included: "
    "for {idle} nothing worked on it.",
)
INTERRUPTED_NOT_RTO = text(
    "Une durée interrompue ne vaut pas comme mesure du délai de reprise.",
    "An interrupted time does not count as a measure of the recovery time.",
)

MARKS: dict[str, Text] = {
    "first_file": text("Premier fichier", "First file"),
    "patient_list": text("Liste des patients utilisable", "Patient list usable"),
    "databases": text("Bases ouvertes", "Databases open"),
    "all_local": text("Tout est là", "Everything local"),
}
SINCE_ORDER = text("depuis la demande", "from the order")
MARK_INTERRUPTED = text(
    "interrompu ; {worked} hors arrêt", "interrupted; {worked} without the stop"
)
NOT_REACHED = text("non atteint", "not reached")
RPO = text("Perte maximale (RPO)", "Recovery point (RPO)")
RPO_FROM = text("dernière sauvegarde vérifiée : {at}", "last verified backup: {at}")
RPO_JUDGED = text(
    "dernière sauvegarde vérifiée et jugée saine, fichier par fichier : {at}",
    "last backup that was verified, and judged clean file by file: {at}",
)
NO_RPO = text("aucune", "none")
RPO_NONE = text(
    "aucune sauvegarde vérifiée et saine n’est connue", "no verified and clean backup is known"
)
VOLUME = text("Volume restauré", "Volume restored")

CONTROLS = text("Contrôles", "Checks")
CONTROL = text("Contrôle", "Check")
RESULT = text("Résultat", "Result")
EXAMINED = text("Examinés", "Examined")
REMARK = text("Remarque", "Remark")
CHECKS: dict[str, Text] = {
    "choose": text("Choix de la sauvegarde", "Choice of the backup"),
    "first_file": text("Premier fichier restauré", "First file restored"),
    "patient_list": text(
        "Liste des patients ouverte et comptée", "Patient list opened and counted"
    ),
    "databases": text("Bases ouvertes, contrôlées, comptées", "Databases opened, checked, counted"),
    "all_local": text("Restauration complète", "Full restore"),
    "readable": text("Fichiers présents et lus en entier", "Files there and read whole"),
    "hashes": text(
        "Empreintes comparées à celles du poste, prises à la sauvegarde",
        "Hashes compared with the host’s own, taken at backup time",
    ),
    "dumps": text("Exports PostgreSQL chargés et comptés", "PostgreSQL dumps loaded and counted"),
    "dicom": text("Images DICOM décodées", "DICOM images decoded"),
    "canaries": text("Fichiers témoins inchangés", "Witness files unchanged"),
}
COMPARED = text(
    "Empreintes comparées à la liste fournie", "Hashes compared with the list that was given"
)
FOLLOWED = text("{name} : {told}", "{name}: {told}")
OUTCOMES: dict[str, Text] = {
    "passed": text("Réussi", "Passed"),
    "failed": text("Échec", "Failed"),
    "absent": text("Sans objet", "Nothing of the kind"),
    "not_done": text("Non fait", "Not done"),
}
REASONS: dict[str, Text] = {
    "database_damaged": text(
        "Base {label} : elle ne s’ouvre pas ou est abîmée ({seen})",
        "Database {label}: it does not open or is damaged ({seen})",
    ),
    "database_empty_new": text(
        "Base {label} : elle est vide, et aucun essai antérieur ne dit le contraire",
        "Database {label}: it is empty, and no earlier drill says otherwise",
    ),
    "database_gone": text(
        "Une base vue au dernier essai manque", "A database of the last drill is missing"
    ),
    "database_not_copied": text(
        "Une base n’a pas pu être copiée de façon cohérente à la sauvegarde",
        "A database could not be copied consistently at backup time",
    ),
    "table_gone": text(
        "Base {label} : une table de {wanted} lignes manque",
        "Database {label}: a table of {wanted} rows is missing",
    ),
    "rows_lost": text(
        "Base {label} : {seen} lignes au lieu de {wanted} au dernier essai",
        "Database {label}: {seen} rows instead of {wanted} at the last drill",
    ),
    "newest_older": text(
        "Base {label} : la saisie la plus récente ({seen}) est antérieure à celle du dernier essai "
        "({wanted})",
        "Database {label}: the newest entry ({seen}) is older than at the last drill ({wanted})",
    ),
    "all_empty": text("Toutes les bases sont vides", "All databases are empty"),
    "room_lost": text(
        "La salle propre a disparu pendant l’interruption : rien n’y était plus à vérifier",
        "The clean room vanished during the interruption: nothing was left in it to verify",
    ),
    "after_failure": text("Une étape antérieure a échoué", "An earlier step failed"),
    "error": text("Erreur {seen} (état {wanted})", "Error {seen} (status {wanted})"),
    "read_refused": text(
        "Le coffre refuse à ce droit de tout relire : il faut un droit ouvert ou un chemin convenu",
        "The vault refuses this right to read all: it takes an opened right or an agreed path",
    ),
    "no_file": text("La sauvegarde ne contient aucun fichier", "The backup holds no file"),
    "no_database": text("La sauvegarde ne contient aucune base", "The backup holds no database"),
    "patients_not_there": text(
        "La base de la liste des patients n’est pas dans la sauvegarde",
        "The database of the patient list is not in the backup",
    ),
    "no_room": text(
        "Place libre {seen} Mo, à restaurer {wanted} Mo : rien n’a été écrit de plus",
        "Free space {seen} MB, to restore {wanted} MB: nothing more was written",
    ),
    "files_missing": text(
        "{seen} fichiers restaurés, {wanted} attendus", "{seen} files restored, {wanted} expected"
    ),
    "no_fingerprints": text(
        "Pas de liste d’empreintes du poste : seule la vérification du moteur de sauvegarde vaut",
        "No list of the host’s hashes: only the backup engine’s own verification counts",
    ),
    "hash_differs": text(
        "{seen} fichiers sur {wanted} manquent ou diffèrent",
        "{seen} files of {wanted} are missing or differ",
    ),
    "changed_meanwhile": text(
        "{seen} fichiers sur {wanted} étaient en cours d’écriture : non comparés",
        "{seen} files of {wanted} were being written: not compared",
    ),
    "no_server": text(
        "{seen} exports de bases non chargés : pas de serveur d’essai sur cette machine",
        "{seen} dumps of databases not loaded: no scratch server on this machine",
    ),
    "dump_not_loaded": text(
        "Un export est intact, mais aucun serveur d’essai ne sait le charger",
        "A dump is intact, but no scratch server here can load it",
    ),
    "dump_newer": text(
        "Base {label} : export d’un PostgreSQL plus récent que celui de cette machine, non chargé",
        "Database {label}: dump of a PostgreSQL newer than this machine’s, not loaded",
    ),
    "rows_not_as_dumped": text(
        "Un export contient moins de lignes qu’à la sauvegarde",
        "A dump holds fewer rows than at backup time",
    ),
    "dicom_pixels": text(
        "{seen} images décodées jusqu’aux pixels, sur {wanted}",
        "{seen} images decoded down to the pixels, of {wanted}",
    ),
    "dicom_frames": text(
        "{seen} images lues et leurs trames comptées (pixels non décodés), sur {wanted}",
        "{seen} images read and their frames counted (pixels not decoded), of {wanted}",
    ),
    "dicom_missing": text(
        "{wanted} images non décodées : le module pydicom n’est pas installé",
        "{wanted} images not decoded: pydicom is not installed",
    ),
    "dicom_folded": text(
        "{seen} images dans une compression que cette machine ne déplie pas : trames présentes, pixels non décodés",
        "{seen} images in a compression that this machine cannot unfold: frames there, pixels not decoded",
    ),
    "dicom_bad": text(
        "{seen} images sur {wanted} ne se décodent pas", "{seen} images of {wanted} do not decode"
    ),
    "canary_changed": text("{seen} fichiers témoins modifiés", "{seen} witness files changed"),
    "unreadable": text("{seen} fichiers illisibles", "{seen} unreadable files"),
    "no_file_there": text("Aucun fichier à cet endroit", "No file at that place"),
    "no_image": text(
        "Aucune image dans le dossier indiqué", "No image in the folder that was named"
    ),
    "no_manifest": text(
        "Aucune liste d’empreintes fournie : contenu lu, non comparé",
        "No list of hashes was given: content read, not compared",
    ),
    "manifest_empty": text(
        "La liste d’empreintes fournie ne contient aucune empreinte",
        "The list of hashes that was given holds none",
    ),
}

DATABASES = text("Bases", "Databases")
DATABASE = text("Base", "Database")
TABLES = text("Tables", "Tables")
ROWS = text("Lignes", "Rows")
ROWS_BEFORE = text("Au dernier essai", "At the last drill")
NEWEST = text("Saisie la plus récente", "Newest entry")
FIRST_TIME = text("premier essai", "first drill")
NO_DATE = text("sans date", "no date")
KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "dump": "SQL"}

PROOF = text("Référent métier", "Business referent")
PROOF_FOR = text("Pièce pour", "Piece for")
PROOF_ASKS = text("Ce qui est demandé", "What is asked")
PROOF_SOURCE = text("Source", "Source")
REFERENT = text("Référent métier", "Business referent")
PRODUCT = text("Restauré avec", "Restored with")
PRODUCTION = text("Remis en production", "Back in production")
YES = text("oui, d’après le référent", "yes, as the referent declares")
NO = text("non", "no")
NOT_SAID = text("non précisé", "not stated")
DECLARES = text(
    "Le référent confirme par sa signature que les données restaurées permettent de travailler. "
    "Relève a vérifié ce qui figure ci-dessus, et rien d’autre.",
    "By signing, the referent confirms that one can work with the restored data. Relève verified "
    "what stands above, and nothing else.",
)
DECLARES_NOT = text(
    "À signer seulement une fois les échecs ci-dessus levés, avec un nouveau certificat.",
    "To be signed only when the failures above are mended, on a new certificate.",
)
SIGN_HERE = text("Date et signature du référent", "Date and signature of the referent")

CONDITIONS = text("Conditions", "Conditions")
SNAPSHOT = text("Sauvegarde restaurée", "Backup restored")
ENGINE = text("Moteur", "Engine")
MACHINE = text("Machine", "Machine")
CPUS = counted("{n} cœur", "{n} cœurs", "{n} core", "{n} cores")
ISOLATION = text("Isolement", "Isolation")
ISOLATIONS: dict[str, Text] = {
    "namespace": text(
        "salle propre de l’administrateur, données réelles en lecture seule",
        "clean room of root, live data read-only",
    ),
    "folder": text("salle propre de l’administrateur", "clean room of root"),
    "none": text("examen sur place, en lecture seule", "examined in place, read-only"),
}
ENDED = text("Fin", "End")
SIGNATURE = text("Signature (Ed25519)", "Signature (Ed25519)")
SIGNED_BY = text(
    "clé {key} ; la signature est dans {file}, à garder à côté",
    "key {key}; the signature is in {file}, to be kept beside",
)
CHECK_IT = text("À contrôler par", "Check it with")
LIMITS = text(
    "Ce certificat vaut pour cette sauvegarde, cette machine et cette date. Il ne dit rien du "
    "réseau ni des logiciels du cabinet.",
    "This certificate holds for this backup, this machine and this date. It says nothing of the "
    "network or of the practice’s software.",
)
