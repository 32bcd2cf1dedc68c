"""What stat and the extended attributes say of an open entry, and setting it back."""

import errno
import os
from types import MappingProxyType
from typing import Any

import msgspec

from releve.model.held import Facts, Kind

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[Any, bytes]).decode  # names: str, or bytes that are no UTF-8
_SET_ID, _CAPABILITY = 0o6000, "security.capability"
_KINDS = MappingProxyType({0o100000: Kind.FILE, 0o040000: Kind.DIRECTORY, 0o120000: Kind.LINK})


def facts_of(fd: int, st: os.stat_result, *, target: bytes = b"") -> Facts:
    """Facts of the open entry, extended attributes and ACLs included."""
    return Facts(
        kind=_KINDS.get(st.st_mode & 0o170000, Kind.OTHER),
        size=st.st_size,
        mode=st.st_mode & 0o7777,
        uid=st.st_uid,
        gid=st.st_gid,
        mtime_ns=st.st_mtime_ns,
        ctime_ns=st.st_ctime_ns,
        nlink=st.st_nlink,
        xattrs=_xattrs(fd),
        target=target,
    )


def _xattrs(fd: int | str) -> bytes:
    try:
        names = os.listxattr(fd)
    except OSError:
        return b""  # a file system without extended attributes, or O_PATH
    found = {}
    for name in names:
        try:
            found[name] = os.getxattr(fd, name)
        except OSError:
            continue  # taken away between list and get
    return _packed(found)


def without_powers(facts: Facts) -> Facts:
    """The same without what makes a program run as another: for bytes of whoever wrote them last."""
    xattrs = _unpacked(facts.xattrs)
    xattrs.pop(_CAPABILITY, None)
    return msgspec.structs.replace(facts, mode=facts.mode & ~_SET_ID, xattrs=_packed(xattrs))


def _packed(xattrs: dict[str, bytes]) -> bytes:
    """A name that is not UTF-8, which anyone may give, is kept as bytes."""
    return _encode({_name(n): value for n, value in xattrs.items()}) if xattrs else b""


def _unpacked(kept: bytes) -> dict[str, bytes]:
    return {os.fsdecode(n): value for n, value in _decode(kept).items()} if kept else {}


def _name(name: str) -> str | bytes:
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def set_facts(fd: int, facts: Facts) -> None:
    """Owner, mode, extended attributes, ACLs and times as they were; mtime last."""
    st = os.fstat(fd)
    if (st.st_uid, st.st_gid) != (facts.uid, facts.gid):
        os.fchown(fd, facts.uid, facts.gid)
    wanted, have = _unpacked(facts.xattrs), _unpacked(_xattrs(fd))
    for name in have.keys() - wanted.keys():
        _quietly(os.removexattr, fd, name)
    for name, value in wanted.items():
        if have.get(name) != value:
            _quietly(os.setxattr, fd, name, value)
    if st.st_mode & 0o7777 != facts.mode or wanted or have:
        os.fchmod(fd, facts.mode)
    os.utime(fd, ns=(facts.mtime_ns, facts.mtime_ns))


def _quietly(call: object, *arguments: object) -> None:
    """An attribute that this file system or this user may not set does not stop a roll-back."""
    try:
        call(*arguments)  # type: ignore[operator]
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODATA):
            raise
