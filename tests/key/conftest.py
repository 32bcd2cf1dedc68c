"""The machine of tests/backup: a real rest-server on loopback, a state whose repository is made."""

from tests.backup.conftest import back_up, server, share, state, template

__all__ = ["back_up", "server", "share", "state", "template"]
