import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("changelog", REPOSITORY / "scripts/changelog.py")
changelog = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(changelog)


def test_the_changelog_is_up_to_date():
    said = (REPOSITORY / "CHANGELOG.md").read_text()
    assert said == changelog.join(REPOSITORY / "changes"), "stale: run `make docs`"


def test_fragments_are_joined_by_kind_then_issue(tmp_path):
    (tmp_path / "7-b.fix.md").write_text("B\nb")
    (tmp_path / "3-a.fix.md").write_text("A")
    (tmp_path / "9-c.security.md").write_text("C")
    said = changelog.join(tmp_path)
    assert said.index("C (#9)") < said.index("A (#3)") < said.index("B b (#7)")


def test_a_name_that_does_not_fit_is_refused(tmp_path):
    (tmp_path / "new-thing.md").write_text("x")
    with pytest.raises(ValueError, match="new-thing"):
        changelog.join(tmp_path)
