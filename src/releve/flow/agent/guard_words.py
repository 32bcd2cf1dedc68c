"""In what the guard that runs was asked for something else than the one that is wanted."""

from collections import Counter
from collections.abc import Sequence

_TALK = frozenset({"--json"})  # how it speaks, not what it guards


def differences(running: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Options that only one of them has: "+ --enforce" is new, "- --protect /b" would go.

    Both are words after `guard run`; their order, `--a=b` for `--a b`, and a path's last slash say
    nothing.
    """
    old, new = Counter(_options(running)), Counter(_options(wanted))
    return [f"+ {o}" for o in sorted((new - old).elements())] + [
        f"- {o}" for o in sorted((old - new).elements())
    ]


def words_of(command: Sequence[str]) -> Sequence[str]:
    """The words after `guard run` of a whole command."""
    return command[command.index("run") + 1 :] if "run" in command else command


def _options(words: Sequence[str]) -> list[str]:
    found: list[str] = []
    for word in words:
        if word in _TALK:
            continue
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            found.append(f"{name} {_path(value)}" if equals else name)
        elif found:
            found[-1] += f" {_path(word)}"
    return found


def _path(value: str) -> str:
    return value.rstrip("/") if len(value) > 1 else value
