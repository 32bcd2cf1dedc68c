"""Rules: YARA-X over the content of changed files; without the extra, none and said so."""

from pathlib import Path
from typing import Any

from releve.adapters.content import PLACES
from releve.detect.files.limits import LIMITS, FileLimits
from releve.detect.ransom.formats import Bytes
from releve.flow.scan_ports import RulesError
from releve.model.clean import Why

FOLDER = "yara"
_SECONDS = 10  # of one file; the slowest of our own rules needs 0.1 s for 64 MiB


class NoRules:
    """Rules: none."""

    names: tuple[str, ...] = ()

    def match(self, content: Bytes, path: str) -> tuple[Why, ...]:  # noqa: ARG002 (the port's words)
        return ()


class YaraRules:
    """Rules compiled once.

    Raises: RulesError.
    """

    def __init__(self, files: list[Path], limits: FileLimits = LIMITS) -> None:
        try:
            import yara_x
        except ImportError as error:
            raise RulesError("yara-x is not installed") from error
        self._limits = limits
        compiler = yara_x.Compiler()
        for file in files:
            try:
                compiler.new_namespace(file.stem)
                compiler.add_source(file.read_text(encoding="utf-8"))
            except (yara_x.CompileError, OSError, UnicodeDecodeError) as error:
                raise RulesError(f"{file.name}: {str(error).splitlines()[0]}") from error
        self._rules = compiler.build()
        self._scanner = yara_x.Scanner(self._rules)
        self._scanner.set_timeout(_SECONDS)
        self.names = tuple(rule.identifier for rule in self._rules)

    def match(self, content: Bytes, path: str) -> tuple[Why, ...]:  # noqa: ARG002 (the port's word)
        found: Any = self._scanner.scan(content.read(0, self._limits.scan_bytes))
        return tuple(_why(rule) for rule in found.matching_rules)


def rules(folder: Path | None = None) -> YaraRules | NoRules:
    """The shipped rules and those of a folder of the practice's own; none without the extra.

    Raises: RulesError: a rule of one's own cannot be used.
    """
    try:
        import yara_x  # noqa: F401 (only whether it is there)
    except ImportError:
        if folder is not None:
            raise RulesError("yara-x is not installed") from None
        return NoRules()
    return YaraRules([*shipped(), *(sorted(folder.glob("*.yar*")) if folder else ())])


def shipped() -> list[Path]:
    """The rule files that come with the program."""
    return sorted(file for place in PLACES for file in (place / FOLDER).glob("*.yar"))


def _why(rule: Any) -> Why:
    told = dict(rule.metadata)
    name = str(rule.identifier)
    fr, en = str(told.get("fr", name)), str(told.get("description", name))
    return Why(code=name, fr=f"règle {name} : {fr}", en=f"rule {name}: {en}")
