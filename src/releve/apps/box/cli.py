"""The box's commands, for the table of `releve`."""

from releve.apps.box.isolate import isolate, release
from releve.apps.box.share import share

__all__ = ["isolate", "release", "share"]
