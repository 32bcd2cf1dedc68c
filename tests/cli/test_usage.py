"""Wrong words on the command line are told in French, with click's own parser and types."""

import re

import click
import pytest

from releve.apps.cli import main


@pytest.fixture(autouse=True)
def no_language(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def every_kind(monkeypatch):
    """A row whose command takes one of each kind of word."""

    @click.command()
    @click.argument("target")
    @click.option("--count", type=int)
    @click.option("--share", type=float)
    @click.option("--port", type=click.IntRange(1, 9))
    @click.option("--kind", type=click.Choice(["docx", "pdf"]))
    @click.option("--only", type=click.Choice(["pdf"]))
    @click.option("--need", type=click.Choice(["a", "b"]), required=True)
    @click.option("--both", nargs=2)
    @click.option("--flag", is_flag=True)
    @click.option("--folder", type=click.Path(exists=True, file_okay=False))
    @click.option("--file", type=click.Path(exists=True, dir_okay=False))
    @click.option("--read", type=click.File())
    def take(**words):
        click.echo(sorted(words))

    holder = type(main)("taking_command")
    holder.take = take
    monkeypatch.setitem(main.sys.modules, "taking_command", holder)
    monkeypatch.setitem(main.COMMANDS, "take", main.Row("taking_command:take", "x"))


@pytest.fixture
def failing_with(monkeypatch):
    """A row whose command fails as asked."""

    def arrange(error):
        @click.command()
        def fail():
            raise error

        holder = type(main)("failing_command")
        holder.fail = fail
        monkeypatch.setitem(main.sys.modules, "failing_command", holder)
        monkeypatch.setitem(main.COMMANDS, "fail", main.Row("failing_command:fail", "x"))

    return arrange


WRONG = [
    ("", "il manque 'TARGET'."),
    ("x", "il manque '--need' ; au choix : a, b."),
    (
        "x --ned a",
        "l'option '--ned' n'existe pas ; voulu peut-être : '--kind', '--need', '--read'.",
    ),
    (
        "x --ned=a --zzz",
        "l'option '--ned' n'existe pas ; voulu peut-être : '--kind', '--need', '--read'.",
    ),
    ("x --zzz", "l'option '--zzz' n'existe pas."),
    ("x --need", "l'option '--need' veut une valeur."),
    ("x --both 1", "'--both' veut 2 valeurs."),
    ("x --flag=1", "l'option '--flag' ne prend pas de valeur."),
    ("x y --need a", "de trop : y."),
    ("x y z --need a", "de trop : y z."),
    ("x --count deux", "'--count' : 'deux' n'est pas un nombre entier."),
    ("x --share deux", "'--share' : 'deux' n'est pas un nombre."),
    ("x --port deux", "'--port' : 'deux' n'est pas un nombre entier."),
    ("x --port 70", "'--port' : 70 n'est pas dans l'intervalle 1<=x<=9."),
    ("x --kind odt", "'--kind' : 'odt' ne convient pas ; au choix : 'docx', 'pdf'."),
    ("x --only odt", "'--only' : 'odt' ne convient pas, seulement 'pdf'."),
    ("x --folder /nowhere", "'--folder' : '/nowhere' n'existe pas."),
    ("x --folder /etc/passwd", "'--folder' : '/etc/passwd' est un fichier, il faut un dossier."),
    ("x --file /etc", "'--file' : '/etc' est un dossier, il faut un fichier."),
    ("x --read /nowhere", "'--read' : '/nowhere' n'existe pas."),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_what_is_wrong_is_said_in_french_with_how_to_call_it(words, said, every_kind, capsys):
    assert main.run(["take", *words.split()]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == f"releve: {said}"
    if words not in ("x --need", "x --both 1", "x --flag=1"):  # of these click knows no command
        assert rest == ["  Emploi : releve take [OPTIONS] TARGET", "  Aide : releve take --help"]


@pytest.mark.parametrize("words", [words for words, _ in WRONG])
def test_an_english_terminal_hears_click_itself_and_a_program_english(
    words, every_kind, capsys, monkeypatch
):
    assert main.run(["take", "--json", *words.split()]) == 2
    assert not re.search(r"manque|existe pas|convient", capsys.readouterr().err)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    assert main.run(["take", *words.split()]) == 2
    assert "\nError: " in "\n" + capsys.readouterr().err


def test_a_command_that_is_not_there_is_told_with_those_like_it(capsys):
    assert main.run(["recover", "strat"]) == 2
    said = capsys.readouterr().err
    assert "la commande 'strat' n'existe pas ; voulu peut-être : 'start', 'status'." in said
    assert "Aide : releve recover --help" in said
    assert main.run(["nowhere"]) == 2
    assert "la commande 'nowhere' n'existe pas." in capsys.readouterr().err
    assert main.run(["recover"]) == 2  # a group alone shows its commands
    assert "Commands:" in capsys.readouterr().err


def test_our_own_sentence_stays_as_it_is(failing_with, capsys):
    failing_with(click.UsageError("La date manque / the date is missing."))
    assert main.run(["fail"]) == 2
    assert (
        capsys.readouterr().err.splitlines()[0] == "releve: La date manque / the date is missing."
    )
