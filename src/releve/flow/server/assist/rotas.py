"""Who is on call: checked, kept sealed, and told to the audit trail."""

import datetime as dt
import zoneinfo

from releve.assist import rota as core
from releve.assist.rota import RotaError
from releve.flow.server.ports import Store
from releve.model.help import Rota

__all__ = ["RotaError", "check", "keep"]


def check(rota: Rota) -> None:
    """Raises: RotaError."""
    if rota.timezone:
        try:
            zoneinfo.ZoneInfo(rota.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise RotaError(f"no such time zone: {rota.timezone}") from None
    core.check(rota)


def keep(store: Store, structure: str, rota: Rota, *, actor: str, now: dt.datetime) -> None:
    """In place of the one before; calls under way ring by it from now on. Raises: RotaError."""
    check(rota)
    with store.unit(structure) as unit:
        unit.put_rota(rota)
        unit.record(
            now,
            actor,
            f"structure/{structure}",
            "set_rota",
            f"{len(rota.people)} personnes / people",
        )
