"""The WORM claim of a bucket, attacked with the copy's own keys; and the doors beside it.

One small object is put and locked for a day; then everything is tried that a thief of the keys would
try. An attack is beaten off when the locked version still reads as it was, and its lock is no shorter.
"""

import datetime as dt
import http.client
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions  # type: ignore[import-untyped]

from releve.adapters.vault.s3 import LOCK, Bucket
from releve.flow.vault.copying import CopyUnreachableError, ReplicaError, claim_of
from releve.model.copies import Probe, Trial

# Ports beside S3 by which known stores are written or emptied without any lock: SeaweedFS (filer,
# master, volume and their gRPC), MinIO's console, Garage's and Ceph's administration.
_DOORS = (8888, 18888, 9333, 19333, 8080, 18080, 9001, 3903, 8443)
_PATIENCE_S = 1.0


def probe(bucket: Bucket, now_ns: int) -> Probe:
    """Attack the claim. Raises: CopyUnreachableError when not even the honest part works."""
    return Probe(
        at_ns=now_ns,
        claim=claim_of(bucket.copy),
        trials=(*_Attacks(bucket).trials(), *_doors(bucket)),
    )


class _Attacks:
    """Each attack, then the question whether the locked version is what it was."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._client = bucket, bucket.client
        self._name = bucket.copy.bucket
        self.key = bucket.named(f"probe/{time.time_ns()}")
        self._content = f"releve probe {self.key}".encode() * 20
        self._until = _now() + dt.timedelta(days=1)
        made = bucket.ask(
            lambda: self._client.put_object(
                Bucket=self._name,
                Key=self.key,
                Body=self._content,
                ObjectLockMode=LOCK,
                ObjectLockRetainUntilDate=self._until,
            )
        )
        self.version = str(made.get("VersionId", ""))

    def trials(self) -> Iterator[Trial]:
        if not self.version:
            yield Trial(attack="versions are kept", held=False, said="the bucket gives no version")
            return
        yield self._held("the lock is there", "", dict)
        for attack, call in self._attacks().items():
            yield self._try(attack, call)

    def _attacks(self) -> dict[str, Callable[[], object]]:
        one = {"Bucket": self._name, "Key": self.key, "VersionId": self.version}
        bypass = {"BypassGovernanceRetention": True}
        soon = _now() + dt.timedelta(seconds=2)
        both = {"Objects": [{"Key": self.key, "VersionId": self.version}]}
        client = self._client

        def retain(mode: str, until: dt.datetime) -> Callable[[], object]:
            held = {"Mode": mode, "RetainUntilDate": until}
            return lambda: client.put_object_retention(**one, Retention=held, **bypass)

        return {
            "delete the version": lambda: client.delete_object(**one),
            "delete it with bypass": lambda: client.delete_object(**one, **bypass),
            "delete it in a batch": lambda: client.delete_objects(
                Bucket=self._name, Delete=both, **bypass
            ),
            "shorten the lock": retain(LOCK, soon),
            "downgrade to GOVERNANCE": retain("GOVERNANCE", self._until),
            "downgrade and shorten": retain("GOVERNANCE", soon),
            "remove the lock": lambda: client.put_object_retention(**one, Retention={}, **bypass),
            "suspend versions": lambda: client.put_bucket_versioning(
                Bucket=self._name, VersioningConfiguration={"Status": "Suspended"}
            ),
            "take the bucket's lock away": lambda: client.put_object_lock_configuration(
                Bucket=self._name, ObjectLockConfiguration={}
            ),
            "write over it": lambda: client.put_object(
                Bucket=self._name, Key=self.key, Body=b"gone"
            ),
            "delete the name": lambda: client.delete_object(Bucket=self._name, Key=self.key),
            "delete the bucket": lambda: client.delete_bucket(Bucket=self._name),
        }

    def _try(self, attack: str, call: Callable[[], object]) -> Trial:
        said = "accepted"
        try:
            call()
        except botocore.exceptions.ClientError as error:
            said = str(error.response.get("Error", {}).get("Code", "refused"))
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            said = type(error).__name__
        if attack == "suspend versions":
            return self._held(attack, said, self._versions_kept)
        return self._held(attack, said, dict)

    def _held(self, attack: str, said: str, more: Callable[[], dict[str, str]]) -> Trial:
        why = self._why_broken() or more().get("why", "")
        return Trial(attack=attack, held=not why, said="; ".join(filter(None, (said, why))))

    def _versions_kept(self) -> dict[str, str]:
        reply = self._bucket.ask(lambda: self._client.get_bucket_versioning(Bucket=self._name))
        if reply.get("Status") == "Enabled":
            return {}
        with_lock: dict[str, Any] = {"Status": "Enabled"}
        self._bucket.ask(
            lambda: self._client.put_bucket_versioning(
                Bucket=self._name, VersioningConfiguration=with_lock
            )
        )
        return {"why": "versions were suspended (put right again)"}

    def _why_broken(self) -> str:
        try:
            reply = self._bucket.ask(
                lambda: self._client.get_object(
                    Bucket=self._name, Key=self.key, VersionId=self.version
                )
            )
            if reply["Body"].read() != self._content:
                return "the locked version has another content"
            until = self._bucket.locked_until(self.key, self.version)
        except (ReplicaError, CopyUnreachableError) as error:
            return f"the locked version does not read any more ({error})"
        if until is None:
            return "the version is not locked in COMPLIANCE mode"
        if until < self._until - dt.timedelta(seconds=2):
            return "the lock became shorter"
        return ""


def _doors(bucket: Bucket) -> Iterator[Trial]:
    """Every other way in that is known: nothing may answer there, from where the copy is made."""
    place = urlsplit(bucket.copy.url)
    host = place.hostname or ""
    own = place.port or (443 if place.scheme == "https" else 80)
    told = [
        (door.rpartition(":")[0] or host, door.rpartition(":")[2]) for door in bucket.copy.doors
    ]
    usual = [(host, str(port)) for port in _DOORS if port != own]
    for name, port in dict.fromkeys((*told, *usual)):
        is_open = port.isdecimal() and _answers(name, int(port))
        said = _through(bucket, name, port) if is_open else "closed"
        yield Trial(attack=f"door {name}:{port}", held=not is_open, said=said)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return True
    except OSError:
        return False


def _through(bucket: Bucket, host: str, port: str) -> str:
    """Try SeaweedFS's way at an open door, on an object of the probe's own: is it gone?"""
    attacks = _Attacks(bucket)
    url = f"http://{host}:{port}/buckets/{bucket.copy.bucket}/{attacks.key.rpartition('/')[0]}/"
    request = urllib.request.Request(f"{url}?recursive=true", method="DELETE")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
            said = f"open: DELETE answers {reply.status}"
    except urllib.error.HTTPError as error:
        said = f"open: DELETE answers {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:  # another service is there
        said = f"open ({type(error).__name__})"
    why = attacks._why_broken()  # noqa: SLF001 (one piece with this module)
    return f"{said}; {why}" if why else said


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
