"""Keys of second factors and ways to people on call at rest: sealed with a key beside the database.

A copy of the database alone (a backup, a disk of the database server) gives nobody a second factor,
nor the addresses and gateways of who is on call.
"""

import base64
import os
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import enter
from releve.adapters.sql.freed import wipe
from releve.flow.server.ports import Person
from releve.model.errors import ReleveError

_MARK = "sealed1:"
_NONCE_BYTES = 12
_person = msgspec.json.Decoder(Person).decode


class SecondFactorKeyError(ReleveError):
    """The key that seals the second factors is missing, or is another one."""

    status = 54
    remedy = (
        "Put the server's keys/totp.key back as it was when the accounts were made: from the backup of"
        " its home, or from the other server on this database."
    )

    def __init__(self, path: str) -> None:
        super().__init__(f"Second factors and people on call cannot be opened with {path}.")


class Seal:
    """AES-256-GCM over a person's TOTP secret, or a whole body, bound to its owner.

    Args:
        key: 32 bytes.
        path: where the key is from, for people.
    """

    def __init__(self, key: bytes, path: str = "") -> None:
        self._aead, self._path = AESGCM(key), path

    def closed(self, person: Person) -> bytes:
        """The person as it is stored."""
        sealed = self.closed_body(person.totp_secret.encode(), _owner(person))
        secret = _MARK + base64.b64encode(sealed).decode()
        return msgspec.json.encode(msgspec.structs.replace(person, totp_secret=secret))

    def opened(self, body: bytes) -> Person:
        """The person as it was. Raises: SecondFactorKeyError."""
        person = _person(body)
        if not is_sealed(person):
            return person
        sealed = base64.b64decode(person.totp_secret.removeprefix(_MARK))
        clear = self.opened_body(sealed, _owner(person))
        return msgspec.structs.replace(person, totp_secret=clear.decode())

    def closed_body(self, clear: bytes, owner: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, clear, owner)

    def opened_body(self, sealed: bytes, owner: bytes) -> bytes:
        """Raises: SecondFactorKeyError."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner)
        except InvalidTag as error:
            raise SecondFactorKeyError(self._path) from error


class Unopened(Seal):
    """For those who only look: people come as they are kept, with their second factors sealed."""

    def opened(self, body: bytes) -> Person:
        return _person(body)


def is_sealed(person: Person) -> bool:
    """Before seals were, secrets lay in the clear."""
    return person.totp_secret.startswith(_MARK)


def seal_of(engine: sa.Engine, path: Path, new_key: bytes) -> Seal:
    """The seal of a database: its key is read, or made while there is nothing sealed yet.

    What still lies in the clear is sealed, and its traces are taken out of SQLite's file.
    Raises: SecondFactorKeyError.
    """
    with engine.execution_options(writes=True).begin() as connection:
        rows = _people(connection)
        if not path.exists():
            if any(is_sealed(_person(row.body)) for row in rows):
                raise SecondFactorKeyError(str(path))
            _write_new(path, new_key)
        seal = Seal(path.read_bytes(), str(path))
        clear = [row for row in rows if not is_sealed(_person(row.body))]
        for row in rows:
            seal.opened(row.body)
        for row in clear:
            enter(connection, row.structure)
            own = (t.person.c.structure == row.structure) & (t.person.c.id == row.id)
            body = seal.closed(_person(row.body))
            connection.execute(sa.update(t.person).where(own).values(body=body))
    if clear and engine.dialect.name == "sqlite":
        wipe(engine)  # the freed pages still held the secrets
    return seal


def _people(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Of every structure, locked."""
    rows: list[sa.Row[Any]] = []
    for structure in connection.execute(sa.select(t.structure.c.id)).scalars().all():
        enter(connection, structure)
        own = sa.select(t.person).where(t.person.c.structure == structure)
        rows += connection.execute(own.with_for_update()).all()
    return rows


def _owner(person: Person) -> bytes:
    return f"{person.structure}/{person.id}".encode()


def _write_new(path: Path, key: bytes) -> None:
    """Whole or not at all, 0600; another server that was quicker wins."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return
    finally:
        new.unlink()
