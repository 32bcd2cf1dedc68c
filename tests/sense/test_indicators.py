"""What a stopped program stamps on files becomes a token, the same on every host; names of patients do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from releve.model.indicator import indicator_of, sound
from releve.sense.indicators import added_extensions, notes
from releve.sense.path_token import EXTENSIONS

FOLDERS = ("/srv/cabinet/A", "/srv/cabinet/B", "/srv/cabinet/C")


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (".Wxyz42", "wxyz42"),
        (".id-7F3A.[aide@example.net].phobos", "id-7f3a.[aide@example.net].phobos"),
        (".locked", "locked"),
    ],
)
def test_an_extension_added_to_three_files_is_an_indicator(added: str, told: str) -> None:
    paths = [f"{folder}/courrier {n}.pdf{added}" for n, folder in enumerate(FOLDERS)]
    assert added_extensions(paths) == ((indicator_of("extension", told), told),)
    assert added_extensions(paths[:2]) == ()
    assert added_extensions(paths[:1] * 3) == ()


@pytest.mark.parametrize("tail", [".gz", ".pdf", ".bak", ".old", ".asc", ".zip", ""])
def test_what_honest_tools_add_is_none(tail: str) -> None:
    assert added_extensions([f"{folder}/dossier.docx{tail}" for folder in FOLDERS]) == ()


def test_a_name_that_ends_in_a_patient_s_name_is_none() -> None:
    assert added_extensions([f"{folder}/CR.DUPONT" for folder in FOLDERS]) == ()
    assert added_extensions([f"/srv/{who}/CR.pdf.{who}" for who in ("dupont", "le", "roy")]) == ()


def test_a_text_left_in_three_folders_is_an_indicator_and_nothing_of_its_name_is_in_the_token() -> (
    None
):
    made = [f"{folder}/COMMENT_RECUPERER_VOS_FICHIERS.txt" for folder in FOLDERS]
    ((token, name),) = notes(made)
    assert name == "comment_recuperer_vos_fichiers.txt"
    assert "recuperer" not in token
    assert notes(made[:2]) == ()
    assert notes([f"{FOLDERS[0]}/{n}.txt" for n in range(9)]) == ()


@pytest.mark.parametrize("name", ["README.txt", "index.html", "ordonnance.pdf", "IRM.docx"])
def test_names_that_every_machine_may_have_are_none(name: str) -> None:
    assert notes([f"{folder}/{name}" for folder in FOLDERS]) == ()


NAMES = some.text(some.sampled_from("abé .[]@-"), min_size=1, max_size=12)
ENDINGS = some.sampled_from(sorted(EXTENSIONS))


@given(some.lists(some.tuples(some.sampled_from(FOLDERS), NAMES, ENDINGS), max_size=20))
def test_files_under_their_own_kinds_are_never_indicators(
    files: list[tuple[str, str, str]],
) -> None:
    paths = [f"{folder}/{name}.{ending}" for folder, name, ending in files]
    ransom = {"encrypted", "lockbit", "locked"}
    assert {name.rpartition(".")[2] for _, name in added_extensions(paths)} <= ransom


@given(some.lists(some.text(max_size=60), max_size=40))
def test_what_a_host_makes_up_is_dropped_and_bounded(told: list[str]) -> None:
    real = [indicator_of("note", str(n)) for n in range(20)]
    assert sound(told) == ()
    assert len(sound([*told, *real])) == 8
    assert sound(real[:3]) == tuple(sorted(real[:3]))
