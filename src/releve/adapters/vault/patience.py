"""Requests that end in time, whoever answers: not only each piece of an answer, the whole of it."""

import contextlib
import http.client
import socket
import ssl
import threading
import urllib.request
from functools import partial
from typing import Any, Self


class Deadline:
    """Cuts what it watches when its time is over; leave it when the answer is there."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def watch(self, connected: socket.socket) -> None:
        with self._lock:
            # Of its own: TLS takes the descriptor of the first one away.
            self._watched.append(connected.dup())
        if self.is_over:
            self._cut()

    def _cut(self) -> None:
        self.is_over = True
        with self._lock:
            for one in self._watched:
                with contextlib.suppress(OSError):  # it ended by itself
                    one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            while self._watched:
                self._watched.pop().close()


class _Watched(http.client.HTTPConnection):
    deadline: Deadline

    def connect(self) -> None:
        super().connect()
        self.deadline.watch(self.sock)


class _WatchedTls(http.client.HTTPSConnection, _Watched):
    """Watched before its handshake, which may be as slow."""


def _within(
    deadline: Deadline, kind: type[_Watched], *args: Any, **kwargs: Any
) -> http.client.HTTPConnection:
    made = kind(*args, **kwargs)
    made.deadline = deadline
    return made


class Plain(urllib.request.HTTPHandler):
    """http:// within the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_within, self._deadline, _Watched), request)


class Tls(urllib.request.HTTPSHandler):
    """https:// within the deadline; `tls` None: by the machine's own authorities."""

    def __init__(self, deadline: Deadline, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._deadline, self._tls = deadline, tls

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        made = partial(_within, self._deadline, _WatchedTls)
        return self.do_open(made, request, context=self._tls)
