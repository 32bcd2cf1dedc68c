"""The tables of the index, and what a row of them says."""

from typing import Any

from releve.model.held import Facts, Generation, Judged, Kind, Node

SCHEMA = """
CREATE TABLE IF NOT EXISTS node(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, folder INTEGER NOT NULL, kind INTEGER NOT NULL,
  size INTEGER, mode INTEGER, uid INTEGER, gid INTEGER, mtime INTEGER, ctime INTEGER,
  nlink INTEGER, xattrs BLOB, target BLOB, born INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS node_gone ON node(gone) WHERE gone > 0;
CREATE TABLE IF NOT EXISTS name(
  parent BLOB NOT NULL, name BLOB NOT NULL, node INTEGER NOT NULL, since INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(parent, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS name_node ON name(node);
CREATE TABLE IF NOT EXISTS was(
  node INTEGER NOT NULL, parent BLOB NOT NULL, name BLOB NOT NULL, until INTEGER NOT NULL,
  since INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS was_node ON was(node);
CREATE TABLE IF NOT EXISTS generation(
  id INTEGER PRIMARY KEY AUTOINCREMENT, node INTEGER NOT NULL, pack INTEGER NOT NULL,
  offset INTEGER NOT NULL, taken INTEGER NOT NULL, writer TEXT NOT NULL, judged INTEGER NOT NULL,
  settled INTEGER NOT NULL, size INTEGER, mode INTEGER, uid INTEGER, gid INTEGER, mtime INTEGER,
  ctime INTEGER, nlink INTEGER, xattrs BLOB);
CREATE INDEX IF NOT EXISTS generation_node ON generation(node, id);
CREATE TABLE IF NOT EXISTS conviction(
  family TEXT PRIMARY KEY, at INTEGER NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS renewed(old BLOB PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting(key TEXT PRIMARY KEY, value BLOB);
"""
NODE = "id,key,folder,kind,size,mode,uid,gid,mtime,ctime,nlink,xattrs,target,born,gone"
GENERATION = (
    "id,node,pack,offset,taken,writer,judged,settled,size,mode,uid,gid,mtime,ctime,nlink,xattrs"
)


def columns_of(f: Facts) -> tuple[int | bytes, ...]:
    """The columns that a node and a generation share."""
    return (f.size, f.mode, f.uid, f.gid, f.mtime_ns, f.ctime_ns, f.nlink, f.xattrs)


def node_of(row: tuple[Any, ...]) -> Node:
    number, key, folder, *facts, born, gone = row
    kind, size, mode, uid, gid, mtime, ctime, nlink, xattrs, target = facts
    return Node(
        id=number, key=key, folder=folder, born_ns=born, gone_ns=gone,
        facts=Facts(
            kind=Kind(kind), size=size, mode=mode, uid=uid, gid=gid, mtime_ns=mtime, ctime_ns=ctime,
            nlink=nlink, xattrs=xattrs or b"", target=target or b"",
        ),
    )  # fmt: skip


def generation_of(row: tuple[Any, ...]) -> Generation:
    number, node, pack, offset, taken, writer, judged, settled, *facts = row
    size, mode, uid, gid, mtime, ctime, nlink, xattrs = facts
    return Generation(
        id=number, node=node, pack=pack, offset=offset, taken_ns=taken, writer=writer,
        judged=Judged(judged), settled=bool(settled),
        facts=Facts(
            kind=Kind.FILE, size=size, mode=mode, uid=uid, gid=gid, mtime_ns=mtime, ctime_ns=ctime,
            nlink=nlink, xattrs=xattrs or b"",
        ),
    )  # fmt: skip
