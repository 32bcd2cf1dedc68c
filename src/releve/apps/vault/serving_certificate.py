"""What the gate shows to prove itself: a certificate of the vault's own authority, or one from elsewhere."""

from releve.adapters.authority import own_names
from releve.adapters.durable import write
from releve.adapters.vault.layout import Layout
from releve.apps.server.home import Home


def authority_of(layout: Layout) -> str:
    """The authority (PEM) that hosts are to trust, made when none is there; '': the world's own.

    Hosts get it with their secret, mostly before the gate was ever opened: without it they would
    refuse the gate.
    """
    file = layout.data / "authority.pem"
    if not file.exists():
        write(file, _home(layout).authority())
    return file.read_text()


def own_certificate(layout: Layout, host: str, names: tuple[str, ...]) -> str:
    """The path of a certificate for these names, renewed in time."""
    home = _home(layout)
    made = home.ensure_certificate(tuple(dict.fromkeys((*own_names(host), *names))))
    write(layout.data / "authority.pem", home.authority())
    return str(made)


def without_own_authority(layout: Layout) -> None:
    """The gate shows a certificate from elsewhere: hosts are given no authority from now on."""
    write(layout.data / "authority.pem", b"")


def _home(layout: Layout) -> Home:
    home = Home(layout.data / "tls")
    home.make()
    return home
