"""Runs the administrator's commands before and after a backup."""

import os
import signal
import subprocess

from releve.adapters.restic.talks import bare_environment
from releve.model.sources import Hook, Lack, Want

_WORDS = 300


class HookCommands:
    """Hooks: each in a process group of its own, ended at its time limit with all that it started."""

    def run(self, hook: Hook) -> Lack | None:
        try:
            program = subprocess.Popen(
                hook.command,
                env=bare_environment() | {"RELEVE_BACKUP": hook.when},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            return _failed(hook, error.strerror or str(error))
        with program:
            try:
                _, said = program.communicate(timeout=hook.timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)  # its own group: made above
                return _failed(hook, f"not done after {hook.timeout_s:g} s, ended")
        if not program.returncode:
            return None
        words = said.decode(errors="replace").strip().replace("\n", "; ")[-_WORDS:]
        return _failed(hook, f"status {program.returncode}: {words}")


def _failed(hook: Hook, why: str) -> Lack:
    return Lack(source=f"{hook.when} {hook.command[0]}", want=Want.HOOK, why=why)
