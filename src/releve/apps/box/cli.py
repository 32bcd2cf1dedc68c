"""The box's commands, for the table of `releve`."""

from releve.apps.box.share import share

__all__ = ["share"]
