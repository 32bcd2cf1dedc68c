"""A structure leaves one of several on a vault: it falls silent about it, and the others see nothing of that."""

import json
from pathlib import Path

import pytest

from releve.apps.cli.main import run
from tests.server.world import Running, running
from tests.vault.conftest import Gate
from tests.vault.test_telling import findings, quicken, wait_for

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]
STAYS, LEAVES = "Cabinet du Parc", "Clinique du Lac"
OWNERS = {"cabinet": STAYS, "clinique": LEAVES}


@pytest.fixture
def cli(capsys):
    """The command in this process: its status must be as said; its words."""

    def call(*words: str, status: int = 0) -> str:
        capsys.readouterr()
        assert run(list(words)) == status
        return capsys.readouterr().out

    return call


class Shared:
    """One vault that tells one server of two structures, and its gate."""

    def __init__(self, cli, served: Running, gate: Gate) -> None:
        self.cli, self.served, self.gate = cli, served, gate
        self.home = ("--home", str(served.home.path))
        self.known = {}
        for word, owner in OWNERS.items():
            key = ("--public-key", str(gate.data / "head.pub"), "--within", word, "--json")
            said = cli("server", "vault", "add", "c", "--structure", owner, *self.home, *key)
            self.known[word] = json.loads(said)
            cli("vault", "credential", "add", f"srv.{word}", "--structure", word,
                "--host", "srv", "--data", str(gate.data))  # fmt: skip
        self.tell_with(**{word: facts["token"] for word, facts in self.known.items()})
        quicken(gate)

    def tell_with(self, **tokens: str) -> None:
        lines = [f"{word} {token}\n" for word, token in tokens.items()]
        (self.gate.data / "tokens").write_text("".join(lines))
        self.cli(
            "vault", "init", "--name", "coffre", "--reserve", "1M", "--data", str(self.gate.data),
            "--server-url", self.served.url,
            "--server-token-file", str(self.gate.data / "tokens"),
        )  # fmt: skip

    def leave(self, out: Path, *words: str) -> str:
        return self.cli(
            "leave", "--structure", LEAVES, "--out", str(out), "--erase", "--by", "Anne",
            "--reason", "fin", *self.home, *words,
        )  # fmt: skip

    def of_the_one_that_stays(self) -> list[str]:
        return findings(self.served, self.known["cabinet"])

    def head(self) -> int:
        """When the server heard of the one that stays last, on the vault's clock."""
        facts = self.known["cabinet"]
        with self.served.store.unit(facts["structure"], writes=False) as unit:
            vault = next(one for one in unit.vaults() if one.id == facts["vault"])
        return vault.head.at_ns if vault.head else 0

    def hear_on(self) -> None:
        """Some more heads of the one that stays."""
        before = self.head()
        wait_for(lambda: self.head() > before)
        before = self.head()
        wait_for(lambda: self.head() > before)

    def said(self) -> str:
        return (self.gate.data.parent / f"{self.gate.data.name}.log").read_text()

    def credentials(self) -> dict[str, str]:
        told = self.cli("vault", "credential", "list", "--json", "--data", str(self.gate.data))
        rows = [json.loads(line) for line in told.splitlines()]
        return {row["credential"]: row["state"] for row in rows}


@pytest.fixture
def shared(cli, tmp_path, need):
    need("restic")
    gate = Gate(tmp_path / "vault")
    with running(tmp_path / "server") as served:
        yield Shared(cli, served, gate)
        gate.stop()


def test_a_structure_that_left_is_told_of_no_more_and_the_other_sees_nothing_of_it(
    shared: Shared, tmp_path
):
    shared.gate.start()
    shared.hear_on()
    elsewhere = tmp_path / "no-vault-here"
    shared.leave(tmp_path / "out", "--vault-data", str(elsewhere))
    wait_for(lambda: "structure_gone" in shared.said())
    shared.hear_on()
    assert shared.said().count("structure_gone") == 1, "said once"
    assert shared.of_the_one_that_stays() == []
    told = shared.cli("vault", "status", "--data", str(shared.gate.data))
    assert "clinique : le serveur ne la connaît plus depuis le" in told
    assert "releve vault leave clinique" in told
    shared.gate.vault().notices.tell("disk_full")
    assert shared.of_the_one_that_stays() == ["vault_disk_full"]


def test_a_wrong_token_of_one_structure_is_no_fault_of_the_other(shared: Shared):
    shared.tell_with(cabinet=shared.known["cabinet"]["token"], clinique="wrong")
    quicken(shared.gate)
    shared.gate.start()
    wait_for(lambda: "not_delivered" in shared.said())
    shared.hear_on()
    assert shared.of_the_one_that_stays() == []
    assert "structure_gone" not in shared.said()
    told = shared.cli("vault", "status", "--data", str(shared.gate.data))
    assert "clinique : le serveur ne prend pas ce que ce coffre en dit" in told
    assert "HTTP 401" in told
    good = {word: facts["token"] for word, facts in shared.known.items()}
    shared.gate.stop()
    shared.tell_with(**good)
    quicken(shared.gate)
    shared.gate.start()
    wait_for(lambda: "reporting_resumed" in shared.said())
    assert "clinique" not in shared.cli("vault", "status", "--data", str(shared.gate.data))
    wait_for(
        lambda: "vault_head_not_delivered" in findings(shared.served, shared.known["clinique"])
    )
    assert shared.of_the_one_that_stays() == []


def test_leaving_closes_the_rights_in_the_vault_of_this_machine(shared: Shared, tmp_path):
    said = shared.leave(tmp_path / "out", "--vault-data", str(shared.gate.data))
    assert shared.credentials() == {"srv.cabinet": "open", "srv.clinique": "closed"}
    assert "srv.clinique" in said
    tokens = (shared.gate.data / "tokens").read_text()
    assert tokens == f"cabinet {shared.known['cabinet']['token']}\n"


def test_run_again_it_knows_the_vault_from_what_was_handed_over(shared: Shared, tmp_path):
    """As after a kill between the erasure and the vault."""
    shared.leave(tmp_path / "out", "--vault-data", str(tmp_path / "elsewhere"))
    assert shared.credentials()["srv.clinique"] == "open"
    (manifest,) = (tmp_path / "out").glob("releve-*/manifest.json")
    file = manifest.with_name("tables") / "vault.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"clinique"', b'"cabinet"'))
    shared.leave(tmp_path / "out", "--vault-data", str(shared.gate.data))
    assert set(shared.credentials().values()) == {"open"}, "not what was handed over: not believed"
    file.write_bytes(whole)
    said = shared.leave(tmp_path / "out", "--vault-data", str(shared.gate.data), "--json")
    (vault,) = json.loads(said)["elsewhere"]["vaults"]
    assert vault["closed"] == ["srv.clinique"]
    assert shared.credentials() == {"srv.cabinet": "open", "srv.clinique": "closed"}


def test_leaving_names_what_is_done_by_hand_at_a_vault_elsewhere(shared: Shared, tmp_path):
    said = shared.leave(tmp_path / "out", "--vault-data", str(tmp_path / "elsewhere"))
    assert "releve vault leave clinique" in said
    assert shared.credentials() == {"srv.cabinet": "open", "srv.clinique": "open"}
    shared.cli("vault", "leave", "clinique", "--data", str(shared.gate.data))
    assert shared.credentials() == {"srv.cabinet": "open", "srv.clinique": "closed"}
    again = shared.cli("vault", "leave", "clinique", "--data", str(shared.gate.data), "--json")
    assert (json.loads(again)["closed"], json.loads(again)["reporting_ended"]) == ([], False)


def test_a_vault_that_was_removed_hears_gone_and_one_enrolled_again_is_told(shared: Shared):
    shared.cli("server", "vault", "remove", "c", "--structure", LEAVES, *shared.home)
    vault = shared.gate.vault()
    line = b"{}"
    assert vault.server.post("heads", line, "clinique").is_gone
    assert vault.reports.all()["clinique"].is_gone
    assert vault.server.post("heads", line, "cabinet").why == "HTTP 400", "known, and heard"
    key = ("--public-key", str(shared.gate.data / "head.pub"), "--within", "clinique", "--json")
    said = shared.cli("server", "vault", "add", "c", "--structure", LEAVES, *shared.home, *key)
    vault.server.tokens["clinique"] = json.loads(said)["token"]
    vault.notices.tell("store_fell", status="-9")
    assert "clinique" not in vault.reports.all()
