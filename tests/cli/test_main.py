import importlib.util
import json
import subprocess
import sys

import click
import pytest

from releve.apps.cli import main
from releve.model.errors import NotRootError


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


def test_an_error_for_people_is_a_message_a_remedy_and_a_status(failing, capsys):
    failing(NotRootError("Exact watching"))
    assert main.run(["fail"]) == NotRootError.status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"releve: Exact watching needs root.\n  {NotRootError.remedy}\n"


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
