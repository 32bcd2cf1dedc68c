"""A public key is given in hex or by its file, whatever the file's name looks like."""

import pytest

from releve.adapters.own_key import public_key_of

KEY = "0f" * 32


def test_hex_in_any_letters() -> None:
    assert public_key_of(KEY.upper()) == KEY


@pytest.mark.parametrize("length", [12, 63, 64, 65])
def test_a_file_whatever_the_length_of_its_name(tmp_path, monkeypatch, length: int) -> None:
    monkeypatch.chdir(tmp_path)
    name = "k" * length
    (tmp_path / name).write_text(KEY + "\n")
    assert public_key_of(name) == KEY


@pytest.mark.parametrize("words", ["", "0f0f", KEY + "0f", "é" * 64, "0f 0f"])
def test_what_is_no_key_is_refused(tmp_path, monkeypatch, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text(words)
    for said in ("key", "nothing-there"):
        with pytest.raises((ValueError, OSError)):
            public_key_of(said)
