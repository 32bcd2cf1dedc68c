"""What `releve server identity` can end with, and the service that a name stands for."""

from releve.flow.server.identity import links
from releve.flow.server.ports import Store
from releve.model.errors import ReleveError
from releve.model.identity import Provider


class ProviderTakenError(ReleveError):
    """One name, one identity service."""

    status = 60
    remedy = "Choose another name, or remove the old one: `releve server identity remove`."

    def __init__(self, name: str) -> None:
        super().__init__(f"An identity service is named {name} already.")


class ProviderUnknownError(ReleveError):
    """There is no such identity service."""

    status = 61
    remedy = "See `releve server identity list`."

    def __init__(self, name: str) -> None:
        super().__init__(f"No identity service is named {name}.")


class ProviderUnusableError(ReleveError):
    """Nobody can sign in by this identity service as it is now."""

    status = 62
    remedy = (
        "Correct what is said with whoever runs it; people go on signing in by their own means."
    )

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} cannot be used: {why}.")


def known_provider(store: Store, name: str) -> Provider:
    """Raises: ProviderUnknownError."""
    provider = links.provider_named(store, name)
    if provider is None:
        raise ProviderUnknownError(name)
    return provider
