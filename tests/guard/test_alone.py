"""The guard's own process: what it is handed, however much that is, and what it heeds of the environment."""

import os
import subprocess
import sys
from pathlib import Path

_SRC = Path(__file__).parents[2] / "src"
_RUN = (sys.executable, "-P", "-m", "releve.apps.cli.main", "guard", "run")


def test_more_words_than_one_variable_holds_are_no_reason_not_to_guard(tmp_path: Path) -> None:
    words = [w for n in range(1500) for w in ("--never-block", f"https://h{n:04}.{'x' * 90}.org")]
    (tmp_path / "file").touch()
    some = [*_RUN, "--portable", "--protect", str(tmp_path / "file"), "--json"]
    ran = [
        subprocess.run([*some, *more], capture_output=True, text=True, check=False, timeout=60)
        for more in ([], words)
    ]
    assert ran[0].returncode == 13, ran[0].stderr
    assert (ran[1].returncode, ran[1].stderr) == (ran[0].returncode, ran[0].stderr)


def test_an_interpreter_that_heeds_no_environment_hands_on_that_it_does_not(tmp_path: Path) -> None:
    trap = tmp_path / "releve/apps/guard"
    trap.mkdir(parents=True)
    for folder in (trap, *trap.parents[:2]):
        (folder / "__init__.py").touch()
    (trap / "alone.py").write_text("print('trapped')")
    begins = f"import sys; sys.path.insert(0, {str(_SRC)!r})\n"
    begins += "from releve.apps.guard.alone import become; become('{}')"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", begins],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "trapped" not in ran.stdout
