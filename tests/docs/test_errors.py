import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from releve.apps.cli import exits

REPOSITORY = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("errors_script", REPOSITORY / "scripts/errors.py")
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)
FAILED = script.import_everything()
ERRORS = script.all_errors()


def test_every_module_can_be_imported():
    assert FAILED == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_a_status_a_meaning_and_a_remedy_of_its_own(error):
    assert "status" in vars(error)
    assert 1 <= error.status <= 125, "126 and up belong to the shell"
    assert error.__doc__
    assert error.status == 1 or error.remedy.strip()


@pytest.mark.parametrize("command", sorted(exits.EXITS))
def test_no_two_errors_of_one_command_share_a_status(command):
    errors = set(exits.exits_of(command))
    counts = Counter(error.status for error in errors)
    assert not [e.__name__ for e in errors if counts[e.status] > 1]


def test_the_page_is_up_to_date():
    stale = "docs/errors.md is stale: run `make docs`"
    assert (REPOSITORY / "docs/errors.md").read_text() == script.page(ERRORS), stale
