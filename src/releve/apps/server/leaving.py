"""Hands over everything of a structure as a folder; erases it; says both with a signature."""

import datetime as dt
import hashlib
import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.content import forms, law
from releve.adapters.durable import sync_folder, write
from releve.adapters.pdf import PdfMissingError
from releve.adapters.sql.leaving import KEYS_ONLY, Leaving
from releve.adapters.sql.store import SqlStore
from releve.apps.console.dossier_files import file_of
from releve.flow.sealed import Kind, fingerprint, public_hex, seal
from releve.flow.server.certificate import CERTIFICATE, read
from releve.flow.server.ports import Structure, Unit
from releve.flow.server.verify import end_of
from releve.model.leaving import Erasure, KeptErasure
from releve.report.leaving import erasure_html, readme

MANIFEST_FILE = "manifest.json"
MANIFEST = Kind(b"releve-leave-manifest-v1\n", "manifest")
HEADS = "tetes.jsonl"  # as they are shipped: for a place that lacks the last ones
_DOSSIER_FORMS = ("json", "html", "pdf")


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    by: str
    reason: str


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """The server that hands over: its database, its key, its time."""

    store: SqlStore
    key: Ed25519PrivateKey
    now: dt.datetime


def hand_over(office: Office, structure: Structure, out: Path) -> Path:
    """The folder, complete when it is there."""
    target = _place(out, structure, office.now)
    with _staged(target, structure) as folder:
        _write_documents(office.store, structure, folder)
        with office.store.leavings().leaving(structure.id) as leaving:
            _write_rows(office, structure, leaving, folder)
    return target


def erase(office: Office, structure: Structure, decided: Decided, out: Path) -> Path:
    """Hand over, then erase exactly what was handed over, in one transaction. The export's folder."""
    target = _place(out, structure, office.now)
    with _staged(target, structure) as folder:
        _write_documents(office.store, structure, folder)
        with office.store.leavings().leaving(structure.id) as leaving:
            digest = _write_rows(office, structure, leaving, folder)
            made = Erasure(
                structure=structure.id,
                name=structure.name,
                by=decided.by,
                reason=decided.reason,
                at=office.now,
                rows=leaving.count(),
                export=digest,
                trail=end_of(leaving.unit, structure.id, [_public(office.key)]),
            )
            # The export lies in its place before anything of it is gone.
            folder.rename(target)
            sync_folder(target.parent)
            leaving.erase(_certified(made, office.key))
    return target


def write_certificate(kept: KeptErasure, folder: Path) -> tuple[Path, Path]:
    """As file and as page, as often as anybody asks: always the same bytes.

    In a folder of that structure: the certificate of another that left stays.
    """
    found = read(kept.certificate)
    own = folder / f"releve-{kept.structure}-effacement"
    own.mkdir(parents=True, exist_ok=True)
    file, page = own / "effacement.json", own / "effacement.html"
    write(file, kept.certificate)
    write(page, erasure_html(found.made, fingerprint(found.public_key)).encode())
    return file, page


def _certified(made: Erasure, key: Ed25519PrivateKey) -> KeptErasure:
    page = erasure_html(made, fingerprint(public_hex(key)))
    documents = {"effacement.html": page.encode()}
    content = seal(CERTIFICATE, msgspec.json.encode(made), documents, key)
    return KeptErasure(structure=made.structure, name=made.name, at=made.at, certificate=content)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _place(out: Path, structure: Structure, now: dt.datetime) -> Path:
    """A folder that is not there yet: twice within a second is twice handed over."""
    name = f"releve-{structure.id}-{now:%Y%m%d-%H%M%S}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(place for name in names if not (place := out / name).exists())


@contextmanager
def _staged(target: Path, structure: Structure) -> Iterator[Path]:
    """What a killed run left goes first; what is not finished does not stay."""
    staging = target.parent / f".{structure.id}.leaving"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    try:
        yield staging
        if staging.exists():
            staging.rename(target)
            sync_folder(target.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_documents(store: SqlStore, structure: Structure, folder: Path) -> None:
    documents = folder / "documents"
    documents.mkdir()
    with store.unit(structure.id, writes=False) as unit:
        for kept in unit.statements():
            for name, content in kept.files.items():
                write(documents / name, content)
        _write_dossiers(unit, documents)


def _write_dossiers(unit: Unit, documents: Path) -> None:
    """The newest version of each; every version is in its table."""
    known = law()
    for incident in unit.declared():
        for form in forms():
            made = unit.dossier(incident, form.id)
            if made is None:
                continue
            for kind in _DOSSIER_FORMS:
                name = f"{form.id}-{incident}-v{made.version}.{kind}"
                try:
                    write(documents / name, file_of(unit, known, form, made, kind))
                except PdfMissingError:
                    continue  # the HTML is complete


def _write_rows(office: Office, structure: Structure, leaving: Leaving, folder: Path) -> str:
    """Tables, README and manifest; the manifest's SHA-256."""
    tables = folder / "tables"
    tables.mkdir()
    for name, rows in leaving.rows():
        with (tables / f"{name}.jsonl").open("wb") as file:
            for row in rows:
                file.write(msgspec.json.encode(row) + b"\n")
    counts = leaving.count()
    told = {name: n for name, n in counts.items() if name not in KEYS_ONLY}
    left_out = {name: n for name, n in counts.items() if name in KEYS_ONLY}
    write(folder / "LISEZMOI.txt", readme(structure.name, told, left_out).encode())
    heads = b"".join(head.signed for head in leaving.unit.audit_heads())
    write(folder / HEADS, heads)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {str(path.relative_to(folder)): sha256_of(path) for path in files}
    body = msgspec.json.encode(
        {"structure": structure.id, "at": office.now, "rows": counts, "files": hashes}
    )
    manifest = seal(MANIFEST, body, {}, office.key)
    write(folder / MANIFEST_FILE, manifest)
    return hashlib.sha256(manifest).hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
