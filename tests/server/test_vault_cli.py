"""`releve server vault`: enrolled once, listed, ended; its token then is nobody's."""

import json

import pytest

from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server import vaults

KEY = "ab" * 32


@pytest.fixture
def cli(capsys, tmp_path):
    """The command on one server's home: its status must be as said; what it printed, read."""

    def call(*words: str, status: int = 0) -> list[dict]:
        capsys.readouterr()
        assert run(["server", "vault", *words, "--home", str(tmp_path / "s")]) == status
        return [json.loads(row) for row in capsys.readouterr().out.splitlines() if row]

    return call


def test_a_vault_is_enrolled_once_listed_and_ended(cli, tmp_path):
    (tmp_path / "head.pub").write_text(KEY + "\n")
    add = ("add", "coffre", "--structure", "Cabinet A", "--json", "--public-key")
    made = cli(*add, str(tmp_path / "head.pub"))[0]
    assert len(made["token"]) > 40
    cli(*add, KEY, status=55)
    cli("add", "autre", "--structure", "Cabinet A", "--public-key", "no key", status=2)
    store = make_store(Home(tmp_path / "s"))
    assert vaults.who(store, made["token"]).vault == made["vault"]
    rows = b"".join(p.read_bytes() for p in (tmp_path / "s").glob("releve.db*"))
    assert made["token"].encode() not in rows, "only its hash is kept"
    listed = cli("list", "--json")
    assert [(row["name"], row["seq"], row["removed"]) for row in listed] == [
        ("coffre", None, False)
    ]
    owner = ("--structure", "Cabinet A")
    cli("remove", "autre", *owner, "--json", status=56)
    cli("heads", "coffre", "--structure", "Cabinet B", status=56)
    assert cli("heads", "coffre", *owner) == []
    assert cli("remove", "coffre", *owner, "--json") == [{"removed": "coffre"}]
    assert vaults.who(store, made["token"]) is None
    assert cli(*add, KEY)[0]["vault"] != made["vault"]
    assert [row["removed"] for row in cli("list", "--json")].count(True) == 1


def test_no_structure_is_told_what_a_shared_vault_says_of_another(cli, tmp_path):
    """One word too few, and a practice read the hosts, sizes and agreed paths of its neighbour."""
    add = ("add", "coffre", "--json", "--public-key", KEY, "--structure")
    cli(*add, "Cabinet A", "--within", "place-1")
    cli(*add, "Cabinet B", "--within", "place-1", status=2)
    cli(*add, "Cabinet B", "--within", "cabinet-a", status=2)
    cli(*add, "Cabinet B", status=2)  # its first standing may be anybody's
    cli(*add, "Cabinet B", "--within", "$(reboot)", status=2)
    cli(*add, "Cabinet B", "--within", "cabinet-b")
    cli(
        "add",
        "c",
        "--json",
        "--public-key",
        "cd" * 32,
        "--structure",
        "Cabinet B",
        "--within",
        "place-1",
    )
    store = make_store(Home(tmp_path / "s"))
    assert [one.name for one in store.structures()].count("Cabinet B") == 1
    cli("remove", "coffre", "--structure", "Cabinet A", "--json")
    cli(
        "add", "d", "--json", "--public-key", KEY, "--structure", "Cabinet C", "--within", "place-1"
    )
