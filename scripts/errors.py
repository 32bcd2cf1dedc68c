"""Writes docs/errors.md from the error classes; with --check, says whether it is stale."""

import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import releve
from releve.model.errors import ReleveError

PAGE = Path(__file__).parents[1] / "docs/errors.md"
HEAD = """# Errors

Generated from the error classes by `make docs`; do not edit. Every error has a remedy, and an
exit status that no other error of the same command has. `releve … --json` prints them on stderr as
`{"type":"error","status":…,"message":…,"remedy":…}`. Status 0 is success, 130 an interruption.
Anything else that reaches the top is a bug and keeps its traceback (status 1).

| status | error | means | remedy |
|---|---|---|---|
"""


def import_everything() -> list[str]:
    """Import every module of the package; what could not be, with the reason."""
    failed: list[str] = []
    for module in pkgutil.walk_packages(releve.__path__, "releve.", onerror=failed.append):
        if not module.name.endswith("__main__"):
            try:
                import_module(module.name)
            except (ImportError, OSError, SyntaxError) as error:
                failed.append(f"{module.name}: {error}")
    return failed


def all_errors() -> list[type[ReleveError]]:
    """Every error class of the modules imported so far, by status."""
    found: set[type[ReleveError]] = {ReleveError}
    waiting = [ReleveError]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting += below
    ours = (error for error in found if error.__module__.startswith("releve."))
    return sorted(ours, key=lambda error: (error.status, error.__name__))


def page(errors: list[type[ReleveError]]) -> str:
    """The whole of docs/errors.md."""
    rows = []
    for error in errors:
        means = (error.__doc__ or "").strip().partition("\n")[0]
        cells = (str(error.status), f"`{error.__name__}`", means, str(error.remedy))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return HEAD + "".join(rows)


def main() -> int:
    if failed := import_everything():
        print("\n".join(failed), file=sys.stderr)
        return 1
    text = page(all_errors())
    if "--check" in sys.argv:
        return 0 if PAGE.exists() and PAGE.read_text() == text else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
