"""Joins the fragments of changes/ into CHANGELOG.md: `<issue>-<word>.<kind>.md`."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = {"security": "Security", "new": "New", "fix": "Fixed", "change": "Changed"}


def join(folder: Path) -> str:
    """The unreleased part, by kind, then by issue; ValueError for a name that does not fit."""
    parts: dict[str, list[tuple[int, str]]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        name = re.fullmatch(r"(\d+)-[a-z0-9-]+\.(\w+)\.md", path.name)
        if not name or name[2] not in KINDS:
            raise ValueError(f"{path.name}: <issue>-<word>.<{'|'.join(KINDS)}>.md is wanted")
        text = " ".join(path.read_text().split())
        parts[name[2]].append((int(name[1]), f"- {text} (#{name[1]})\n"))
    sections = (
        f"### {KINDS[kind]}\n\n" + "".join(line for _, line in sorted(lines))
        for kind, lines in parts.items()
        if lines
    )
    return "# Changes\n\n## Unreleased\n\n" + "\n".join(sections)


if __name__ == "__main__":
    (ROOT / "CHANGELOG.md").write_text(join(ROOT / "changes"))
    sys.exit(0)
