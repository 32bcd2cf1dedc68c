"""A bucket with Object Lock as a copy, against a real SeaweedFS that has a network of its own.

Only its S3 socket is let out, by a relay; the test of the known hole lets the filer's out as well.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore.config import Config as S3Config
from botocore.exceptions import BotoCoreError, ClientError

from releve.adapters.vault.layout import Config, Layout
from releve.apps.vault.copies import Copies
from releve.apps.vault.look import ScrubFoundError
from releve.flow.vault.copying import CopyUnreachableError, NotImmutableError, is_proved
from releve.model.copies import Copy, CopyKind
from releve.model.vault import ObjectKind, Repository
from tests.vault.conftest import releve
from tests.vault.test_retention import World

pytestmark = [pytest.mark.need("seaweed"), pytest.mark.timeout(240)]
_KEYS = ("copykey", "copysecret")
_START = """
ip link set lo up
exec "$1" server -dir="$2" -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -filer.localSocket="$2/filer.sock" \
  -s3 -s3.port=8333 -s3.config="$2/s3.json" -s3.localSocket="$2/s3.sock" \
  -master.telemetry=false -master.volumeSizeLimitMB=64 -volume.max=200
"""


class Relay(socketserver.ThreadingTCPServer):
    """A port of ours on loopback that leads to a unix socket."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(("127.0.0.1", 0), _Through)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Through(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(str(self.server.path))
            back = threading.Thread(target=_pump, args=(there, self.request), daemon=True)
            back.start()
            _pump(self.request, there)
            back.join()


def _pump(a: socket.socket, b: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := a.recv(1 << 16):
            b.sendall(piece)
    with contextlib.suppress(OSError):
        b.shutdown(socket.SHUT_WR)


class Bucket:
    """A store with one locked bucket, and the vault that copies to it."""

    def __init__(self, s3: Relay, filer_socket: Path, name: str, *, locked: bool = True) -> None:
        self.url, self.filer_socket, self.name = f"http://127.0.0.1:{s3.port}", filer_socket, name
        self.client = botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=_KEYS[0],
            aws_secret_access_key=_KEYS[1],
            config=S3Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        for _ in range(150):
            try:
                self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
                break
            except (ClientError, BotoCoreError):
                time.sleep(0.2)
        else:
            pytest.fail("SeaweedFS made no bucket within 30 s")

    def vault(self, folder: Path, *doors: str) -> World:
        """A vault with ten objects and the copy `seau`."""
        world = World(folder / "vault")
        world.times.at = time.time_ns() - 3_600_000_000_000
        world.layout.save_config(Config(name="coffre", reserve_bytes=0))
        for generation in ("2026-10", "2026-11"):
            world.put(Repository(structure="cabinet", host="srv1", generation=generation))
        secret = folder / "secret"
        secret.write_text("\n".join(_KEYS))
        secret.chmod(0o600)
        copy = Copy(
            name="seau",
            kind=CopyKind.S3,
            url=self.url,
            secret_file=str(secret),
            bucket=self.name,
            prefix="coffre",
            lock_days=30,
            doors=doors,
        )
        Copies(world.layout).add(copy)
        return world


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[Relay, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="releve-weed-"))  # short: a socket's path is limited
    known = {"accessKey": _KEYS[0], "secretKey": _KEYS[1]}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "copy", "credentials": [known], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    weed = Path(sys.executable).with_name("weed")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", _START, "sh", str(weed), str(folder)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    for _ in range(300):
        if (folder / "s3.sock").exists():
            break
        time.sleep(0.1)
    relay = Relay(folder / "s3.sock")
    yield relay, folder / "filer.sock"
    relay.shutdown()
    relay.server_close()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(folder)


def _lines(*words: str, status: int = 0) -> list[dict]:
    done = releve("vault", "copy", *words, "--json", check=False)
    assert done.returncode == status, done.stderr[-2000:] + done.stdout[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_bucket_gets_what_is_new_locked_is_verified_and_heals(store, tmp_path) -> None:
    bucket = Bucket(*store, "copie")
    world = bucket.vault(tmp_path)
    data = ("--data", str(world.layout.data))
    assert _lines("run", "seau", *data)[0]["objects"] == 10
    assert _lines("run", "seau", *data)[0]["objects"] == 0
    where = Repository(structure="cabinet", host="srv1", generation="2026-11")
    [path] = world.put(where, (ObjectKind.DATA,))
    assert _lines("verify", "seau", "--read", *data)[0]["waiting"] == 1
    assert _lines("run", "seau", *data)[0]["objects"] == 1
    checked = _lines("verify", "seau", "--read", *data)[0]
    assert (checked["objects"], checked["missing"], checked["bad"]) == (11, [], [])
    sound = path.read_bytes()
    path.write_bytes(b"x" + sound[1:])
    # A thief of the keys writes over the copy and deletes its name: the first version is still it.
    key = f"coffre/repos/{where}/data/{path.name}"
    bucket.client.put_object(Bucket="copie", Key=key, Body=b"garbage")
    bucket.client.delete_object(Bucket="copie", Key=key)
    assert releve("vault", "scrub", *data, check=False).returncode == ScrubFoundError.status
    assert [row["healed"] for row in _lines("heal", "seau", *data)] == [True]
    assert path.read_bytes() == sound
    keys = bucket.client.list_objects_v2(Bucket="copie", Prefix="coffre/receipts/")["Contents"]
    assert len(keys) == 2


def test_a_lock_that_holds_is_shown_as_immutable_and_only_for_what_was_tried(
    store, tmp_path
) -> None:
    bucket = Bucket(*store, "tient")
    world = bucket.vault(tmp_path)
    data = ("--data", str(world.layout.data))
    assert not _lines("list", *data)[0]["immutable"]
    told = _lines("probe", "seau", *data)
    assert told[-1]["holds"], told
    tried = {row["attack"] for row in told[:-1]}
    assert {"delete the version", "shorten the lock", "downgrade to GOVERNANCE"} <= tried
    assert {"suspend versions", "door 127.0.0.1:8888"} <= tried
    assert _lines("list", *data)[0]["immutable"]
    copies = Copies(Layout(world.layout.data))
    copy, probe = copies.get("seau"), copies.probe("seau")
    assert is_proved(copy, probe, probe.at_ns)
    assert not is_proved(copy, probe, probe.at_ns + 31 * 86_400_000_000_000)
    other = Copy(
        **{name: getattr(copy, name) for name in Copy.__struct_fields__} | {"lock_days": 1}
    )
    assert not is_proved(other, probe, probe.at_ns)


def test_the_filers_port_beside_s3_makes_the_probe_fail_and_the_hole_is_shown(
    store, tmp_path
) -> None:
    relay, filer_socket = store
    bucket = Bucket(relay, filer_socket, "trou")
    filer = Relay(filer_socket)
    world = bucket.vault(tmp_path, f"127.0.0.1:{filer.port}")
    data = ("--data", str(world.layout.data))
    told = _lines("probe", "seau", *data, status=NotImmutableError.status)
    filer.shutdown()
    filer.server_close()
    assert not told[-1]["holds"]
    door = next(row for row in told if row.get("attack") == f"door 127.0.0.1:{filer.port}")
    assert not door["held"]
    assert "does not read any more" in door["said"], "the hole of the facts is there no more?"
    assert not _lines("list", *data)[0]["immutable"]


def test_a_bucket_without_object_lock_never_passes_for_immutable(store, tmp_path) -> None:
    bucket = Bucket(*store, "ouvert", locked=False)
    world = bucket.vault(tmp_path)
    words = ("vault", "copy", "probe", "seau", "--json", "--data", str(world.layout.data))
    assert releve(*words, check=False).returncode in {
        CopyUnreachableError.status,
        NotImmutableError.status,
    }
    assert not _lines("list", "--data", str(world.layout.data))[0]["immutable"]
