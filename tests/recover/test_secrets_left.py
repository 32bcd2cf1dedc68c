"""What was lent for a recovery goes with its end, what an end in the midst of writing left as well."""

import subprocess
import sys
from pathlib import Path

import pytest

from releve.adapters.durable import write
from releve.apps.recover.intent import forget_secrets
from releve.apps.recover.state import RecoveryHome

pytestmark = pytest.mark.need("root")
ENDS_AT_ONCE = """
import os, sys
from pathlib import Path
from releve.adapters.durable import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"the lent key")
    file.flush()
    os._exit(9)
"""


def test_no_half_written_key_stays_beside_the_folder(tmp_path: Path) -> None:
    home = RecoveryHome(tmp_path / "cabinet")
    home.make()
    part = home.path / "generation-1"
    part.mkdir()
    for place in (home.path / "password", part / "http-password"):
        subprocess.run([sys.executable, "-c", ENDS_AT_ONCE, place], check=False, timeout=60)
    write(home.path / "password", b"the lent key")
    write(home.path / "state.json", b"{}")
    left = [one for one in home.path.rglob("*") if one.is_file()]
    assert sum(b"the lent key" in one.read_bytes() for one in left) == 3
    forget_secrets(home)
    assert [one.name for one in home.path.rglob("*") if one.is_file()] == ["state.json"]
