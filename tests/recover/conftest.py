import pytest

from tests.recover import practice


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A practice and its repository, once for all."""
    root = tmp_path_factory.mktemp("vault")
    source = root / "cabinet"
    source.mkdir()
    practice.build(source)
    practice.back_up(root, source)
    return root, source


@pytest.fixture
def recovery(tmp_path, need, request):
    need("root", "restic", "overlay")
    root, source = request.getfixturevalue("made")
    begun = practice.Recovery(root, source, tmp_path / "cabinet")
    yield begun
    begun.close()


@pytest.fixture(autouse=True)
def _notes_of_this_test(tmp_path, monkeypatch):
    """Not beside those of the machine's own recoveries."""
    monkeypatch.setenv("RELEVE_RECOVERIES", str(tmp_path / "notes"))
