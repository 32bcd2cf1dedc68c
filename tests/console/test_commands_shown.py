"""What a page shows to be typed does in a shell what it says, whatever names others chose."""

import html
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from releve.flow.server.ingest import take
from releve.model import event as ev
from tests.console.test_incident_pages import Visitor
from tests.server.vaults import add_vault, full_standing
from tests.server.world import Running, batch

_COMMAND = re.compile(r'<code class="command">(.*?)</code>', re.DOTALL)


@pytest.fixture
def visitor(served: Running) -> Visitor:
    return Visitor(served)


def commands(visitor: Visitor, path: str) -> list[str]:
    found = _COMMAND.findall(visitor.browser.get(path).text)
    return [html.unescape(one) for one in found]


def typed(command: str, folder: Path) -> list[str]:
    """The words that a shell gives to the program."""
    shown = subprocess.run(
        ["/bin/bash", "-c", f"releve() {{ printf '%s\\0' \"$@\"; }}\n{command}"],
        cwd=folder, capture_output=True, check=False, timeout=10,
    )  # fmt: skip
    return shown.stdout.decode().split("\0")


def test_no_name_is_a_command_of_its_own_in_the_shell_it_is_pasted_into(
    visitor: Visitor, tmp_path: Path
) -> None:
    """A machine tells which drill it ran, and a command with that word is shown to the operator."""
    served, host = visitor.served, visitor.hosts[0]
    now = served.context.clock.now()
    evil = "x$(touch done1)`touch done2`\n touch done3 '\"; touch done4"
    ran = ev.DrillRan(seen_at=now, ok=True, drill=evil, first_file_s=1.0, all_local_s=9.0)
    take(served.store, host.structure, host.id, batch(ran, first=20), now)
    failed = msgspec.structs.replace(ran, ok=False, drill=f"f{evil}")
    take(served.store, host.structure, host.id, batch(failed, first=21), now)
    vault = add_vault(served.store, host.structure, evil, "cabinet-a")
    told = full_standing(vault, now)
    hosts = (msgspec.structs.replace(told.hosts[0], host="serveur"),)
    vault.tell_standing(msgspec.structs.replace(told, structure="cabinet-a", hosts=hosts), now)
    for one in served.store.structures():
        served.store.put_structure(msgspec.structs.replace(one, name=evil))
    seen: list[str] = []
    for path in ("/", "/vault", "/people", "/papers", "/desk", "/tools", "/settings", "/posture"):
        seen += commands(visitor, path)
    holding = [one for one in seen if "done1" in one]
    assert {one.split()[1] for one in holding} >= {"drill", "server", "desk", "papers"}
    for command in holding:
        words = typed(command, tmp_path)
        assert any("$(touch done1)" in word for word in words), command
    assert not list(tmp_path.glob("done*"))
