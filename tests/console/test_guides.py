"""The guides in docs/fr and docs/en name what is really there: pages of the role, labels, commands, links."""

import re
from pathlib import Path

import click
import pytest

from releve.apps.cli.main import LazyGroup
from releve.apps.console.words import all_texts
from releve.model.access import Role
from tests.server.test_access import browser, grant
from tests.server.test_structures_apart import fill
from tests.server.world import Running

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = sorted(DOCS.glob("??/guides/*.md"))
# Words in bold that are stress, not what stands on a page.
STRESS = {
    *("Avant toute chose :", "Déposez vous-même", "avant"),
    *("Before anything else:", "File it yourself", "before"),
}


def ids(path: Path) -> str:
    return f"{language(path)}-{path.stem}"


def language(guide: Path) -> str:
    return guide.parent.parent.name


@pytest.mark.parametrize("guide", GUIDES, ids=ids)
def test_the_role_of_a_guide_reaches_its_pages(guide: Path, served: Running) -> None:
    role, pages = re.findall(r"R[oô]le ?: (\w+)\. Pages ?: (.+)", guide.read_text())[0]
    host = fill(served.store, "A")
    client = browser(served, Role(role))
    who = served.store.person_by_login(f"walker-{role}")
    assert who is not None
    grant(served.store, host.structure, who, Role(role), served.context.clock.now())
    for page in re.findall(r"`([^`]+)`", pages):
        assert client.get(page).status_code == 200, page


@pytest.mark.parametrize("guide", GUIDES, ids=ids)
def test_every_label_in_bold_stands_on_a_page(guide: Path) -> None:
    shown = {text.replace("\u00a0", " ") for text in all_texts(language(guide)).values()}
    said = set(re.findall(r"\*\*(.+?)\*\*", guide.read_text())) - STRESS
    assert said
    assert said <= shown


@pytest.mark.parametrize("guide", GUIDES, ids=ids)
def test_every_command_in_a_guide_exists(guide: Path) -> None:
    context = click.Context(LazyGroup("releve"))
    for line in re.findall(r"`releve ([^`]+)`", guide.read_text()):
        command: click.Command | None = context.command
        words = line.split()
        while isinstance(command, click.Group) and words:
            command = command.get_command(context, words.pop(0))
        assert command is not None, line
        options = {o for p in command.params for o in p.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_each_guide_is_in_both_languages_with_as_many_steps() -> None:
    pairs = {
        "direction": "management", "dpo": "dpo", "informatique": "it", "medecin": "doctor", "nuit": "night",
    }  # fmt: skip
    assert {p.stem for p in GUIDES if language(p) == "fr"} == set(pairs)
    assert {p.stem for p in GUIDES if language(p) == "en"} == set(pairs.values())
    for french, english in pairs.items():
        one, other = (
            re.findall(
                r"^(#+|\d+\.)", (DOCS / lang / f"guides/{name}.md").read_text(), re.MULTILINE
            )
            for lang, name in (("fr", french), ("en", english))
        )
        assert one == other


def test_every_page_that_is_linked_is_there() -> None:
    for page in (DOCS / "README.md", DOCS / "papers.md", DOCS / "fr/rgpd/README.md", *GUIDES):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), (page.name, link)
    listed = (DOCS / "README.md").read_text()
    pages = [*DOCS.glob("*.md"), *(DOCS / "fr").rglob("*.md"), *(DOCS / "en").rglob("*.md")]
    own = {"README.md"} | {f"fr/rgpd/{p.name}" for p in (DOCS / "fr/rgpd").glob("[!R]*.md")}
    assert not [
        p for p in pages if (name := str(p.relative_to(DOCS))) not in own and name not in listed
    ]
