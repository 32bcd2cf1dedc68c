"""A bucket with Object Lock as a copy: objects under their own names, each locked for a time.

The client is botocore: the plain calls, without the transfer layer. Whether the lock is worth its
name is not believed but tried, by `releve vault copy probe`.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from releve.adapters.vault.secret import read_pair
from releve.flow.vault.copying import CopyUnreachableError, ReplicaError
from releve.model.copies import Copy
from releve.model.vault import ObjectKind, Receipt

_PIECE = 1 << 20
_ABSENT = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
LOCK = "COMPLIANCE"


class Bucket:
    """One bucket, reached with the keys of the copy's secret file."""

    def __init__(self, copy: Copy) -> None:
        """Raises: CopyUnreachableError."""
        self.copy = copy
        key, secret = read_pair(copy)
        self.client: Any = botocore.session.Session().create_client(
            "s3",
            endpoint_url=copy.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            verify=copy.authority_file or None,
            config=Config(
                signature_version="s3v4",
                connect_timeout=10,
                read_timeout=120,
                retries={"total_max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path", "payload_signing_enabled": True},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                proxies={},
            ),
        )

    def key(self, receipt: Receipt) -> str:
        name = "config" if receipt.kind is ObjectKind.CONFIG else f"{receipt.kind}/{receipt.name}"
        return self.named(f"repos/{receipt.repository}/{name}")

    def named(self, name: str) -> str:
        return f"{self.copy.prefix.strip('/')}/{name}".lstrip("/")

    def put(self, key: str, body: bytes | Path) -> None:
        """Keep it, locked. The bucket compares it with the hash that is signed with the request.

        Raises: CopyUnreachableError.
        """
        until = dt.datetime.fromtimestamp(time.time(), dt.UTC) + dt.timedelta(
            days=self.copy.lock_days
        )
        if isinstance(body, Path):
            with body.open("rb") as file:
                self._put(key, file, until)
        else:
            self._put(key, body, until)

    def fetch(self, receipt: Receipt) -> Iterator[bytes]:
        """The first version that was put: a later one is not ours. Raises: ReplicaError."""
        key = self.key(receipt)
        version = self.first_version(key)
        if version is None:
            raise ReplicaError("missing")
        reply = self.ask(
            lambda: self.client.get_object(
                Bucket=self.copy.bucket, Key=key, VersionId=version["VersionId"]
            )
        )
        yield from reply["Body"].iter_chunks(_PIECE)

    def first_version(self, key: str) -> dict[str, Any] | None:
        """The oldest version of a key: whatever was put over it, or deleted, came later."""
        reply = self.ask(
            lambda: self.client.list_object_versions(Bucket=self.copy.bucket, Prefix=key)
        )
        own = [each for each in reply.get("Versions", []) if each["Key"] == key]
        return min(own, key=lambda each: each["LastModified"], default=None)

    def locked_until(self, key: str, version: str) -> dt.datetime | None:
        """The end of its COMPLIANCE lock; None when it has none."""
        reply = self.ask(
            lambda: self.client.get_object_retention(
                Bucket=self.copy.bucket, Key=key, VersionId=version
            )
        )
        held = reply.get("Retention", {})
        until = held.get("RetainUntilDate")
        return until if held.get("Mode") == LOCK and isinstance(until, dt.datetime) else None

    def ask(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Raises: ReplicaError when it is absent, CopyUnreachableError."""
        try:
            return call()
        except botocore.exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _ABSENT:
                raise ReplicaError("missing") from error
            raise CopyUnreachableError(self.copy.name, code) from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise CopyUnreachableError(self.copy.name, type(error).__name__) from error

    def _put(self, key: str, body: object, until: dt.datetime) -> None:
        self.ask(
            lambda: self.client.put_object(
                Bucket=self.copy.bucket,
                Key=key,
                Body=body,
                ObjectLockMode=LOCK,
                ObjectLockRetainUntilDate=until,
            )
        )
