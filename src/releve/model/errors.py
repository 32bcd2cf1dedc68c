"""Errors for people: a class with an exit status and a remedy, printed in one place.

They hold facts as attributes and do nothing. `docs/errors.md` is generated from this module.
"""


class ReleveError(Exception):
    """Base of every error that a person can mend.

    `status` is the exit status of the command; `remedy` says in one sentence what to do. `fr` and
    `remedy_fr` say the same in French, where they hold facts; for most `apps/cli/french.py` does.
    """

    status = 1
    remedy = ""
    fr = ""
    remedy_fr = ""


class UsageError(ReleveError):
    """The call's words are off."""

    status = 2
    remedy = "See `releve --help`."
    remedy_fr = "Voir `releve --help`."

    def __init__(self, said: str = "", fr: str = "") -> None:
        super().__init__(said)
        self.fr = fr


class NotRootError(ReleveError):
    """The mode that was asked for needs root."""

    status = 10
    remedy = (
        "Run it as root, or add --portable: originals are held all the same, without a sure writer."
    )

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs root.")
        self.what = what
