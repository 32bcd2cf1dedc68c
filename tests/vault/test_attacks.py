"""Attacks with a stolen ingest credential: no received object changes or vanishes."""

import base64
import hashlib
import os
import re
import socket
from urllib.parse import urlsplit

import pytest

from releve.flow.vault.names import read_target
from tests.vault.conftest import Client, address, month, objects_on, same_tree

pytestmark = [pytest.mark.restic, pytest.mark.timeout(180)]

REFUSED = {400, 401, 403, 404, 405, 411, 413, 414, 501}
GARBAGE = b"sixty-four bytes that are no index, no pack, no key, no config!!"
GARBAGE_NAME = hashlib.sha256(GARBAGE).hexdigest()
OTHER = "f" * 64

# name, method, path ({r}: the repository; {data}...: an object that is there), body
_EXISTING = ("data", "index", "snapshots", "keys", "config")
ATTACKS = [
    *((f"delete {k}", "DELETE", f"{{r}}{{{k}}}", None) for k in _EXISTING),
    *((f"overwrite {k}", "POST", f"{{r}}{{{k}}}", GARBAGE) for k in _EXISTING),
    *((f"empty {k}", "POST", f"{{r}}{{{k}}}", b"") for k in _EXISTING),
    *((f"put {k}", "PUT", f"{{r}}{{{k}}}", GARBAGE) for k in _EXISTING),
    *((f"patch {k}", "PATCH", f"{{r}}{{{k}}}", GARBAGE) for k in _EXISTING),
    *((f"wrong name {k}", "POST", f"{{r}}{k}/{OTHER}", GARBAGE) for k in _EXISTING[:4]),
    ("delete the repository", "DELETE", "{r}", None),
    ("delete the repository, as restic would", "DELETE", "{r}?delete=true", None),
    ("delete the listing", "DELETE", "{r}data/", None),
    ("create again, another flag", "POST", "{r}?create=false", b""),
    ("a name that is not a hash", "POST", "{r}data/config", GARBAGE),
    ("a name in capitals", "POST", "{r}data/" + GARBAGE_NAME.upper(), GARBAGE),
    ("a kind that is none", "POST", "{r}packs/" + GARBAGE_NAME, GARBAGE),
    ("a temporary file of the store", "POST", "{r}data/" + OTHER + ".rest-server-temp", GARBAGE),
    ("other host: read the config", "GET", "/cabinet/autre/{m}/config", None),
    ("other host: list", "GET", "/cabinet/autre/{m}/data/", None),
    ("other host: add", "POST", "/cabinet/autre/{m}/data/" + GARBAGE_NAME, GARBAGE),
    ("other host: create", "POST", "/cabinet/autre/{m}/?create=true", b""),
    ("other structure: list", "GET", "/clinique/srv/{m}/snapshots/", None),
    ("other structure: delete a lock", "DELETE", "/clinique/srv/{m}/locks/" + OTHER, None),
    ("a view without the right to restore", "GET", "/views/v-abc/config", None),
    ("traversal: dots", "GET", "{r}data/../../../autre/{m}/config", None),
    ("traversal: coded dots", "GET", "{r}%2e%2e/%2e%2e/autre/{m}/config", None),
    ("traversal: coded slash", "GET", "{r}data%2f..%2fconfig", None),
    ("traversal: in the name", "POST", "{r}data/..%2f..%2fconfig", GARBAGE),
    ("traversal: absolute", "GET", "//etc/passwd", None),
    ("traversal: out of the vault", "GET", "/../../../../etc/passwd", None),
    ("the store's metrics", "GET", "/metrics", None),
    ("the root", "GET", "/", None),
    ("another structure's list of hosts", "GET", "/clinique/", None),
    ("create in another month", "POST", "/cabinet/{h}/2019-01/?create=true", b""),
    ("create a hundredth of this month", "POST", "/cabinet/{h}/{m}-99/?create=true", b""),
    ("a generation that is a word", "POST", "/cabinet/{h}/data/?create=true", b""),
    ("options", "OPTIONS", "{r}config", None),
    ("trace", "TRACE", "{r}config", None),
]


def _filled(path: str, where: str, names: dict[str, str], host: str) -> str:
    fill = {"r": where, "m": month(), "h": host} | names
    return re.sub(r"\{(\w+)\}", lambda found: fill[found[1]], path)


def _names(gate, host: str) -> dict[str, str]:
    """One object of each kind, as the path within the repository."""
    names = {"config": "config"}
    for path in objects_on(gate, host):
        _, kind, *rest = path.split("/")
        if rest:
            names[kind] = f"{kind}/{rest[-1]}"
    return names


def test_the_table_has_more_than_the_thirty_five_attacks_of_the_field_notes() -> None:
    assert len({name for name, *_ in ATTACKS}) == len(ATTACKS) >= 35


def test_every_attack_of_the_table_is_refused_and_changes_nothing(gate, host, backed_up, tmp_path):
    client, where, documents = backed_up
    names = _names(gate, host)
    before = objects_on(gate, host)
    entries = gate.vault().book.seq
    wrong = []
    for name, method, path, body in ATTACKS:
        status, _ = client.ask(method, _filled(path, where, names, host), body)
        if status not in REFUSED or objects_on(gate, host) != before:
            wrong.append((name, status))
    assert not wrong
    assert gate.vault().book.seq == entries, "a refused request got a receipt"
    client.restic(where, "check", "--read-data")
    client.restic(where, "restore", "latest", "--target", str(tmp_path / "out"))
    assert same_tree(documents, tmp_path / "out" / str(documents).lstrip("/"))


@pytest.mark.parametrize(
    ("name", "secret"), [("", ""), ("right", "wrong"), ("nobody", "right"), ("../right", "right")]
)
def test_without_the_right_secret_nothing_is_told(gate, host, name, secret):
    known, right = gate.credential(host)
    thief = Client(gate.url, name.replace("right", known), secret.replace("right", right))
    for method, path in (("GET", "config"), ("POST", "?create=true"), ("DELETE", "")):
        assert thief.ask(method, address(host) + path)[0] == 401


def test_restic_itself_deletes_nothing_with_the_stolen_credential(gate, host, backed_up):
    client, where, _ = backed_up
    before = objects_on(gate, host)
    for words in (
        ["forget", "--keep-last", "1", "--prune"],
        ["forget", "--prune", "--unsafe-allow-remove-all", "--keep-tag", "none"],
        ["prune", "--max-unused", "0"],
        ["key", "remove", _names(gate, host)["keys"].rpartition("/")[2]],
        ["unlock", "--remove-all"],
        ["rewrite", "--forget", "--exclude", "*.dcm"],
    ):
        client.restic(where, *words, check=False)
    after = objects_on(gate, host)
    assert before.items() <= after.items()
    client.restic(where, "check")


def test_the_same_content_again_is_taken_as_done_and_changes_nothing(gate, host, backed_up):
    client, where, _ = backed_up
    before, entries = objects_on(gate, host), gate.vault().book.seq
    for path in before:
        name = path.partition("/")[2]
        body = (gate.data / "repos/cabinet" / host / path).read_bytes()
        kind, _, last = name.rpartition("/")
        wanted = f"{kind.partition('/')[0]}/{last}" if kind else last
        assert client.ask("POST", where + wanted, body)[0] == 200
    assert objects_on(gate, host) == before
    assert gate.vault().book.seq == entries


def test_a_body_that_ends_early_is_not_received(gate, host, backed_up):
    client, where, _ = backed_up
    before = objects_on(gate, host)
    place, body = urlsplit(gate.url), os.urandom(100_000)
    name = hashlib.sha256(body).hexdigest()
    request = f"POST {where}data/{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    basic = base64.b64encode(f"{client.name}:{client.secret}".encode()).decode()
    with socket.create_connection((place.hostname, place.port), timeout=10) as wire:
        wire.sendall(f"{request}Authorization: Basic {basic}\r\n\r\n".encode() + body[:50_000])
    assert client.ask("HEAD", f"{where}data/{name}")[0] == 404
    assert objects_on(gate, host) == before
    assert client.put("data", body, repository=where) == 200


UNCLEAR = (
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Content-Length: -5",
    "Content-Length: 99999999999999",
)


def test_bodies_of_unclear_length_are_refused_and_hide_no_second_request(gate, host, backed_up):
    client, where, _ = backed_up
    before, place = objects_on(gate, host), urlsplit(gate.url)
    basic = base64.b64encode(f"{client.name}:{client.secret}".encode()).decode()
    own = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n"
    for unclear in UNCLEAR:
        sent = f"POST {where}data/{GARBAGE_NAME} {own}{unclear}\r\n\r\n0\r\n\r\nDELETE {where}config {own}\r\n"
        with socket.create_connection((place.hostname, place.port), timeout=10) as wire:
            wire.sendall(sent.encode())
            answer = wire.recv(4096)
        assert b" 200 " not in answer.split(b"\r\n")[0], unclear
        assert objects_on(gate, host) == before, unclear


def test_only_paths_that_restic_asks_for_are_understood() -> None:
    own = f"/cabinet/srv/{month()}/"
    assert read_target(own + "config").name == "config"
    assert read_target(own + "data/").name == ""
    assert read_target(own + "data/" + "a" * 64).name == "a" * 64
    for odd in ("data", "data/x", "config/", "data//", "keys/" + "A" * 64, "x/", "data/../config"):
        assert read_target(own + odd) is None
    for odd in (
        "/",
        "",
        "/a",
        "/a/b",
        "/a/b/c/",
        "/A/b/2026-11/",
        "/a/../2026-11/",
        "a/b/2026-11/",
    ):
        assert read_target(odd) is None
