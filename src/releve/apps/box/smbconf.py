"""The box's smb.conf: hardened, self-contained, and it never touches the system's Samba."""

from collections.abc import Iterable
from pathlib import PurePath

import msgspec

from releve.adapters.linux.samba import LOG


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shared folder. People keep their own Unix identity; the group makes files common."""

    name: str
    path: str
    group: str
    users: tuple[str, ...] = ()  # empty: every user of the box
    # A recovered folder: rights and owners stay as they were on the machine that is down, whose
    # accounts are not here; who may come in is told by `users` alone.
    as_found: bool = False


class BoxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the box serves and where; `HOME/box.json`."""

    shares: tuple[Share, ...] = ()
    interfaces: tuple[str, ...] = ()  # names, addresses or networks; empty: all
    port: int = 445
    workgroup: str = "WORKGROUP"
    audit_opens: bool = False  # note every opened file, too
    must_encrypt: bool = False  # over somebody else's network: SMB3 with encryption or nothing


FOLDERS = ("private", "lock", "state", "cache", "pid", "ncalrpc", "log", "protect.d")

# Nobody may be called this (see the rule for names), so nobody gets in.
NOBODY = "+releve-nobody"

_GLOBAL = """\
# Written by `releve share`; edits are lost. The system's own Samba is not touched.
[global]
    server role = standalone server
    workgroup = {workgroup}
    server string = Releve
    # Dialects and crypto: no SMB1, every packet signed, encrypted with all who can (SMB3).
    server min protocol = SMB2_10
    server max protocol = SMB3
    server signing = mandatory
    server smb encrypt = {encrypt}
    ntlm auth = ntlmv2-only
    # Nobody without a name.
    map to guest = never
    restrict anonymous = 2
    guest ok = no
    usershare max shares = 0
    usershare allow guests = no
    # One connection, one process, one address: attribution must not be ambiguous.
    server multi channel support = no
    # No NetBIOS, no WINS, no printers: one port.
    disable netbios = yes
    smb ports = {port}
    dns proxy = no
    wins support = no
    multicast dns register = no
    load printers = no
    printing = bsd
    printcap name = /dev/null
    disable spoolss = yes
    # No way out of the shared folder; the held originals are not shown.
    allow insecure wide links = no
    wide links = no
    follow symlinks = no
    veto files = /.releve/.releve-*/
    # A connection that died is dropped within minutes: its process is a person's name.
    deadtime = 30
    keepalive = 60
    # Evidence: who connected, from where, and what was renamed, deleted or made. It holds file
    # names, which are patient data: this folder is root's alone and nothing of it leaves the host.
    logging = file
    log file = {home}/{log}
    max log size = 20480
    log level = 1
    debug pid = yes
    debug hires timestamp = yes
    vfs objects = full_audit
    full_audit:prefix = %I|%u|%m|%S|%d
    full_audit:success = connect disconnect renameat unlinkat mkdirat{opens}
    full_audit:failure = connect{opens}
    full_audit:syslog = false
    # Everything of its own.
    passdb backend = tdbsam:{home}/private/passdb.tdb
    private dir = {home}/private
    binddns dir = {home}/private/dns
    lock directory = {home}/lock
    state directory = {home}/state
    cache directory = {home}/cache
    pid directory = {home}/pid
    ncalrpc dir = {home}/ncalrpc
    winbindd socket directory = {home}/lock/winbindd
"""

_SHARE = """\

[{name}]
    path = {path}
    read only = no
    guest ok = no
    browseable = yes
    valid users = {users}
    force group = {group}
    create mask = 0660
    force create mode = 0660
    directory mask = 2770
    force directory mode = 2770
"""

# New files get the owner and rights of their folder, so that the people of the machine that comes
# back find them as their own.
_AS_FOUND = """\

[{name}]
    path = {path}
    read only = no
    guest ok = no
    browseable = yes
    valid users = {users}
    admin users = {users}
    inherit owner = unix only
    inherit permissions = yes
    store dos attributes = no
    map archive = no
    ea support = no
"""


def render(config: BoxConfig, home: PurePath, users: Iterable[str]) -> str:
    """The whole smb.conf; `users` are those who have a password.

    A share that names nobody is everybody's; one whose people are all gone is nobody's.
    """
    everybody = tuple(users)
    text = _GLOBAL.format(
        home=home,
        log=LOG,
        port=config.port,
        workgroup=config.workgroup,
        encrypt="required" if config.must_encrypt else "desired",
        opens=" create_file" if config.audit_opens else "",
    )
    if config.interfaces:
        text += f"    interfaces = {' '.join(config.interfaces)}\n    bind interfaces only = yes\n"
    for share in config.shares:
        people = [name for name in everybody if not share.users or name in share.users]
        # "valid users" left empty would mean everybody that the system knows.
        names = " ".join(people) or NOBODY
        form = _AS_FOUND if share.as_found else _SHARE
        text += form.format(name=share.name, path=share.path, users=names, group=share.group)
    return text
