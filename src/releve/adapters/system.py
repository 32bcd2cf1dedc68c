"""The machine's clock and chance."""

import base64
import datetime as dt
import secrets
import sys

import structlog


class SystemClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def new_id() -> str:
    """80 random bits, 16 letters and digits."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def log_to_stderr() -> None:
    """Stdout is for results."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
