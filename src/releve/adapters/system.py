"""The machine's clock and chance."""

import base64
import contextlib
import datetime as dt
import io
import secrets
import sys
from typing import TextIO, cast

import structlog


class SystemClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def new_id() -> str:
    """80 random bits, 16 letters and digits."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


class Talk(io.TextIOBase):
    """Standard error as it is at each word; that nobody reads it any more is no reason to stop."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def log_to_stderr() -> None:
    """Stdout is for results."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Talk())),
    )
