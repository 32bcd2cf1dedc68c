"""Witness files: small sound documents that nobody has a reason to change, one or two per folder.

Dot names keep them out of people's sight (file managers and Samba's `hide dot files`) and out of
`*` patterns; they sort before and after everything else, where encryptors begin. Deleting one with
its folder is honest; making one unreadable is not.
"""

import errno
import io
import os
import stat as stat_
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from releve.adapters.below import open_folder, relative
from releve.adapters.store.keeper import Keeper

_FIRST, _LAST = ".000-sommaire.docx", ".~zz-sommaire.txt"
_MOST: Final = 200  # folders of one tree that get a pair
_SETTING: Final = "canaries "
_CANNOT: Final = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM})
_TOP: Final = os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_CLOEXEC", 0)


def plant(keeper: Keeper, folder: int) -> frozenset[bytes]:
    """Put the missing witnesses into a protected folder; answers the keys of all of them.

    A folder that cannot be written to now gets none.
    """
    root = keeper.folders[folder]
    keys, paths = set(), []
    for directory, fd in _directories(root):
        for name, content in ((_FIRST, _docx()), (_LAST, _text())):
            try:
                _write(fd, name, content)
            except FileExistsError:
                pass  # of an earlier start
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                continue
            keys.add(keeper.place.key_at(fd, name))
            paths.append(os.path.join(directory, name))
    with keeper.lock:
        keeper.index.set_setting(_SETTING + root, _packed(paths))
        keeper.commit()
    return frozenset(keys)


def remove(keeper: Keeper, folder: int) -> int:
    """Take the witnesses of an earlier start away; answers how many were there."""
    root = keeper.folders[folder]
    with keeper.lock:
        noted = keeper.index.setting(_SETTING + root)
    left, removed = [], 0
    for path in _unpacked(noted) if noted else ():
        try:
            removed += _unlink(root, path)
        except OSError as error:
            if error.errno == errno.EROFS:
                left.append(path)  # at another start
    if noted:
        with keeper.lock:
            keeper.index.set_setting(_SETTING + root, _packed(left))
            keeper.commit()
    return removed


def _packed(paths: list[str]) -> bytes:
    """As bytes: a folder may have a name that is not UTF-8."""
    return msgspec.msgpack.encode([os.fsencode(path) for path in paths])


def _unpacked(noted: bytes) -> list[str]:
    """Text of older guards, too."""
    return [os.fsdecode(path) for path in msgspec.msgpack.decode(noted, type=list[Any])]


def _unlink(root: str, path: str) -> bool:
    """Delete a witness, if a regular file of its name still stands there."""
    directory, name = os.path.split(path)
    if name not in (_FIRST, _LAST) or not path.startswith(root + os.sep):
        return False
    top = os.open(root, _TOP)
    try:
        fd = open_folder(top, relative(root, directory))
        try:
            if not stat_.S_ISREG(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                return False
            os.unlink(name, dir_fd=fd)
        finally:
            os.close(fd)
    finally:
        os.close(top)
    return True


def _directories(root: str) -> Iterator[tuple[str, int]]:
    """The tree, upper levels first, without hidden folders; each with a descriptor until the next."""
    top = os.open(root, _TOP)
    try:
        todo, count = [""], 0
        while todo and count < _MOST:
            below = todo.pop(0)
            count += 1
            fd = _opened(top, below)
            if fd < 0:
                continue  # gone, or a link by now
            try:
                yield os.path.join(root, below) if below else root, fd
                with os.scandir(fd) as entries:
                    todo += sorted(
                        os.path.join(below, e.name)
                        for e in entries
                        if e.is_dir(follow_symlinks=False) and e.name[:1] != "."
                    )
            finally:
                os.close(fd)
    finally:
        os.close(top)


def _opened(top: int, path: str) -> int:
    try:
        return open_folder(top, path)
    except OSError:
        return -1


def _write(directory: int, name: str, content: bytes) -> None:
    """Owned and readable like the folder, so that it looks like a file of the house."""
    st = os.fstat(directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        os.write(fd, content)
        if os.geteuid() == 0:
            os.fchown(fd, st.st_uid, st.st_gid)
        os.fchmod(fd, st.st_mode & 0o666)
    finally:
        os.close(fd)


def _text() -> bytes:
    line = "Sommaire du dossier, tenu à jour par le secrétariat ; ne pas modifier à la main.\r\n"
    return (line * 60).encode()


def _docx() -> bytes:
    """A document that opens: three parts are enough (ECMA-376)."""
    space = "http://schemas.openxmlformats.org"
    text = "Sommaire du dossier, tenu à jour par le secrétariat ; ne pas modifier. " * 80
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{space}/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        'PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{space}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
        "</Relationships>",
        "word/document.xml": f'<w:document xmlns:w="{space}/wordprocessingml/2006/main"><w:body><w:p>'
        f"<w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in parts.items():
            file.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + body)
    return buffer.getvalue()


NAMES: Final = frozenset({_FIRST, _LAST})


def is_as_planted(path: str) -> bool:
    """Whether a copy of a witness (in a restored folder) still says what was written into it."""
    with open(path, "rb") as file:
        content = file.read()
    if os.path.basename(path) == _LAST:
        return content == _text()
    return _parts(content) == _parts(_docx())


def _parts(content: bytes) -> dict[str, bytes] | None:
    """None: it does not open. Not the bytes: a ZIP holds the time at which it was made."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return {name: file.read(name) for name in file.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, zlib.error, EOFError):
        return None
