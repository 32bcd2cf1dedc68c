"""The words of the live table, French first."""

import os
from typing import Literal

Lang = Literal["fr", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Relève : simulation d'attaques réelles", "Relève: simulation of real attacks"),
    "interrupted": (
        "interrompu : tout ce que la simulation avait lancé est arrêté et rangé",
        "interrupted: all that the simulation had started is stopped and cleared away",
    ),
    "cleaned": ("nettoyé après une fin brutale : {}", "cleaned after a hard end: {}"),
    "building": ("construction du partage : {} fichiers", "building the share: {} files"),
    "attacks": ("Attaques", "Attacks"),
    "honest": ("Travail honnête", "Honest work"),
    "chain": ("La chaîne autour du gardien", "The chain around the guard"),
    "fs": ("système", "system"),
    "touched": ("touchés", "touched"),
    "lost": ("perdus", "lost"),
    "newest": ("dern. version", "newest save"),
    "stop": ("arrêt", "stop"),
    "rollback": ("retour", "rollback"),
    "not_stopped": ("pas arrêtée", "not stopped"),
    "over": ("déjà finie", "already over"),
    "over_undone": ("déjà finie, défaite", "already over, undone"),
    "never": ("jamais", "never"),
    "never_counted": (
        " (sans arrêt : {}, compté comme le plus lent)", " (without a stop: {}, counted as the slowest)",
    ),
    "sum_stopped": ("{} arrêtées", "{} stopped"),
    "sum_over": (" ; finies avant que le gardien ait jugé : {}", "; over when judged: {}"),
    "skipped": ("non montrée : {}", "not shown: {}"),
    "let": ("laissé faire", "let through"),
    "halted": ("ARRÊTÉ", "STOPPED"),
    "wanted": ("arrêté, comme voulu (approbation)", "stopped, as wanted (approval)"),
    "summary": ("En bref", "In short"),
    "sum_attacks": (
        (
            "{} attaques ({}) : {} fichiers perdus, {} dernières versions perdues ; "
            "médiane {} fichiers touchés, arrêt en {}"
        ),
        (
            "{} attacks ({}): {} files lost, {} newest saves lost; "
            "median {} files touched, stop in {}"
        ),
    ),
    "sum_honest": ("Travaux honnêtes : {}, {} ; {}", "Honest workloads: {}, {}; {}"),
    "all_tuned": ("tous connus des règles", "all known to the rules"),
    "held_out": ("dont {} que les règles n'avaient jamais vus", "{} of them never seen by the rules"),
    "none_stopped": ("aucun arrêté à tort", "none wrongly stopped"),
    "some_stopped": ("arrêtés à tort : {}", "wrongly stopped: {}"),
    "some_held_out": (
        "arrêtés à tort : {}, dont {} que les règles n'avaient jamais vus",
        "wrongly stopped: {}, {} of them never seen by the rules",
    ),
    "not_shown": ("Non montré ici", "Not shown here"),
    "report": ("Rapport : {}", "Report: {}"),
    "console": ("Console : {}", "Console: {}"),
    "code": (
        "Première ouverture : code {} (il sert une fois, pour choisir le mot de passe)",
        "First opening: code {} (good once, to choose the password)",
    ),
    "stop_hint": ("Pour l'éteindre : {} simulate --stop", "To end it: {} simulate --stop"),
    "seconds": ("{} s", "{} s"),
    "on": ("{} sur {}", "{} on {}"),
    "stopped_console": ("console éteinte : {}", "console ended: {}"),
    "nothing_runs": ("aucune console ne tourne", "no console runs"),
}  # fmt: skip


def choose(asked: str | None) -> Lang:
    """`--lang` first, then LANG; French unless English is asked for."""
    wish = (asked or os.environ.get("LC_ALL") or os.environ.get("LANG") or "fr").lower()
    return "en" if wish.startswith("en") else "fr"


def say(lang: Lang, key: str, *values: object) -> str:
    """The phrase of that key with its values."""
    french, english = _WORDS[key]
    return (french if lang == "fr" else english).format(*values)


def honest_sentence(
    lang: Lang, ran: int, held_out: int, stopped: int, stopped_held_out: int
) -> str:
    """How the honest work fared; what is 0 is said in words, or not at all."""
    seen = say(lang, "held_out", held_out) if held_out else say(lang, "all_tuned")
    if not stopped:
        fared = say(lang, "none_stopped")
    elif stopped_held_out:
        fared = say(lang, "some_held_out", stopped, stopped_held_out)
    else:
        fared = say(lang, "some_stopped", stopped)
    return say(lang, "sum_honest", ran, seen, fared)
