"""What a structure says of itself is checked, kept and told to its audit trail."""

import datetime as dt
import re
import zoneinfo

from releve.flow.server.ports import Store, Unit
from releve.model.structure import DEFAULT_TIMEZONE, Profile

_SERVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class ProfileError(ValueError):
    """A profile that contradicts itself; the words are for whoever wrote it."""


def check(profile: Profile) -> None:
    """Raises: ProfileError."""
    try:
        zoneinfo.ZoneInfo(profile.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ProfileError(f"no such time zone: {profile.timezone}") from None
    names = [entry.name for entry in profile.data_map]
    ids = [service.id for service in profile.services]
    for what, given in (("data_map", names), ("services", ids)):
        if twice := {name for name in given if given.count(name) > 1}:
            raise ProfileError(f"{what}: twice: {', '.join(sorted(twice))}")
    for service in profile.services:
        if not _SERVICE_ID.fullmatch(service.id):
            raise ProfileError(f"services: the id {service.id!r} is not of a-z, 0-9, -")
        if missing := set(service.data_sets) - set(names):
            raise ProfileError(f"services.{service.id}: no such data set: {min(missing)}")


def put(store: Store, structure: str, profile: Profile, *, actor: str, now: dt.datetime) -> None:
    """Keep it in place of the one before. Raises: ProfileError."""
    with store.unit(structure) as unit:
        keep(unit, profile, actor=actor, now=now)


def keep(unit: Unit, profile: Profile, *, actor: str, now: dt.datetime) -> None:
    """The same in a unit that is open. Raises: ProfileError."""
    check(profile)
    unit.put_profile(profile)
    unit.record(now, actor, f"structure/{unit.structure}", "set_profile")


def zone_name(unit: Unit) -> str:
    """The structure's own time zone, by name; that of most until it says its own."""
    profile = unit.profile()
    return profile.timezone if profile else DEFAULT_TIMEZONE


def zone_of(unit: Unit) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(zone_name(unit))
