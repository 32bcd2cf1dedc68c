"""As-of views: a repository as it was received by a time, in hard links. No key, no copy.

A view shares its objects with the vault: it is for reading (`--no-lock`), and removing it removes
names only. The folder can be given to restic as it is, or read through the gate as /views/<id>/.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from releve.adapters.durable import sync_folder
from releve.adapters.vault.layout import Layout, object_in
from releve.adapters.vault.receiving import file_sha256
from releve.adapters.vault.records import Records
from releve.flow.vault.names import VIEWS
from releve.model.errors import ReleveError
from releve.model.vault import ObjectKind, Receipt, Repository, View
from releve.recover.received import Selection

_TOLD_EVERY = 500
_VIEW = re.compile(r"v-[a-z0-9]+")
_BUILDING = re.compile(r"\.v-[a-z0-9]+\.new")


class ViewError(ReleveError):
    """The view would not be what was received."""

    status = 115
    remedy = (
        "Run `releve vault scrub`, and heal the named objects from a copy; or take an earlier time."
    )

    def __init__(self, why: str) -> None:
        super().__init__(f"No view was made: {why}.")


class NothingReceivedError(ReleveError):
    """By that time nothing that can be restored was received."""

    status = 116
    remedy = "See what was received, and when, with `releve vault receipts`."

    def __init__(self, repository: Repository, when: str) -> None:
        super().__init__(f"{repository} had no whole repository as of {when}.")


def make(
    layout: Layout,
    selection: Selection,
    view: View,
    *,
    verify: bool,
    tell: Callable[[int, int], object] = lambda _done, _all: None,
) -> View:
    """Link the selection into DATA/views/<id>/ and let the gate serve it.

    All or nothing. Sizes are compared with the receipts, with `verify` the content as well.

    Raises: ViewError.
    """
    folder = layout.views / view.id
    building = layout.views / f".{view.id}.new"
    with _making(layout, fcntl.LOCK_SH):
        shutil.rmtree(building, ignore_errors=True)
        try:
            _folders(building, selection)
            source = layout.repository(view.repository)
            for done, receipt in enumerate(selection.receipts):
                _link(source, building, receipt, verify=verify)
                if done % _TOLD_EVERY == 0:
                    tell(done, len(selection.receipts))
            tell(len(selection.receipts), len(selection.receipts))
            building.replace(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        sync_folder(layout.views)
        made = msgspec.structs.replace(view, folder=str(folder), verified=verify)
        Records(layout.views, View).put(view.id, made)
        layout.serve_view(view.id)
    return made


def clean_halves(layout: Layout) -> list[str]:
    """Remove what a kill left of views that were being made, and only that; their names.

    Half is what is still being built, and a folder that has no record: nobody was told of it. While
    somebody makes a view, nothing is touched.
    """
    with _making(layout, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_alone:
        if not is_alone:
            return []
        halves = [
            path
            for path in sorted(layout.views.iterdir())
            if path.is_dir() and not path.is_symlink() and _is_half(layout, path.name)
        ]
        for path in halves:
            shutil.rmtree(path)
        return [path.name for path in halves]


def _is_half(layout: Layout, name: str) -> bool:
    if _BUILDING.fullmatch(name):
        return True
    return bool(_VIEW.fullmatch(name)) and not (layout.views / f"{name}.json").exists()


@contextlib.contextmanager
def _making(layout: Layout, how: int) -> Iterator[bool]:
    """Hold while views are made (shared), or cleaned (alone); False: somebody else holds it."""
    handle = os.open(layout.run / "views.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, how)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def remove(layout: Layout, view_id: str) -> bool:
    """Take the view away; what it showed stays. False if there is none."""
    (layout.served / VIEWS / view_id).unlink(missing_ok=True)
    record = layout.views / f"{view_id}.json"
    there = record.exists()
    record.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(layout.views / view_id)
    return there


def _folders(building: Path, selection: Selection) -> None:
    for kind in ObjectKind:
        if kind is not ObjectKind.CONFIG:
            (building / kind).mkdir(mode=0o700, parents=True)
    prefixes = {r.name[:2] for r in selection.receipts if r.kind is ObjectKind.DATA}
    for prefix in sorted(prefixes):
        (building / ObjectKind.DATA / prefix).mkdir(mode=0o700)


def _link(source: Path, building: Path, receipt: Receipt, *, verify: bool) -> None:
    """Raises: ViewError."""
    origin = object_in(source, receipt.kind, receipt.name)
    place = object_in(building, receipt.kind, receipt.name)
    called = f"{receipt.repository}/{receipt.kind}/{receipt.name[:16]}"
    try:
        os.link(origin, place, follow_symlinks=False)
        size = place.stat(follow_symlinks=False).st_size
    except FileNotFoundError as error:
        raise ViewError(f"{called} was received and is not there") from error
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise ViewError("views and repositories are on different disks") from error
    if size != receipt.size:
        raise ViewError(f"{called} has {size} bytes instead of {receipt.size}")
    if verify and file_sha256(place) != receipt.sha256:
        raise ViewError(f"the content of {called} is not what was received")
