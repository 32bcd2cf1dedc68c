"""Words of a French practice: invented patients, folders and sentences; no real person is meant."""

from random import Random

FIRST = (
    "Jeanne", "Louis", "Amélie", "Yannick", "Fatima", "Hélène", "Rémi", "Zoé", "François", "Noémie",
    "Karim", "Agnès", "Bénédicte", "Théo", "Maëlle", "Gaël", "Inès", "Jérôme", "Léa", "Marceau",
)  # fmt: skip
LAST = (
    "Dupont", "Lefèvre", "Martineau", "Garnier", "Benali", "Le Goff", "Chevalier", "Béranger", "Nguyen",
    "Fontaine", "Roussel", "Pélissier", "Morvan", "Da Silva", "Châtelain", "Kerbrat", "Vasseur", "Aubry",
)  # fmt: skip
SUBJECTS = (
    "Le patient", "La patiente", "L'examen clinique", "Le bilan biologique", "La radiographie",
    "L'échographie abdominale", "La tension artérielle", "Le traitement en cours", "L'électrocardiogramme",
    "Le compte rendu opératoire", "La cicatrice", "L'auscultation pulmonaire", "Le dossier",
)  # fmt: skip
VERBS = (
    "ne retrouve pas", "montre", "confirme", "écarte", "évoque", "justifie", "permet de suivre",
    "ne modifie pas", "précise", "conduit à revoir", "est compatible avec", "fait discuter",
)  # fmt: skip
OBJECTS = (
    "d'anomalie évolutive", "une amélioration nette", "l'hypothèse initiale", "un syndrome inflammatoire",
    "une légère anémie", "la conduite tenue", "les douleurs décrites", "un contrôle dans trois mois",
    "la posologie habituelle", "un avis spécialisé", "l'équilibre du diabète", "une fatigue persistante",
)  # fmt: skip
ENDS = (
    "depuis la dernière consultation.", "sans signe de gravité.", "à contrôler avant l'été.",
    "selon les recommandations.", "en accord avec le médecin traitant.", "malgré un bon suivi.",
    "au vu des antécédents familiaux.", "comme convenu au téléphone.", "avec une surveillance simple.",
)  # fmt: skip
KINDS = (
    "Comptes rendus", "Courriers", "Ordonnances", "Biologie", "Imagerie", "Numérisations", "Photos",
)  # fmt: skip
OFFICES = (
    "Secrétariat/Courriers sortants",
    "Secrétariat/Modèles",
    "Comptabilité/2024",
    "Comptabilité/2025",
    "Comptabilité/Feuilles de soins",
    "Laboratoire/Résultats reçus",
    "Mutuelles et tiers payant",
    "Planning & congés",
    "Archives/2021",
    "Archives/2022",
)


def patient(rng: Random) -> str:
    """An invented patient, as a folder is named: `Dupont Jeanne (1953)`."""
    return f"{rng.choice(LAST)} {rng.choice(FIRST)} ({rng.randint(1931, 2019)})"


def sentences(rng: Random, count: int) -> list[str]:
    """As many different plausible sentences of a letter."""
    return [
        f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)} "
        f"({rng.randint(1, 28):02d}/{rng.randint(1, 12):02d}/{rng.randint(2019, 2026)}) {rng.choice(ENDS)}"
        for _ in range(count)
    ]
