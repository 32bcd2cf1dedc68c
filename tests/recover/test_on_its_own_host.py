"""The command that the incident's page shows, on the host itself: nobody had to know more than it says."""

import datetime as dt
import os
import re
import time
from pathlib import Path

import pytest

from releve.adapters.linux import mounts
from releve.apps.backup.judging import CATALOGUE
from releve.apps.backup.state import Config, State
from releve.apps.recover.intent import Words
from releve.apps.recover.refusal import check_right, understood
from releve.flow.backup import VaultRefusedError
from tests.recover.practice import Recovery
from tests.recover.test_from_incident import said
from tests.vault.conftest import STRUCTURE, Gate, address, releve

pytestmark = pytest.mark.need("root", "restic", "overlay")
FRENCH = ("LC_ALL", "LC_MESSAGES", "LANG")


class Host:
    """A practice's own machine behind a gate: backed up, attacked, its folder put aside."""

    def __init__(self, root: Path) -> None:
        self.root, self.gate = root, Gate(root / "vault")
        self.gate.start()
        self.share, self.state = root / "cabinet", State(str(root / "state"))
        name, secret = self.gate.credential("srv1")
        url = f"{self.gate.url.rstrip('/')}{address('srv1')}"
        folders = (str(self.share), str(self._beside()))  # the page's words name none of them
        self.state.configure(Config(url=url, user=name, folders=folders), secret)
        assert self.state.engine().init()
        (self.share / "lettres").mkdir(parents=True)
        for number in range(20):
            (self.share / f"lettres/CR {number}.txt").write_text(f"Compte rendu {number}.\n" * 60)
        self._back_up()
        time.sleep(0.05)
        self.cut = dt.datetime.now(dt.UTC)
        time.sleep(0.05)
        for number in range(8):
            (self.share / f"lettres/CR {number}.txt").write_bytes(os.urandom(9000))
        self._back_up()
        self.share.rename(root / "cabinet.attaque")

    def _beside(self) -> Path:
        """A second folder that the same backups hold."""
        annexe = self.root / "annexe"
        annexe.mkdir()
        (annexe / "acte 1.txt").write_text("Acte.\n" * 60)
        return annexe

    def _back_up(self) -> None:
        """As a host of before did it: judged by nobody."""
        config = self.state.config()
        self.state.run().run(config.folders, config.exclude, lambda _: None)

    def words(self, *more: str) -> list[str]:
        """What the page shows, and where this test keeps the state."""
        page = ("--incident", "8bbfe0908672a688", "--first-write", self.cut.isoformat())
        own = ("--state", str(self.state.folder), "--reserve-mb", "1")
        return ["recover", "start", str(self.share), *page, *own, *more]


@pytest.fixture
def host(tmp_path_factory):
    made = Host(tmp_path_factory.mktemp("host"))
    yield made
    made.gate.stop()


@pytest.fixture(autouse=True)
def _in_french(monkeypatch):
    for name in FRENCH:
        monkeypatch.delenv(name, raising=False)


def test_without_a_right_it_says_which_who_gives_it_and_with_which_words(host, monkeypatch):
    ended = releve(*host.words(), check=False)
    assert ended.returncode == VaultRefusedError.status
    assert "droit de relire, ouvert pour l'incident" in ended.stderr
    about = f"--structure {STRUCTURE} --host srv1 --incident 8bbfe0908672a688"
    assert f"releve vault credential open {about}" in ended.stderr
    assert "deux approbateurs signent" in ended.stderr
    assert "--agreed CHEMIN" in ended.stderr
    assert "--right droit.json" in ended.stderr
    assert not (host.state.folder / CATALOGUE).exists(), "nobody waited for a judgement of no use"
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    english = releve(*host.words(), check=False)
    assert "right to restore only, opened for the incident" in english.stderr
    assert "two approvers sign" in english.stderr


def test_every_command_that_it_names_is_one(host):
    words = Words(state=str(host.state.folder), incident="i7")
    with pytest.raises(VaultRefusedError) as met, understood(words):
        check_right(words)
    for remedy in (met.value.remedy, met.value.remedy_fr):
        named = {" ".join(one.split()[:3]) for one in re.findall(r"`releve ([^`]*)`", remedy)}
        assert len(named) == 4
        for command in named:
            assert releve(*command.split(), "--help").returncode == 0, command


def test_a_right_that_nobody_signed_yet_is_said_as_such(host, tmp_path):
    out = tmp_path / "droit.json"
    about = ("--structure", STRUCTURE, "--host", "srv1", "--incident", "i7")
    asked = ("--reason", "t", "--by", "A", "--out", out, "--data", host.gate.data)
    said("vault", "credential", "open", *about, *asked)
    ended = releve(*host.words("--right", str(out)), check=False)
    assert ended.returncode == VaultRefusedError.status
    assert "Le coffre refuse ce droit" in ended.stderr
    assert "releve vault credential approve" in ended.stderr


def test_with_the_right_the_backups_that_nobody_judged_are_judged_and_it_opens(host, tmp_path):
    """As a person meets it: in French, and to the end."""
    right, data = tmp_path / "droit.json", ("--data", host.gate.data)
    for name in ("martin", "durand"):
        said("vault", "approver", "make-key", tmp_path / name)
        said("vault", "approver", "add", name, "--public-key", f"{tmp_path / name}.pub", *data)
    about = ("--structure", STRUCTURE, "--host", "srv1", "--incident", "i7", "--out", right)
    asked = said("vault", "credential", "open", *about, "--reason", "t", "--by", "A", *data)
    for name in ("martin", "durand"):
        key = ("--approver", name, "--key", tmp_path / name)
        said("vault", "credential", "approve", asked["opening"], *key, *data)
    recovery = Recovery(host.root, host.share, host.share)
    try:
        told = releve(*host.words("--right", str(right), "--until-local")).stdout
        assert "les sauvegardes sont jugées d'abord (15,0" in told.replace("\u00a0", " ")
        assert ": saine (21 fichiers jugés" in told
        assert ": atteinte (" in told
        assert "Reprise pour l'incident 8bbfe0908672a688." in told
        assert f"{host.share} revient de la sauvegarde" in told
        assert "(deux personnes, ouvert en" in told
        assert re.search(r"\d,\d\d s  tout est ici", told)
        ended = releve("recover", "finish", str(host.share))
        assert "… chaque fichier est vérifié" in ended.stderr
        assert "20 fichiers, 20 vérifiés, 0 modifiés" in ended.stdout
    finally:
        recovery.close()
    assert mounts.mounted(str(host.share)) is None
    for number in range(20):
        came = (host.share / f"lettres/CR {number}.txt").read_text()
        assert came == f"Compte rendu {number}.\n" * 60
