"""A second vault whose source was taken over, key and all: it writes nowhere but where objects lie."""

import contextlib
import hashlib
import http.server
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.vault.layout import Layout
from releve.apps.vault.copies import Copies
from releve.flow.vault import chain, heads
from releve.flow.vault.copying import CopySourceError
from releve.model.copies import Copy, CopyKind
from releve.model.vault import ObjectKind, Receipt, Repository
from tests.loopback import serving
from tests.vault.conftest import Gate, releve

BODY = b"* * * * * root sh -c mechant\n"
SUM = hashlib.sha256(BODY).hexdigest()
GOOD = Repository(structure="cabinet", host="srv1", generation="2026-11")
_CHANGED = msgspec.structs.replace


def receipt(**of: object) -> Receipt:
    known = {"repository": GOOD, "kind": ObjectKind.DATA, "name": SUM, "sha256": SUM}
    return Receipt(size=len(BODY), **(known | of))


class Source:
    """Says whatever its owner wants, in a chain that is sound and signed by the pinned key."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.lines: list[bytes] = []
        self.end = chain.Link()
        self.packed = False
        self.endless = False

    def say(self, entry: Receipt) -> None:
        placed, line = chain.link(self.end, entry, self.end.received_ns + 1)
        self.lines.append(line)
        self.end = chain.end_of(placed)

    def answer(self, path: str) -> bytes:
        what = path.removeprefix("/.copy/")
        if what == "head":
            return heads.write_line(heads.sign(self.key, self.end, 1, 1))
        if what.startswith("journal/"):
            if self.endless and what != "journal/0":
                self.say(receipt())
                return self.lines[-1]
            return b"".join(self.lines)[int(what.partition("/")[2]) :]
        return BODY


@contextlib.contextmanager
def listening(source: Source) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = source.answer(self.path)
            self.send_response(200)
            if source.packed:
                body = zstandard.ZstdCompressor().compress(body)
                self.send_header("content-encoding", "zstd")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as address:
        yield address


class Second:
    """A vault that pulls from such a source."""

    def __init__(self, folder: Path, source: Source, url: str) -> None:
        self.gate = Gate(folder / "second")
        secret = folder / "secret"
        secret.write_text("copy\nsecret\n")
        secret.chmod(0o600)
        key = source.key.public_key().public_bytes_raw().hex()
        known = Copy(
            name="premier", kind=CopyKind.SOURCE, url=url, secret_file=str(secret), public_key=key
        )
        Copies(Layout(self.gate.data)).add(known)

    def pull(self) -> tuple[int, str]:
        data = str(self.gate.data)
        done = releve("vault", "copy", "run", "premier", "--json", "--data", data, check=False)
        return done.returncode, done.stderr

    def objects(self) -> list[str]:
        return [path.name for path in (self.gate.data / "repos").rglob("*") if path.is_file()]


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def second(tmp_path: Path, source: Source) -> Iterator[Second]:
    with listening(source) as url:
        yield Second(tmp_path, source, url)


def test_an_honest_chain_of_this_source_is_brought(second: Second, source: Source) -> None:
    source.say(receipt())
    assert second.pull() == (0, "")
    assert second.objects() == [SUM]


@pytest.mark.parametrize(
    "evil",
    [
        pytest.param({"structure": "../../../dehors"}, id="structure"),
        pytest.param({"structure": "ABSOLUTE"}, id="absolute"),
        pytest.param({"host": ".."}, id="host"),
        pytest.param({"generation": "../../../dehors"}, id="generation"),
        pytest.param({"name": "../../../../../../dehors"}, id="name"),
        pytest.param({"kind": ObjectKind.CONFIG, "structure": "../../dehors"}, id="config"),
        pytest.param({"kind": ObjectKind.CONFIG, "name": "autre"}, id="config's name"),
        pytest.param({"sha256": f"../{SUM}"}, id="sha256"),
        pytest.param({"size": -1}, id="size"),
    ],
)
def test_a_receipt_that_leads_elsewhere_is_refused_with_its_chain(
    second: Second, source: Source, tmp_path: Path, evil: dict[str, object]
) -> None:
    place = {name: evil.pop(name) for name in ("structure", "host", "generation") if name in evil}
    if place.get("structure") == "ABSOLUTE":
        place["structure"] = str(tmp_path / "dehors")
    known = {"repository": _CHANGED(GOOD, **place)}
    if evil.get("kind") is ObjectKind.CONFIG:
        known["name"] = "config"
    entry = receipt(**(known | {k: v for k, v in evil.items() if k != "size"}))
    source.say(_CHANGED(entry, size=evil.get("size", entry.size)))
    before = everything(tmp_path)
    status, error = second.pull()
    assert status == CopySourceError.status, error
    assert [path for path in everything(tmp_path) - before if "dehors" in path] == []
    assert second.objects() == []
    assert {n["notice"] for n in second.gate.notices()} >= {"copy_source_changed"}


def everything(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def test_an_answer_that_is_packed_is_not_unpacked(second: Second, source: Source) -> None:
    source.say(receipt())
    source.packed = True
    status, error = second.pull()
    assert status == CopySourceError.status
    assert "packed" in error


def test_a_journal_without_end_is_read_to_its_signed_head(second: Second, source: Source) -> None:
    source.say(receipt())
    source.endless = True
    assert second.pull() == (0, "")
    assert len(source.lines) < 10


OTHER = Repository(structure="hopital", host="srv9", generation="2026-11")


@pytest.mark.parametrize("received", [True, False], ids=["received", "only enrolled"])
def test_a_source_brings_nothing_into_what_another_fills_here(
    second: Second, source: Source, *, received: bool
) -> None:
    """A strange index in a repository is enough that nothing of it can be restored without a view."""
    second.gate.credential("srv9", structure="hopital", host="srv9")
    if received:
        digest = hashlib.sha256(b"own").hexdigest()
        second.gate.vault().add(receipt(repository=OTHER, name=digest, sha256=digest, by="srv9"))
    source.say(receipt(repository=OTHER, kind=ObjectKind.INDEX))
    source.say(receipt(repository=_CHANGED(OTHER, generation="2026-12"), kind=ObjectKind.INDEX))
    source.say(receipt())
    second.pull()
    assert second.objects() == [SUM]
    assert not (second.gate.data / "repos" / "hopital").exists()
    lost = [n for n in second.gate.notices() if n["notice"] == "copy_source_lost"]
    assert len(lost) == 2
    assert all("another" in str(n) for n in lost)


def test_what_one_source_brought_no_other_adds_to(second: Second, source: Source) -> None:
    source.say(receipt())
    assert second.pull() == (0, "")
    source.say(receipt(kind=ObjectKind.INDEX))
    assert second.pull() == (0, "")  # its own: it goes on
    digest = hashlib.sha256(b"own").hexdigest()
    # The host of that source comes to this vault itself, in need: both may add then.
    second.gate.vault().add(receipt(name=digest, sha256=digest, by="srv1"))
    source.say(receipt(kind=ObjectKind.KEYS))
    assert second.pull() == (0, "")
    assert len(second.objects()) == 3
