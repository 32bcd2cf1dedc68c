"""The comparison sees every way in which a share can differ from what it was."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from releve.apps.simulate import manifest
from releve.apps.simulate.manifest import Log, Verdict


@pytest.fixture(name="share")
def _share(tmp_path: Path) -> Path:
    share = tmp_path / "partage"
    (share / "dossier").mkdir(parents=True)
    (share / "dossier/a.txt").write_text("a", encoding="utf-8")
    (share / "b.txt").write_text("b", encoding="utf-8")
    (share / "un.txt").write_text("un", encoding="utf-8")
    os.link(share / "un.txt", share / "deux.txt")
    (share / "lien").symlink_to("b.txt")
    return share


def differences(share: Path, change: Callable[[Path], object], log: Log | None = None) -> Verdict:
    before = manifest.take(share)
    change(share)
    return manifest.compare(before, manifest.take(share), log or Log())


def test_an_untouched_share_differs_in_nothing(share: Path) -> None:
    assert differences(share, lambda _: None) == Verdict()


def test_changed_content_is_lost(share: Path) -> None:
    found = differences(share, lambda s: (s / "b.txt").write_text("x", encoding="utf-8"))
    assert found.lost == ("b.txt",)


def test_a_missing_file_is_lost(share: Path) -> None:
    assert differences(share, lambda s: (s / "dossier/a.txt").unlink()).lost == ("dossier/a.txt",)


def test_a_renamed_file_is_lost_under_its_name_and_the_new_name_is_a_leftover(share: Path) -> None:
    found = differences(share, lambda s: (s / "b.txt").rename(s / "b.txt.locked"))
    assert found.lost == ("b.txt",)
    assert "b.txt.locked: de trop" in found.wrong


def test_a_file_back_with_wrong_rights_is_told(share: Path) -> None:
    found = differences(share, lambda s: (s / "b.txt").chmod(0o600))
    assert found.lost == ()
    assert any("mode 0600" in wrong for wrong in found.wrong)


def test_a_moved_time_is_told(share: Path) -> None:
    found = differences(share, lambda s: os.utime(s / "b.txt", ns=(1, 1)))
    assert found.wrong == ("b.txt: date de modification changée",)


def test_a_changed_attribute_is_told(share: Path) -> None:
    try:
        os.setxattr(share / "b.txt", "user.test", b"1")
        os.removexattr(share / "b.txt", "user.test")
    except OSError:
        pytest.skip("no extended attributes here")
    found = differences(share, lambda s: os.setxattr(s / "b.txt", "user.test", b"1"))
    assert found.wrong == ("b.txt: ACL ou attributs étendus changés",)


@pytest.mark.root
def test_a_changed_owner_is_told(share: Path) -> None:
    found = differences(share, lambda s: os.chown(s / "b.txt", 61001, 61000))
    assert any("propriétaire" in wrong for wrong in found.wrong)


def test_two_names_that_are_no_longer_one_file_are_told(share: Path) -> None:
    def split(share: Path) -> None:
        seen = (share / "un.txt").stat()
        (share / "deux.txt").unlink()
        (share / "deux.txt").write_text("un", encoding="utf-8")
        os.utime(share / "deux.txt", ns=(seen.st_atime_ns, seen.st_mtime_ns))

    found = differences(share, split)
    assert found.lost == ()
    assert any("n'est plus le même fichier" in wrong for wrong in found.wrong)


def test_a_turned_link_is_told(share: Path) -> None:
    def turn(share: Path) -> None:
        (share / "lien").unlink()
        (share / "lien").symlink_to("ailleurs")

    assert differences(share, turn).wrong == ("lien: autre contenu",)


def test_the_newest_honest_version_is_right(share: Path) -> None:
    digest = hashlib.sha256(b"nouveau").hexdigest()
    log = Log(saved={"b.txt": ("0" * 64, digest)})
    found = differences(share, lambda s: (s / "b.txt").write_bytes(b"nouveau"), log)
    assert found == Verdict()


def test_an_older_honest_version_is_the_newest_save_lost_not_a_lost_file(share: Path) -> None:
    log = Log(saved={"b.txt": (hashlib.sha256(b"nouveau").hexdigest(),)})
    found = differences(share, lambda _: None, log)
    assert (found.newest_save_lost, found.lost) == (("b.txt",), ())


def test_a_save_older_than_the_window_that_is_gone_is_a_lost_file(share: Path) -> None:
    digest = hashlib.sha256(b"nouveau").hexdigest()
    log = Log(saved={"b.txt": (digest,)}, settled={"b.txt": 1})
    found = differences(share, lambda _: None, log)
    assert (found.newest_save_lost, found.lost) == ((), ("b.txt",))


def test_a_save_under_one_name_counts_for_all_names_of_the_file(share: Path) -> None:
    log = Log(saved={"un.txt": (hashlib.sha256(b"neuf").hexdigest(),)})
    found = differences(share, lambda s: (s / "un.txt").write_bytes(b"neuf"), log)
    assert found == Verdict()


def test_somebodys_own_new_files_are_no_leftovers(share: Path) -> None:
    def draft(share: Path) -> None:
        (share / "brouillons").mkdir()
        (share / "brouillons/1.txt").write_text("x", encoding="utf-8")

    assert differences(share, draft, Log(own=("brouillons",))) == Verdict()


def test_the_log_of_an_attack_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "attack.log"
    file.write_bytes(
        b"T 9000000000 a/b.txt\nS "
        + b"0" * 64
        + b" 12 c d.txt\nT 9000000000 c d.txt\nO moi\nC 3 base.db\n"
    )
    log = manifest.read_log(file)
    assert log.touched == {"a/b.txt", "c d.txt"}
    assert log.settled == {"c d.txt": 1}
    assert log.saved == {"c d.txt": ("0" * 64,)}
    assert log.own == ("moi",)
    assert log.committed == {"base.db": 3}
