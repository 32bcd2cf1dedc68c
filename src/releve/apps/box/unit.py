"""The systemd units of the box: the file server, and the isolation that outlives a restart."""

import shlex
import sys
from pathlib import Path

_UNIT = """\
[Unit]
Description=Releve file server (SMB)
Documentation=https://www.samba.org/samba/docs/current/man-html/smb.conf.5.html
# The guard holds the originals before any client can write.
Wants=releve-guard.service network-online.target
After=releve-guard.service network-online.target
Conflicts=smbd.service

[Service]
Type=exec
ExecStart={command}
Restart=always
RestartSec=2
# A client's process that dies must not take the others with it.
KillMode=mixed
LimitNOFILE=16384
LimitCORE=0
UMask=0077
NoNewPrivileges=yes
ProtectHome=no
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID
CapabilityBoundingSet=CAP_KILL CAP_LEASE CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID
CapabilityBoundingSet=CAP_SYS_RESOURCE

[Install]
WantedBy=multi-user.target
"""

_RESUME = """\
[Unit]
Description=Releve: isolate this machine again if a restart cut its isolation short
DefaultDependencies=no
After=local-fs.target nftables.service firewalld.service
Before=network.target
Wants=network-pre.target

[Service]
Type=oneshot
ExecStart={command}
# The small process that tidies up afterwards must live on.
KillMode=process

[Install]
WantedBy=multi-user.target
"""


def unit(home: Path) -> str:
    """The text of releve-share.service for this installation."""
    return _UNIT.format(command=_command("share", "serve", "--home", str(home)))


def resume_unit(home: Path) -> str:
    """The text of releve-isolation.service for this installation."""
    return _RESUME.format(command=_command("isolate", "--resume", "--home", str(home)))


def _command(*words: str) -> str:
    return shlex.join([sys.executable, "-P", "-m", "releve.apps.cli.main", *words])
