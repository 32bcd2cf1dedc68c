"""A repository's key as restic keeps it, derived at little cost.

restic chooses how dear the derivation is when it makes a key: 0.4 s of one processor at each
opening, and tests open thousands of times. The master key, the password and the format stay; what
a repository made by restic alone costs is in the tests that make theirs so.
"""

import base64
import hashlib
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

_BLOCK = 16
_LITTLE = {"N": 16, "r": 8, "p": 1}


def open_at_little_cost(repository: Path, password: str) -> None:
    """Put other keys in place of all keys of a local repository; the password opens each of them.

    A key's id is the digest of its file, and so another.
    """
    for path in list((repository / "keys").iterdir()):
        made = json.loads(path.read_bytes())
        master = _opened(made, password)
        made |= _LITTLE
        made["data"] = base64.b64encode(_sealed(made, password, master)).decode()
        body = json.dumps(made).encode()
        path.unlink()
        new = path.with_name(hashlib.sha256(body).hexdigest())
        new.write_bytes(body)
        new.chmod(0o400)


def _opened(made: dict, password: str) -> bytes:
    sealed = base64.b64decode(made["data"])
    nonce, text, proof = sealed[:_BLOCK], sealed[_BLOCK:-_BLOCK], sealed[-_BLOCK:]
    secret, prover = _derived(made, password, nonce)
    Poly1305.verify_tag(prover, text, proof)
    return _run(secret, nonce, text)


def _sealed(made: dict, password: str, master: bytes) -> bytes:
    nonce = os.urandom(_BLOCK)
    secret, prover = _derived(made, password, nonce)
    text = _run(secret, nonce, master)
    return nonce + text + Poly1305.generate_tag(prover, text)


def _derived(made: dict, password: str, nonce: bytes) -> tuple[bytes, bytes]:
    """The keys of AES-256-CTR and, for this nonce, of Poly1305-AES."""
    cost = {"n": made["N"], "r": made["r"], "p": made["p"], "maxmem": 2**30}
    salt = base64.b64decode(made["salt"])
    both = hashlib.scrypt(password.encode(), salt=salt, dklen=64, **cost)
    prover = Cipher(algorithms.AES(both[32:48]), modes.ECB()).encryptor()
    return both[:32], both[48:] + prover.update(nonce)


def _run(secret: bytes, nonce: bytes, text: bytes) -> bytes:
    """There and back: the same."""
    return Cipher(algorithms.AES(secret), modes.CTR(nonce)).encryptor().update(text)
