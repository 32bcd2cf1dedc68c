import string

from hypothesis import given
from hypothesis import strategies as st

from releve.sense.path_token import PathKey, hide, hide_program, scrub, token_of

KEY = PathKey(key=b"k" * 32, labels={"/srv/cabinet": "Cabinet"})
NAME = "DUPONT_Jean_CR"


def test_one_path_has_one_token_and_another_key_gives_another() -> None:
    assert token_of(b"a", "/srv/x") == token_of(b"a", "/srv/x") != token_of(b"b", "/srv/x")


def test_a_token_tells_nothing_but_extension_and_folder_class() -> None:
    hidden = hide(KEY, f"/srv/cabinet/imagerie/{NAME}.dcm")
    assert (hidden.extension, hidden.folder) == ("dcm", "imaging")
    assert len(hidden.token) == 26
    assert set(hidden.token) <= set(string.ascii_lowercase + string.digits)


def test_an_extension_that_is_a_name_is_not_told() -> None:
    assert hide(KEY, "/srv/cabinet/lettre.DUPONT").extension == ""


def test_a_path_that_is_not_utf_8_has_a_token() -> None:
    assert token_of(b"a", b"/srv/caf\xe9".decode("utf-8", "surrogateescape"))


def test_a_system_program_keeps_its_name_and_another_does_not() -> None:
    assert hide_program(KEY, "/usr/bin/gpg") == "gpg"
    assert hide_program(KEY, "python3") == "python3"
    assert NAME not in hide_program(KEY, f"{NAME}.sh")  # a bare name may be anybody's, too
    assert hide_program(KEY, "(auteur inconnu)") == "(auteur inconnu)"
    assert NAME not in hide_program(KEY, f"/srv/cabinet/{NAME}.exe")


SENTENCES = (
    f"Le fichier /srv/cabinet/{NAME}.docx a été réécrit.",
    f"Le fichier « /srv/cabinet/M. {NAME} Jean.docx » a été réécrit.",
    f"« {NAME}.pdf » n'est plus un PDF.",
    f"{NAME}.pdf: no longer a PDF",
    f"Renamed '{NAME} bis.xlsx' to `x/{NAME}`",
    rf"C:\Users\{NAME}\a.doc was removed",
    f"Dossier=/home/{NAME} effacé",
)


def test_sentences_lose_every_clear_name() -> None:
    for sentence in SENTENCES:
        assert NAME not in scrub(sentence), sentence


def test_known_paths_go_with_their_parts() -> None:
    known = (f"/srv/cabinet/{NAME}.docx",)
    assert NAME not in scrub(f"{NAME} puis {NAME}.docx sous /srv/cabinet", known)


def test_honest_sentences_stay_whole() -> None:
    sentence = "17 documents réécrits en 0,4 s (7,99 bits/octet) ; l'entropie a monté de 3 à 8."
    assert scrub(sentence, ("/srv/cabinet/a.docx",)) == sentence


@given(st.text(st.characters(categories=("L", "N"), include_characters=" _-"), min_size=4))
def test_no_known_path_survives(name: str) -> None:
    path = f"/srv/cabinet/dossiers/{name}.docx"
    assert path not in scrub(f"Le fichier {path} a été réécrit.", (path,))
    assert path not in scrub(f"Le fichier {path} a été réécrit.")
