"""Ringing by Apprise: mail, SMS gateways, ntfy, Matrix, webhooks and a hundred more, by their addresses.

Addresses come from the operator's command line only. They hold secrets: nothing here logs or raises one.
"""

import logging

import apprise

from releve.flow.server.assist.ports import ChannelFailed, Message

# Each socket's time; a ring that took longer is given up by who asked for it.
_CONNECT_SECONDS, _READ_SECONDS = 4.0, 4.0
# What would read this machine's files, show itself on its screen or log: no way to a person.
_LOCAL = ("file", "syslog", "dbus", "qt", "glib", "kde", "gnome", "macosx", "windows", "rsyslog")

logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its warnings name addresses


class AppriseRinger:
    """Rings whoever an address leads to. Threads may share it."""

    def __init__(self) -> None:
        self._asset = apprise.AppriseAsset(async_mode=False, storage_mode="memory")

    def ring(self, url: str, message: Message) -> None:
        way = apprise.Apprise.instantiate(url, asset=self._asset, suppress_exceptions=True)
        if way is None:
            raise ChannelFailed("address")
        way.socket_connect_timeout, way.socket_read_timeout = _CONNECT_SECONDS, _READ_SECONDS
        if not way.notify(body=message.body, title=message.title, body_format="text"):
            raise ChannelFailed("refused")


def is_address(url: str) -> bool:
    """Whether Apprise knows how to ring it, and it leads away from this machine's own desk."""
    if url.partition(":")[0].lower() in _LOCAL:
        return False
    return apprise.Apprise.instantiate(url, suppress_exceptions=True) is not None
