"""Witness files: small sound documents that nobody has a reason to change, one or two per folder.

Dot names keep them out of people's sight (file managers and Samba's `hide dot files`) and out of
`*` patterns; they sort before and after everything else, where encryptors begin. Deleting one with
its folder is honest; making one unreadable is not.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from typing import Final

import msgspec

from releve.adapters.store.keeper import Keeper

_FIRST, _LAST = ".000-sommaire.docx", ".~zz-sommaire.txt"
_MOST: Final = 200  # folders of one tree that get a pair
_SETTING: Final = "canaries "


def plant(keeper: Keeper, folder: int) -> frozenset[bytes]:
    """Put the missing witnesses into a protected folder; answers the keys of all of them."""
    keys, paths = set(), []
    for directory in _directories(keeper.folders[folder]):
        for name, content in ((_FIRST, _docx()), (_LAST, _text())):
            path = os.path.join(directory, name)
            if not os.path.lexists(path):
                _write(path, content)
            keys.add(keeper.place.key_of(path))
            paths.append(path)
    with keeper.lock:
        keeper.index.set_setting(_SETTING + keeper.folders[folder], msgspec.msgpack.encode(paths))
        keeper.commit()
    return frozenset(keys)


def remove(keeper: Keeper, folder: int) -> int:
    """Take the witnesses of an earlier start away; answers how many were there."""
    with keeper.lock:
        noted = keeper.index.setting(_SETTING + keeper.folders[folder])
    removed = 0
    for path in msgspec.msgpack.decode(noted, type=list[str]) if noted else ():
        if os.path.basename(path) in (_FIRST, _LAST) and os.path.isfile(path):
            os.unlink(path)
            removed += 1
    if noted:
        with keeper.lock:
            keeper.index.set_setting(_SETTING + keeper.folders[folder], msgspec.msgpack.encode([]))
            keeper.commit()
    return removed


def _directories(root: str) -> Iterator[str]:
    """The tree, upper levels first, without hidden folders."""
    todo, count = [root], 0
    while todo and count < _MOST:
        directory = todo.pop(0)
        count += 1
        yield directory
        try:
            with os.scandir(directory) as entries:
                todo += sorted(
                    e.path for e in entries if e.is_dir(follow_symlinks=False) and e.name[:1] != "."
                )
        except OSError:
            continue


def _write(path: str, content: bytes) -> None:
    """Owned and readable like the folder, so that it looks like a file of the house."""
    st = os.stat(os.path.dirname(path))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
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
