import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_lock_has_hashes_and_no_index_address():
    lock = (REPOSITORY / "requirements.lock").read_text()
    pins = re.findall(r"^[A-Za-z0-9_.\[\]-]+==", lock, flags=re.MULTILINE)
    assert len(pins) > 50
    assert "://" not in lock
    assert not re.search(r"^-", lock, flags=re.MULTILINE), (
        "an option: only pins and their hashes belong here"
    )
    for block in re.split(r"\n(?=\S)", lock.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_lock_pins_what_the_project_asks_for():
    project = (REPOSITORY / "pyproject.toml").read_text()
    lock = (REPOSITORY / "requirements.lock").read_text().lower()
    asked = re.findall(
        r'^ *"([A-Za-z0-9_-]+)(?:\[[a-z]+\])?==([0-9.]+)"', project, flags=re.MULTILINE
    )
    asked += re.findall(r'"(hatchling)==([0-9.]+)"', project)
    assert len(asked) > 25
    for name, version in asked:
        assert re.search(
            rf"^{re.escape(name.lower())}(\[[a-z]+\])?=={re.escape(version)}[ \\]",
            lock,
            re.MULTILINE,
        ), name


def test_every_debian_package_says_what_is_not_shown_without_it():
    rows = (REPOSITORY / "scripts/debian-packages.txt").read_text().splitlines()
    for row in rows:
        if row and not row.startswith("#"):
            name, _, reason = row.partition(" ")
            assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name)
            assert reason.strip(), name


def test_the_shell_scripts_parse():
    for script in (*(REPOSITORY / "scripts").glob("*.sh"), REPOSITORY / ".ci/run"):
        subprocess.run(["bash", "-n", str(script)], check=True)
