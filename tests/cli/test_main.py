import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from releve.apps.cli import exits, main
from releve.apps.cli.called import to_type
from releve.apps.cli.exits import exits_of
from releve.apps.cli.french import FRENCH
from releve.apps.server.audit_cli import TrailNotWholeError
from releve.apps.server.glpi_cli import GlpiFailedError
from releve.flow.recovery.errors import TargetError
from releve.model.errors import NotRootError

REPOSITORY = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("errors_script", REPOSITORY / "scripts/errors.py")
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)


@pytest.fixture
def failing(monkeypatch):
    """A row whose command fails as asked."""

    def arrange(error):
        @click.command()
        @click.option("--json", "as_json", is_flag=True)
        def fail(as_json):
            raise error

        monkeypatch.setitem(sys.modules, "failing_command", type(sys)("failing_command"))
        sys.modules["failing_command"].fail = fail
        monkeypatch.setitem(main.COMMANDS, "fail", main.Row("failing_command:fail", "x"))

    return arrange


def test_what_a_command_loads_is_not_looked_through_for_garbage_and_what_comes_later_is():
    code = (
        "import gc; from releve.apps.cli import main; main.run(['backup', 'list', '--state', '/none'])\n"
        "print(gc.get_freeze_count() > 10_000, gc.isenabled())\n"
        "before = gc.get_stats()[0]['collections']; kept = [[] for _ in range(5000)]\n"
        "print(gc.get_stats()[0]['collections'] > before)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "True", "True"]


def test_importing_the_command_imports_no_program():
    code = (
        "import sys, releve.apps.cli.main\n"
        "print([m for m in sys.modules if m.startswith('releve.apps.') and '.cli' not in m\n"
        "  or m in ('litestar','sqlalchemy','jinja2','httpx','anyio','structlog','asyncio')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_help_names_every_command_without_importing_it(capsys):
    assert main.run(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in main.COMMANDS)


def test_version_is_told(capsys):
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("releve 0.")


@pytest.fixture
def terminal(monkeypatch):
    """Sets the terminal's language; it begins with none."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return lambda wish: monkeypatch.setenv("LANG", wish)


def test_an_error_for_people_is_a_message_a_remedy_and_a_status(failing, capsys, terminal):
    failing(NotRootError("Exact watching"))
    terminal("en_GB.UTF-8")
    assert main.run(["fail"]) == NotRootError.status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"releve: Exact watching needs root.\n  {NotRootError.remedy}\n"


@pytest.mark.parametrize("wish", ["", "C.UTF-8", "fr_FR.UTF-8", "de_DE.UTF-8"])
def test_it_is_in_french_where_the_terminal_is_not_set_to_english(failing, capsys, terminal, wish):
    failing(NotRootError("Exact watching"))
    terminal(wish)
    main.run(["fail"])
    what, remedy, detail = capsys.readouterr().err.splitlines()
    assert what == "releve: il faut être root."
    assert remedy.startswith("  Lancer la même commande avec sudo")
    assert detail == "  Détail technique : Exact watching needs root."
    failing(TargetError("/srv/cabinet", "it is not empty", "il n'est pas vide"))
    main.run(["fail"])
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "releve: /srv/cabinet : il n'est pas vide.",
        f"  {TargetError.remedy_fr}",
    ], "what holds its facts in French needs no detail"


@pytest.mark.parametrize(
    "command",
    ["recover start", "recover status", "recover stop", "recover finish", "recover plan",
     "recover scan", "restore file"],
)  # fmt: skip
def test_who_recovers_at_night_reads_every_refusal_in_french(command):
    found = exits_of(command)
    assert found
    for error in found:
        assert error.__name__ in FRENCH or error.remedy_fr, error.__name__


ROOM = (
    "agent", "audit", "desk", "dossier", "group", "help", "host", "incident", "insurer", "install", "leave",
    "obligation", "onboard", "papers", "playbook", "server", "situation", "statement",
    "structure",
)  # fmt: skip


@pytest.mark.parametrize("command", sorted(c for c in exits.EXITS if c.split()[0] in ROOM))
def test_who_works_in_the_operations_room_reads_every_refusal_in_french(command):
    for error in exits_of(command):
        names = {kind.__name__ for kind in error.__mro__}
        assert names & FRENCH.keys() or error.remedy_fr, error.__name__


def test_an_error_that_knows_what_to_do_itself_says_so_under_the_french_words(failing, capsys):
    failing(GlpiFailedError("https://glpi.example/apirest.php", "gone"))
    main.run(["fail"])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "releve: GLPI ne fait pas ce qu'il faut."
    assert "/apirest.php; switch the REST API on" in said[1]
    assert "there is no API at this address" in said[2]
    failing(TrailNotWholeError(2))
    main.run(["fail"])
    assert "Garder la base et les têtes" in capsys.readouterr().err
    failing(TrailNotWholeError(2, "Bring the certificate."))
    main.run(["fail"])
    assert "  Bring the certificate.\n" in capsys.readouterr().err


def test_commands_are_told_as_they_can_be_typed_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/opt/relève 1/bin/releve", "fail"])
    assert (
        to_type("Ask: `releve guard status`.") == "Ask: `'/opt/relève 1/bin/releve' guard status`."
    )
    (tmp_path / "releve").touch(mode=0o755)
    assert to_type("Ask: `releve guard status`.") == "Ask: `releve guard status`."


def test_with_json_the_error_is_one_object_on_stderr(failing, capsys):
    failing(NotRootError("Exact watching"))
    assert main.run(["fail", "--json"]) == NotRootError.status
    assert json.loads(capsys.readouterr().err) == {
        "type": "error",
        "status": 10,
        "message": "Exact watching needs root.",
        "remedy": NotRootError.remedy,
    }


def test_a_bug_keeps_its_traceback(failing):
    failing(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        main.run(["fail"])


def test_ctrl_c_has_its_status(failing):
    failing(KeyboardInterrupt())
    assert main.run(["fail"]) == main.INTERRUPTED


def test_a_reader_who_leaves_is_told_nothing_and_has_its_status(failing, capsys):
    failing(BrokenPipeError())
    assert main.run(["fail"]) == main.BROKEN_PIPE == 128 + 13
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_what_a_command_ends_with_is_the_status_of_the_process(failing, words):
    failing(click.exceptions.Exit(43))  # as `ctx.exit(43)` of those that found something
    assert main.run(["fail", *words]) == 43
    failing(click.exceptions.Exit(0))
    assert main.run(["fail", *words]) == 0


@pytest.mark.parametrize("words", [["nonsense"], ["--nonsense"], ["nonsense", "--json"]])
def test_a_wrong_word_is_status_2(words, capsys):
    assert main.run(words) == 2
    said = capsys.readouterr().err
    assert "nonsense" in said
    assert words[-1] != "--json" or json.loads(said)["status"] == 2


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_row_is_a_command_whose_help_tells_its_exit_statuses(name, capsys):
    assert importlib.util.find_spec(main.COMMANDS[name].target.partition(":")[0])
    assert main.run([name, "--help"]) == 0
    assert "EXIT STATUS" in capsys.readouterr().out


def leaves(command: click.Command, words: str) -> dict[str, str]:
    """Every command below by its words, and the module that carries it out."""
    if not isinstance(command, click.Group):
        return {words: command.callback.__module__}
    command.list_commands(click.Context(command))  # a group may load its commands only now
    inner = (leaves(one, f"{words} {name}") for name, one in command.commands.items())
    return {words: module for some in inner for words, module in some.items()}


def every_command() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, row in main.COMMANDS.items():
        module, _, attribute = row.target.partition(":")
        found |= leaves(getattr(importlib.import_module(module), attribute), name)
    return found


def test_every_command_has_its_row_of_exit_statuses_and_no_row_is_of_none() -> None:
    assert sorted(exits.EXITS) == sorted(every_command())


def test_every_error_is_one_that_some_command_can_end_with() -> None:
    assert script.import_everything() == []
    named = {error.__name__ for words in exits.EXITS for error in exits.exits_of(words)}
    known = {error.__name__ for error in script.all_errors()} - {"ReleveError", "UsageError"}
    assert known - named - exits.NOWHERE.keys() == set()
    assert not named & exits.NOWHERE.keys()


def errors_raised_in(module: str) -> set[str]:
    """The errors for people that a module of commands raises by itself."""
    found = importlib.util.find_spec(module)
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    names = {getattr(getattr(call, "func", call), "id", "") for call in calls}
    return names & {error.__name__ for error in script.all_errors()}


def test_what_a_commands_own_module_raises_is_in_the_rows_of_that_module() -> None:
    script.import_everything()
    commands = every_command()
    for module in set(commands.values()):
        rows = [words for words, place in commands.items() if place == module]
        named = {error.__name__ for words in rows for error in exits.exits_of(words)}
        assert errors_raised_in(module) <= named | {"UsageError"}, module


def test_help_lists_what_this_command_can_end_with_and_nothing_else(capsys) -> None:
    assert main.run(["backup", "run", "--help"]) == 0
    said = capsys.readouterr().out
    listed = re.findall(r"^ +(\d+)  ", said.partition("EXIT STATUS")[2], re.MULTILINE)
    own = {error.status for error in exits.exits_of("backup run")}
    assert listed == sorted({"0", "1", "2", "130", *map(str, own)}, key=int)
    assert 9 < len(own) < 30
    assert main.run(["agent", "status", "--help"]) == 0
    said = capsys.readouterr().out
    assert "vault" not in said
    assert " 44 " in said


@pytest.mark.parametrize("words", [["recover", "start"], ["restore"], ["restore", "serve"]])
def test_examples_in_a_help_keep_their_lines(words, capsys) -> None:
    assert main.run([*words, "--help"]) == 0
    said = capsys.readouterr().out
    assert "\\b" not in said
    examples = [line.strip() for line in said.splitlines() if line.startswith("    releve ")]
    assert examples
    assert all(line.startswith("releve ") for line in examples)


def test_a_command_and_its_children_leave_no_core():
    """A crash would put keys and passwords on a disk."""
    words = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (1 << 20,) * 2);"
        "import releve.apps.cli.main as cli;"
        "cli.run = lambda _: print(resource.getrlimit(resource.RLIMIT_CORE)); cli.main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "(1, 1)\n"


def test_wrong_words_lead_to_the_help_of_the_very_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["incident", "list", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["remedy"] == "See `releve incident list --help`."
