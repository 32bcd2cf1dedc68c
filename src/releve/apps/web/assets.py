"""What pages load: everything from inside our packages, by names that change with the content."""

import hashlib
from functools import cache
from importlib.resources import files

import jinja2
import msgspec
from markupsafe import Markup

from releve.apps.web.dialling import dialled
from releve.report.markup import straight

_TEXT = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}


class Asset(msgspec.Struct, frozen=True):
    body: bytes
    media_type: str
    digest: str


@cache
def assets(*packages: str) -> dict[str, Asset]:
    """The files of `static/` and `static/vendor/` of packages; nothing comes from elsewhere."""
    found = {}
    for package in packages:
        root = files(package) / "static"
        for folder, prefix in ((root, ""), (root / "vendor", "vendor/")):
            if not folder.is_dir():
                continue
            for entry in folder.iterdir():
                kind = _TEXT.get(entry.name.rpartition(".")[2])
                if entry.is_file() and kind is not None:
                    body = entry.read_bytes()
                    digest = hashlib.sha256(body).hexdigest()[:12]
                    found[prefix + entry.name] = Asset(body, kind, digest)
    return found


def templates(*packages: str) -> jinja2.Environment:
    """The templates of packages; a missing fact is an error, text is always escaped, nothing turns it round."""
    found = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_straight,
    )
    found.filters["dialled"] = dialled
    return found


def _straight(value: object) -> object:
    if isinstance(value, Markup):
        return Markup(straight(value))  # noqa: S704  # as safe as before
    return straight(value) if isinstance(value, str) else value
