"""What the commands about hosts share: finding the host."""

from releve.flow.server.ports import Unit
from releve.model.errors import ReleveError
from releve.model.host import Host


class HostUnknownError(ReleveError):
    """The structure has no such host, or several of that name."""

    status = 63
    remedy = "See `releve host list --structure NAME`; of two hosts of one name, say the id."

    def __init__(self, name: str) -> None:
        super().__init__(f"No single host of this structure is {name}.")


def find_host(unit: Unit, name: str) -> Host:
    """By name or id. Raises: HostUnknownError."""
    found = [one for one in unit.hosts() if name in (one.id, one.name)]
    if len(found) != 1:
        raise HostUnknownError(name)
    return found[0]
