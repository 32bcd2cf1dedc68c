"""Where an installation stands: the agent's, the backup's, the drills' folders; sheets and units."""

from pathlib import Path

import msgspec

from releve.apps.agent.config import Home
from releve.apps.backup.state import State
from releve.model.installer import HostPlan


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Folders of one host. `beside`: where the installer lies, with what it was carried with."""

    beside: Path
    home: Path
    backup: Path
    drills: Path
    sheets: Path
    units: Path

    def agent(self) -> Home:
        return Home(self.home)

    def state(self) -> State:
        return State(str(self.backup))

    def deposit(self, plan: HostPlan) -> Path:
        return self.beside / plan.deposit
