"""Certificates of structures that left, as `releve audit verify --left` takes them, and what is said of them."""

from collections.abc import Sequence
from pathlib import Path

from releve.adapters.sql.leaving import Leavings
from releve.flow.server.certificate import Certificate, read_trusted
from releve.flow.server.verify import Verified
from releve.model.audit import CertificateLack
from releve.model.errors import UsageError

_NAMES = "effacement*.json"  # as `releve leave --erase` names them, in a folder of each structure
LACKS: dict[CertificateLack, str] = {
    "none": "aucun certificat d'effacement donné / no certificate of erasure given",
    "silent": (
        "son certificat, d'une version d'avant, ne dit rien du journal"
        " / its certificate, of an earlier version, says nothing of the trail"
    ),
    "not_whole": (
        "son certificat dit que le journal n'était plus entier au départ"
        " / its certificate says that the trail was not whole when it left"
    ),
    "older": (
        "des têtes ont été transmises après celle du certificat"
        " / heads were shipped after the one that the certificate names"
    ),
    "newer": (
        "le certificat nomme une tête plus récente que les transmises : ajouter tetes.jsonl de la remise"
        " / the certificate names a later head than those shipped: add tetes.jsonl of what was handed over"
    ),
    "incomplete": (
        "il manque des têtes parmi les transmises : ajouter tetes.jsonl de la remise"
        " / heads are missing among those shipped: add tetes.jsonl of what was handed over"
    ),
    "other": (
        "les têtes transmises ne sont pas celles du certificat"
        " / the heads shipped are not those of the certificate"
    ),
    "other_key": (
        "le certificat n'est pas signé par la clé de la dernière tête"
        " / the certificate is not by the key that signed the last head"
    ),
}


def files_of(places: Sequence[Path]) -> list[Path]:
    """Files as they are named; of a folder, all certificates below it. Raises: UsageError."""
    found: list[Path] = []
    for place in places:
        files = sorted(place.rglob(_NAMES)) if place.is_dir() else [place]
        if not files:
            raise UsageError(f"--left {place}: the folder holds no {_NAMES}.")
        found += files
    return found


def read_files(files: Sequence[Path], keys: Sequence[bytes]) -> list[Certificate | None]:
    """None: not signed by one of these keys. Raises: UsageError."""
    try:
        return [read_trusted(file.read_bytes(), keys) for file in files]
    except OSError as error:
        raise UsageError(f"--left {error.filename}: {error.strerror}.") from error


def unexplained(found: Sequence[Verified]) -> list[str]:
    """Structures that are gone without a certificate that fits."""
    return [one.structure for one in found if any(f.what == "structure_gone" for f in one.faults)]


def missing_paper(structures: Sequence[str], leavings: Leavings, keys: Sequence[bytes]) -> str:
    """Which certificate is missing, for each; what the server keeps is a hint, and no proof."""
    said = [_missing(one, leavings, keys) for one in structures]
    return " ".join(
        (
            *said,
            "Until it fits, keep the database and the heads as they are: they are evidence.",
        )
    )


def _missing(structure: str, leavings: Leavings, keys: Sequence[bytes]) -> str:
    need = f"Of {structure} the certificate of erasure (effacement.json) that fits is missing"
    kept = leavings.erasure_of(structure)
    if kept is None:
        return f"{need}, and this server keeps none: nothing says that the structure left."
    found = read_trusted(kept.certificate, keys)
    if found is None:
        return f"{need}; the one that this server keeps is not signed by the key: do not use it."
    made = found.made
    return (
        f"{need}. This server says that it was {made.name}, left on {made.at:%Y-%m-%d}, as {made.by}"
        " decided: that alone proves nothing. Ask the structure for its copy, and name it with --left."
    )
