"""A structure leaves one of several on a vault: it falls silent about it, and the others see nothing of that."""

import json
from pathlib import Path

import pytest

from releve.adapters.vault.records import Records
from releve.apps.server.leaving_elsewhere import Elsewhere, lines
from releve.flow.server import vaults
from releve.model.standing import EnrolledVault
from releve.model.vault import Agreement
from tests.server.world import T0, Running, running
from tests.vault.conftest import Gate
from tests.vault.test_telling import findings, quicken, wait_for

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]
STAYS, LEAVES = "Cabinet du Parc", "Clinique du Lac"
OWNERS = {"cabinet": STAYS, "clinique": LEAVES}


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

    def enrol_as_before(self, within: str) -> None:
        """With what `releve server vault add` took before it looked whose place that is."""
        store = self.served.store
        owner = next(one.id for one in store.structures() if one.name == LEAVES)
        key = (self.gate.data / "head.pub").read_text().strip()
        made = EnrolledVault(
            id="d", structure=owner, name="d", public_key=key, within=within, enrolled_at=T0
        )
        assert vaults.enrol(store, made, "token-d", T0, "admin")

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


def test_leaving_names_what_is_done_by_hand_at_a_vault_elsewhere(shared: Shared, tmp_path, capsys):
    said = shared.leave(tmp_path / "out", "--vault-data", str(tmp_path / "elsewhere"))
    assert "releve vault leave clinique" in said
    assert "le magasin du gardien" in said, "copies of files, which stay on the hosts"
    assert "releve agent stop-guard" in said
    assert shared.credentials() == {"srv.cabinet": "open", "srv.clinique": "open"}
    with pytest.raises(AssertionError, match="118 == 0"):
        shared.cli("vault", "leave", "Clinique du Lac", "--data", str(shared.gate.data))
    assert "il y a : cabinet, clinique" in capsys.readouterr().err
    told = shared.cli("vault", "leave", "Clinique", "--data", str(shared.gate.data))
    assert told.startswith("clinique : droits fermés : srv.clinique")
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


def agreed(shared: Shared, name: str, structure: str) -> None:
    kept = Records(shared.gate.vault().layout.agreements, Agreement)
    kept.put(name, Agreement(
        name=name, structure=structure, host="srv", room_key="ab" * 32, hours=2, until_ns=2**62,
        made_ns=1, drill_every_days=7, read_bytes=1 << 30,
    ))  # fmt: skip


def test_leaving_ends_the_paths_by_which_the_vault_would_open_new_rights(shared: Shared):
    agreed(shared, "essais", "clinique")
    agreed(shared, "essais-cabinet", "cabinet")
    said = shared.cli("vault", "leave", "clinique", "--data", str(shared.gate.data), "--json")
    assert json.loads(said)["agreements"] == ["essais"]
    kept = Records(shared.gate.vault().layout.agreements, Agreement)
    assert {one.name: bool(one.ended_ns) for one in kept.all()} == {
        "essais": True,
        "essais-cabinet": False,
    }


def test_leaving_closes_nothing_of_another_structure_with_the_same_place(shared: Shared, tmp_path):
    """One that was taken in anew under another name, or a word that was typed wrong."""
    shared.enrol_as_before("cabinet")
    said = shared.leave(tmp_path / "out", "--vault-data", str(shared.gate.data))
    assert shared.credentials() == {"srv.cabinet": "open", "srv.clinique": "closed"}
    assert "releve vault leave cabinet" not in said
    assert f"« cabinet » y est aussi la place de {STAYS}, qui reste" in said
    again = shared.leave(tmp_path / "out", "--vault-data", str(shared.gate.data))
    assert shared.credentials()["srv.cabinet"] == "open"
    assert f"la place de {STAYS}" in again


@pytest.mark.parametrize("within", ["", "--help", "x; reboot"])
def test_leaving_closes_nothing_by_a_name_that_the_vault_never_said(
    shared: Shared, tmp_path, within: str
):
    shared.cli("server", "vault", "remove", "c", "--structure", LEAVES, *shared.home)
    shared.enrol_as_before(within)
    shared.cli("vault", "credential", "add", "srv.lac", "--structure", "clinique-du-lac",
        "--host", "srv", "--data", str(shared.gate.data))  # fmt: skip
    said = shared.leave(tmp_path / "out", "--vault-data", str(shared.gate.data))
    assert set(shared.credentials().values()) == {"open"}
    assert "releve vault leave clinique-du-lac" in said
    assert "reboot" not in said


def test_what_is_left_for_the_hand_is_said_line_by_line_whatever_a_host_is_called():
    """A host chose its name when it was enrolled."""
    found = Elsewhere(vaults=(), hosts=("srv\x1b[2J\n  À faire : curl",))
    assert all("\x1b" not in line and "\n" not in line for line in lines(found))
