"""What click says of wrong words on the command line, in French.

Click takes its translations from the machine's own catalogues, which have none of it and follow
the terminal's language; Relève speaks French unless the terminal is set to English.
"""

import re
from collections.abc import Sequence

import click

Rows = Sequence[tuple[str, str]]  # what click 8.5 says (a pattern), what we say of it

_WORDS: Rows = (
    (
        r"Missing (?:argument|option|parameter) (.+?)\. Choose from:\s*(.+)",
        "il manque {0} ; au choix : {1}",
    ),
    (r"Missing (?:argument|option|parameter):? (.+?)\.?", "il manque {0}"),
    (r"Missing command\.", "il manque la sous-commande"),
    (r"No such option (.+)\.", "l'option {0} n'existe pas"),
    (r"No such command (.+)\.", "la commande {0} n'existe pas"),
    (r"Got unexpected extra arguments? \((.+)\)", "de trop : {0}"),
    (r"Option (.+) requires an argument\.", "l'option {0} veut une valeur"),
    (r"(?:Option|Argument) (.+) (?:requires|takes) (\d+) (?:arguments|values)\.",
     "{0} veut {1} valeurs"),
    (r"Option (.+) does not take a value\.", "l'option {0} ne prend pas de valeur"),
)  # fmt: skip
# What click says of a value that its type refuses.
_VALUES: Rows = (
    (r"(.+) is not a valid integer(?: range)?\.", "{0} n'est pas un nombre entier"),
    (r"(.+) is not a valid float(?: range)?\.", "{0} n'est pas un nombre"),
    (r"(.+) is not in the range (.+)\.", "{0} n'est pas dans l'intervalle {1}"),
    (r"(.+) is not one of (.+)\.", "{0} ne convient pas ; au choix : {1}"),
    (r"(.+) is not ('[^']+')\.", "{0} ne convient pas, seulement {1}"),
    (r"(?:File|Directory|Path) (.+) does not exist\.", "{0} n'existe pas"),
    (r"(?:File|Directory|Path) (.+) is a file\.", "{0} est un fichier, il faut un dossier"),
    (r"(?:File|Directory|Path) (.+) is a directory\.", "{0} est un dossier, il faut un fichier"),
    (r"(?:File|Directory|Path) (.+) is not readable\.", "{0} ne peut être lu"),
    (r"(?:File|Directory|Path) (.+) is not writable\.", "rien ne peut être écrit dans {0}"),
    (r"(.+): No such file or directory", "{0} n'existe pas"),
    (r"(.+): Permission denied", "{0} ne peut être lu : droits manquants"),
)
_INVALID = re.compile(r"Invalid value(?: for (.+?))?: (.+)", re.DOTALL)
_ALIKE = re.compile(r"\s*\(?Did you mean (?:one of: )?(.+?)\?\)?$")


def usage_in_french(error: click.ClickException) -> str:
    """The lines for stderr: what is wrong, how the command is called, where its help is.

    A sentence that we do not know stays as click says it: true words in English before none.
    """
    lines = [f"releve: {_said(error.format_message())}."]
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        called = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
        lines += [f"  Emploi : {called}", f"  Aide : {context.command_path} --help"]
    return "\n".join(lines)


def _said(words: str) -> str:
    alike = _ALIKE.search(words)
    words = words[: alike.start()] if alike else words
    invalid = _INVALID.fullmatch(words)
    if invalid is None:
        said = _by(_WORDS, words)
    else:
        where, why = invalid.groups()
        said = f"{where} : {_by(_VALUES, why)}" if where else _by(_VALUES, why)
    return f"{said} ; voulu peut-être : {alike[1]}" if alike else said


def _by(rows: Rows, words: str) -> str:
    for pattern, french in rows:
        found = re.fullmatch(pattern, words, re.DOTALL)
        if found:
            return french.format(*(re.sub(r"\s+", " ", group) for group in found.groups()))
    return words.rstrip(".")
