"""The guard's control socket: root-only, in the store; one JSON line in, one out."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable

import msgspec

from releve.model.errors import ReleveError


class GuardNotRunningError(ReleveError):
    """Nobody answers on the guard's control socket."""

    status = 15
    remedy = "Start it with `releve guard run --protect DIR`, or name its folder with --store."


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request: "status", "thaw", "kill", "stop" (with the family's id)."""

    verb: str
    family: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it; `body` is the verb's own object."""

    ok: bool
    why: str = ""
    body: msgspec.Raw = msgspec.Raw(b"null")


class ControlServer:
    """Listens until closed; each request is answered by `handle` on the listener's thread.

    Args:
        store: folder in which the socket lies; its mode keeps everybody but the owner out.
    """

    def __init__(self, store: str, handle: Callable[[Ask], Answer]) -> None:
        self._path = os.path.join(store, "control.sock")
        self._handle = handle
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(self._path) as path:
            self._socket.bind(path)
        os.chmod(self._path, 0o600)
        self._socket.listen(8)
        threading.Thread(target=self._run, name="control", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return  # closed
            with peer:
                peer.settimeout(5)
                try:
                    ask = msgspec.json.decode(_line(peer), type=Ask)
                    answer = self._handle(ask)
                except (OSError, msgspec.MsgspecError) as error:
                    answer = Answer(ok=False, why=str(error))
                with contextlib.suppress(OSError):
                    peer.sendall(msgspec.json.encode(answer) + b"\n")

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def ask(store: str, request: Ask) -> Answer:
    """Ask a running guard. Raises: GuardNotRunningError."""
    path = os.path.join(store, "control.sock")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, _short(path) as near:
            peer.settimeout(30)
            peer.connect(near)
            peer.sendall(msgspec.json.encode(request) + b"\n")
            return msgspec.json.decode(_line(peer), type=Answer)
    except OSError as error:
        raise GuardNotRunningError(f"No guard answers in {store} ({error.strerror}).") from error


def _line(peer: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < 1 << 22:
        part = peer.recv(1 << 16)
        if not part:
            break
        data += part
    return data


@contextlib.contextmanager
def _short(path: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """A name of at most 108 bytes for a socket in a deep folder (unix(7))."""
    fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield (
            f"/proc/self/fd/{fd}/{os.path.basename(path)}" if len(os.fsencode(path)) > 100 else path
        )
    finally:
        os.close(fd)
