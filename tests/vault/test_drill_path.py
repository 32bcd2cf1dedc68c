"""The standing path of drills: opened by the vault itself on its schedule, and of no use to a thief."""

import hashlib
import json
import os
import signal
import time

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.vault.asked import AskedDesk, open_for_drill
from releve.adapters.vault.records import Records
from releve.flow.vault import drill_path, signoffs
from releve.flow.vault.openings import OpeningError
from releve.model.vault import Agreement, DrillAsk, Opening, ViewWish
from tests.vault.conftest import STRUCTURE, address, month, releve

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]
DAY_NS = 86_400_000_000_000
SECRET = "the room's own secret"


class Path:
    """An agreement for drills of one host, signed by two; and the clean room's key."""

    def __init__(self, gate, folder, host: str, name: str, *words: str) -> None:
        self.gate, self.host, self.name, self.folder = gate, host, name, folder
        for key in ("martin", "durand", "salle"):
            if not (folder / key).exists():
                releve("vault", "approver", "make-key", str(folder / key))
        for key in ("martin", "durand"):
            public = ("--public-key", str(folder / f"{key}.pub"))
            self.vault("approver", "add", f"{key}-{name}", *public)
        named = ("--structure", STRUCTURE, "--host", host, "--room-key", str(folder / "salle.pub"))
        self.vault("agreement", "add", name, *named, "--until", "2099-01-01", *words)
        for key in ("martin", "durand"):
            self.sign(key)

    def vault(self, *words: str) -> None:
        releve("vault", *words, "--data", str(self.gate.data))

    def sign(self, key: str) -> None:
        words = ("--approver", f"{key}-{self.name}", "--key", str(self.folder / key))
        self.vault("agreement", "sign", self.name, *words)

    @property
    def room_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex((self.folder / "salle").read_text().strip())
        )

    def ask(self, key: Ed25519PrivateKey | None = None, **facts: object) -> DrillAsk:
        digest = hashlib.sha256(SECRET.encode()).hexdigest()
        known = {"agreement": self.name, "asked_ns": time.time_ns(), "secret_sha256": digest}
        ask = DrillAsk(**(known | facts))
        signature = signoffs.sign(key or self.room_key, drill_path.ask_statement(ask))
        return msgspec.structs.replace(ask, signature=signature)

    def last_opened(self, days_ago: float) -> None:
        """As if the last opening had been then."""
        kept = Records(self.gate.vault().layout.openings, Opening)
        for one in kept.all():
            if one.agreement == self.name:
                at = time.time_ns() - int(days_ago * DAY_NS)
                kept.put(one.id, msgspec.structs.replace(one, opened_ns=at, expires_ns=at + 1))

    def notices(self) -> list[str]:
        return [n["notice"] for n in self.gate.notices() if n["about"] == self.name]


EVERY_WEEK = ("--drills-every", "7", "--reads", "1G", "--hours", "2")


@pytest.fixture
def path(gate, host, tmp_path):
    return Path(gate, tmp_path, host, f"essais-{host}", *EVERY_WEEK)


def test_the_drill_reads_the_vault_with_a_right_that_is_short_chained_and_told(
    gate, backed_up, path, host
):
    _, _, documents = backed_up
    right = open_for_drill(gate.url, path.ask())
    assert right.path == f"drill:{path.name}"
    assert 0 < right.expires_ns - time.time_ns() <= 2 * 3600 * 10**9
    desk = AskedDesk(gate.url, right.opening, SECRET)
    view = desk.view(ViewWish(host=host, generation=month()))
    desk.close()
    reader = gate.client((right.opening, SECRET))
    target = documents.parent / "back"
    words = ("--no-lock", "restore", f"latest:{documents}", "--target", str(target))
    reader.restic(f"/views/{view.id}/", *words)
    assert (target / "radio.dcm").read_bytes() == (documents / "radio.dcm").read_bytes()
    assert reader.put("index", b"x", repository=address(host)) == 403
    chained = [e.what for e in gate.vault().entries() if getattr(e, "host", "") == host]
    assert "drill:restore:opened" in chained
    assert "drill:restore:first_read" in chained
    assert path.notices() == ["drill_opened"]


def test_it_is_opened_once_a_schedule_and_an_early_request_is_told(gate, path):
    assert open_for_drill(gate.url, path.ask()).path
    path.last_opened(6.8)
    with pytest.raises(OpeningError, match="next drill is due in"):
        open_for_drill(gate.url, path.ask())
    assert path.notices() == ["drill_opened", "drill_refused"]
    path.last_opened(7)
    assert open_for_drill(gate.url, path.ask()).path


def test_whoever_stole_the_agents_credential_or_heard_the_room_opens_nothing(
    gate, backed_up, path, host
):
    thief, where, _ = backed_up
    heard, own_key = path.ask(), Ed25519PrivateKey.generate()
    own_secret = hashlib.sha256(b"the thief's").hexdigest()
    forged = [
        path.ask(own_key),
        msgspec.structs.replace(heard, signature=""),
        msgspec.structs.replace(heard, secret_sha256=own_secret),
        msgspec.structs.replace(heard, asked_ns=heard.asked_ns + 1),
        msgspec.structs.replace(heard, signature="zz"),
        msgspec.structs.replace(heard, agreement="another"),
        msgspec.structs.replace(heard, agreement="../credentials/x"),
        path.ask(secret_sha256=""),
    ]
    before = [n["notice"] for n in gate.notices()]
    for client in (thief, gate.client(("", ""))):
        for ask in forged:
            body = msgspec.json.encode(ask)
            assert client.ask("POST", "/.recover/drill", body) == (403, b"not opened\n")
        assert client.ask("POST", "/.recover/drill", b"{}")[0] == 400
        assert client.ask("POST", "/.recover/drill", b"x" * 70_000)[0] == 413
        assert client.ask("GET", "/.recover/drill")[0] in (401, 403)
    assert [n["notice"] for n in gate.notices()] == before, "nobody can fill the notices so"
    stale = path.ask(asked_ns=time.time_ns() - 600 * 10**9)
    assert thief.ask("POST", "/.recover/drill", msgspec.json.encode(stale))[0] == 403
    right = open_for_drill(gate.url, heard)
    status, said = thief.ask("POST", "/.recover/drill", msgspec.json.encode(heard))
    assert (status, right.opening.encode() in said) == (403, False), "sent again it opens no second"
    wish = json.dumps({"host": host, "generation": month()}).encode()
    assert thief.ask("POST", "/.recover/view", wish)[0] == 403
    stolen = gate.client((right.opening, heard.secret_sha256))
    assert stolen.ask("GET", f"{where}snapshots/")[0] == 401, "the digest is not the secret"


def test_a_drill_reads_no_more_than_was_agreed_also_after_a_kill(own_gate, tmp_path):
    own_gate.start()
    client = own_gate.client(own_gate.credential("srv"))
    where = address("srv")
    client.ask("POST", where + "?create=true", b"")
    bodies = [os.urandom(500_000) for _ in range(8)]
    for body in bodies:
        assert client.put("data", body, repository=where) == 200
    words = ("--drills-every", "7", "--reads", "2M", "--hours", "2")
    path = Path(own_gate, tmp_path, "srv", "essais", *words)
    right = open_for_drill(own_gate.url, path.ask())
    names = [hashlib.sha256(body).hexdigest() for body in bodies]
    reader = own_gate.client((right.opening, SECRET))
    got = [reader.ask("GET", f"{where}data/{name}")[0] for name in names]
    assert got == [200] * 3 + [403] * 5 or got == [200] * 4 + [403] * 4
    own_gate.stop(signal.SIGKILL)
    own_gate.start()
    again = own_gate.client((right.opening, SECRET))
    assert again.ask("GET", f"{where}data/{names[0]}")[0] == 403
    assert "read_budget_used_up" in {notice["notice"] for notice in own_gate.notices()}


def test_an_agreement_that_is_ended_closes_what_stands_and_opens_no_more(gate, backed_up, path):
    _, where, _ = backed_up
    right = open_for_drill(gate.url, path.ask())
    reader = gate.client((right.opening, SECRET))
    assert reader.ask("GET", f"{where}snapshots/")[0] == 200
    path.vault("agreement", "end", path.name, "--by", "A. Martin")
    assert reader.ask("GET", f"{where}snapshots/")[0] == 401
    path.last_opened(30)
    with pytest.raises(OpeningError, match="has ended"):
        open_for_drill(gate.url, path.ask())


def test_a_path_for_drills_is_none_for_incidents_nor_the_other_way_round(gate, host, path):
    words = ("--structure", STRUCTURE, "--host", host, "--incident", "i", "--reason", "r")
    words += ("--by", "A", "--agreed", path.name, "--key", str(path.folder / "salle"))
    said = releve("vault", "credential", "open", *words, "--data", str(gate.data), check=False)
    assert (said.returncode, "drills only" in said.stderr) == (OpeningError.status, True)
    night = Path(gate, path.folder, host, f"nuit-{host}", "--hours", "4")
    with pytest.raises(OpeningError, match="not opened"):
        open_for_drill(gate.url, night.ask())
    for lacking in (
        ("--drills-every", "7"),
        ("--reads", "1G"),
        ("--drills-every", "0.1", "--reads", "1G"),
    ):
        named = ("--structure", STRUCTURE, "--host", host, "--until", "2099-01-01", *lacking)
        said = releve("vault", "agreement", "add", f"x-{host}", *named, "--room-key",
                      str(path.folder / "salle.pub"), "--data", str(gate.data), check=False)  # fmt: skip
        assert said.returncode == OpeningError.status


def test_one_signature_and_a_changed_agreement_open_nothing(gate, host, path):
    kept = Records(gate.vault().layout.agreements, Agreement)
    held = kept.get(path.name)
    for changed in (
        {"signoffs": held.signoffs[:1]},
        {"read_bytes": held.read_bytes * 100},
        {"drill_every_days": 1.0},
        {"host": "another"},
        {"hours": 20.0},
    ):
        kept.put(path.name, msgspec.structs.replace(held, **changed))
        with pytest.raises(OpeningError, match="not signed by two"):
            open_for_drill(gate.url, path.ask())
