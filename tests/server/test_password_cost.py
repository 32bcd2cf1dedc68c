"""What a password costs whoever has the database and tries words, as the real program keeps it."""

import subprocess
import sys
from pathlib import Path

from releve.apps.server.home import Home
from releve.apps.server.opening import open_store


def test_a_password_is_kept_at_the_full_cost(tmp_path: Path) -> None:
    words = ("user", "create", "--structure", "Cabinet", "--login", "claire")
    command = [sys.executable, "-m", "releve.apps.cli.main", "server", *words]
    subprocess.run(
        [*command, "--home", str(tmp_path)],
        input="une phrase assez longue\n", text=True, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    person = open_store(Home(tmp_path)).person_by_login("claire")
    assert person is not None
    assert person.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
