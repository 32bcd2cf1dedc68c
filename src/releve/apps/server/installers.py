"""The file that sets one host up: a few lines of shell around what it brings."""

import re
from pathlib import Path

import msgspec

from releve.adapters.private import read_own
from releve.model.installer import HostPlan

_plan = msgspec.json.Decoder(HostPlan).decode
_END = "FIN_DE_L_INSTALLATEUR"
_BODY = re.compile(rf"<<'{_END}'\n(.*)\n{_END}\n", re.DOTALL)
_TOKEN = re.compile(r"releve1\.[A-Za-z0-9_-]+")
_TEXT = """\
#!/bin/sh
# {about}
# {once}Relancer reprend où on en était / run again, it goes on.
# sh CE_FICHIER (root){beside}. --help dit le reste.
set -e
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec "${{RELEVE:-releve}}" install --beside "$here" "$@" - <<'{end}'
{body}
{end}
"""


def write_text(plan: HostPlan) -> bytes:
    """The installer of a plan."""
    about = " ".join(f"{plan.host} -> {plan.structure}".split())
    until = f"Jeton bon une fois, jusqu'au / good once, until {plan.until}. " if plan.token else ""
    body = msgspec.json.format(msgspec.json.encode(plan)).decode()
    text = _TEXT.format(
        about=about, once=until, end=_END,
        beside=f", avec {plan.deposit} à côté" if plan.deposit else "",
        body=body,
    )  # fmt: skip
    return text.encode()


def read(file: Path) -> HostPlan | None:
    """What an installer that lies there brings; of one of an earlier form its token. None: none.

    Raises: UsageError: another user laid it there.
    """
    content = read_own(file)
    if content is None:
        return None
    text = content.decode()
    found, token = _BODY.search(text), _TOKEN.search(text)
    if found is not None:
        return _plan(found[1])
    return HostPlan(structure="", host="", token=token[0] if token else "")
