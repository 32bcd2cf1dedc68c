"""The agent as a systemd service: written when it differs, started, and seen to work."""

import shlex
import shutil
import subprocess
import time
from pathlib import Path

from releve.adapters.durable import replacing
from releve.apps.agent.wiring import RELEVE
from releve.apps.install.joining import is_working
from releve.apps.install.places import Places
from releve.apps.install.proving import StepFailedError
from releve.apps.install.telling import State, Step

NAME, UNIT = "service", "releve-agent.service"
UNITS = Path("/etc/systemd/system")
_RUNNING = Path("/run/systemd/system")  # systemd's own word for: it is in charge here
_PATIENCE_S = 30.0
_TEXT = """\
[Unit]
Description=Releve agent
Wants=network-online.target
After=network-online.target local-fs.target

[Service]
Type=exec
ExecStart={command}
Restart=always
RestartSec=5
# The guard lives on when the agent ends: nothing of it depends on the agent's life.
KillMode=process
UMask=0077
LimitCORE=0

[Install]
WantedBy=multi-user.target
"""


def command(places: Places) -> str:
    return shlex.join([*RELEVE, "agent", "run", "--home", str(places.home)])


def unit(places: Places) -> str:
    """The text of releve-agent.service for this installation."""
    return _TEXT.format(command=command(places).replace("%", "%%").replace("$", "$$"))


def started(places: Places, *, is_changed: bool) -> Step:
    """The agent works, by its service where systemd is. `is_changed`: it has new words to heed.

    Raises: StepFailedError.
    """
    file, text = places.units / UNIT, unit(places)
    has_systemd = _RUNNING.is_dir() and shutil.which("systemctl") is not None
    if not has_systemd:
        return by_hand(places, "systemd n'est pas là", is_changed=is_changed)
    works = is_working(places.agent())
    is_new = not file.exists() or file.read_text() != text
    if is_new:
        places.units.mkdir(parents=True, exist_ok=True)
        with replacing(file) as written:
            written.write(text.encode())
        file.chmod(0o644)
        _systemctl("daemon-reload")
    if not is_new and not is_changed and works and _is("is-enabled") and _is("is-active"):
        return Step(name=NAME, state=State.KEPT, said=UNIT)
    _systemctl("enable", UNIT)
    _systemctl("restart", UNIT)
    until = time.monotonic() + _PATIENCE_S
    while not (_is("is-active") and is_working(places.agent())):
        if time.monotonic() > until:
            raise StepFailedError("Le service ne démarre pas", f"journalctl -u {UNIT}", "")
        time.sleep(0.2)
    return Step(name=NAME, state=State.DONE, said=UNIT)


def by_hand(places: Places, why: str, *, is_changed: bool) -> Step:
    """No service starts it: the command that does, unless it works already."""
    again = " (à relancer : ses mots ont changé)" if is_changed else ""
    if is_working(places.agent()):
        return Step(name=NAME, state=State.KEPT, said=f"l'agent travaille{again}")
    hand = f"lancer, et relancer à chaque démarrage : {command(places)}"
    return Step(name=NAME, state=State.HAND, said=why, hand=hand)


def _is(question: str) -> bool:
    asked = ["systemctl", question, "--quiet", UNIT]
    return subprocess.run(asked, capture_output=True, check=False, timeout=60).returncode == 0


def _systemctl(*words: str) -> None:
    """Raises: StepFailedError."""
    done = subprocess.run(
        ["systemctl", *words], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise StepFailedError(f"systemctl {' '.join(words)}", done.stderr.strip(), "")
