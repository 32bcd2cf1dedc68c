"""What a request means: repository or view, kind, name. Whatever is not exactly so is refused."""

import hashlib
import re
import unicodedata

import msgspec

from releve.model.vault import ObjectKind, Receipt, Repository

VIEWS = "views"
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_GENERATION = re.compile(r"\d{4}-\d{2}(-\d{1,3})?\Z")
_OBJECT = re.compile(r"[0-9a-f]{64}\Z")
_KINDS = frozenset(ObjectKind)
# Names that rest-server gives a meaning, and ours.
_TAKEN = frozenset({*_KINDS, VIEWS, "metrics"})


class Target(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a request goes. No kind: the repository itself; a kind without name: its listing."""

    repository: Repository | None = None  # None: a view
    view: str = ""
    kind: ObjectKind | None = None
    name: str = ""


def is_word(name: str) -> bool:
    """Fit for a structure, a host, a credential, a view."""
    return bool(_WORD.match(name)) and name not in _TAKEN and ".." not in name


def plain_word(name: str) -> str:
    """A name in letters, digits and hyphens; different names may give one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "x"


def vault_word(name: str) -> str:
    """As onboarding names a structure or host at the vault: the name itself where it can."""
    if is_word(name):
        return name
    plain = plain_word(name)
    return plain if is_word(plain) else f"{plain[:50].strip('-')}-{_mark(name)}"


def right_of(structure: str, host: str) -> str:
    """The name of a host's right to deposit; one vault keeps several structures with a host `accueil`."""
    whole = f"{vault_word(host)}.{vault_word(structure)}"
    return whole if is_word(whole) else f"{whole[:50].strip('.-')}-{_mark(whole)}"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def is_generation(name: str) -> bool:
    return bool(_GENERATION.match(name))


def is_object(name: str) -> bool:
    return bool(_OBJECT.match(name))


def is_place(receipt: Receipt) -> bool:
    """Whether it names an object as a vault does. One of another vault may name any file at all."""
    where, kind = receipt.repository, receipt.kind
    if not (is_word(where.structure) and is_word(where.host) and is_generation(where.generation)):
        return False
    is_named = receipt.name == "config" if kind is ObjectKind.CONFIG else is_object(receipt.name)
    return is_named and is_object(receipt.sha256) and receipt.size >= 0


def read_target(path: str) -> Target | None:
    """Read a request's raw path; None for anything that restic would not ask for.

    No percent sign, no empty or dotted part survives: there is nothing left to traverse.
    """
    parts = path.split("/")
    if parts[0] or len(parts) < 4:
        return None
    if parts[1] == VIEWS:
        view, rest = parts[2], parts[3:]
        held = Target(view=view) if is_word(view) else None
    else:
        rest = parts[4:]
        held = _repository(parts[1:4])
    return None if held is None else _within(held, rest)


def _repository(parts: list[str]) -> Target | None:
    if len(parts) < 3 or not (is_word(parts[0]) and is_word(parts[1]) and is_generation(parts[2])):
        return None
    structure, host, generation = parts
    return Target(repository=Repository(structure=structure, host=host, generation=generation))


def _within(held: Target, rest: list[str]) -> Target | None:
    match rest:
        case [] | [""]:
            return held
        case ["config"]:
            return msgspec.structs.replace(held, kind=ObjectKind.CONFIG, name="config")
        case [kind, ""] if kind in _KINDS and kind != ObjectKind.CONFIG:
            return msgspec.structs.replace(held, kind=ObjectKind(kind))
        case [kind, name] if kind in _KINDS and kind != ObjectKind.CONFIG and is_object(name):
            return msgspec.structs.replace(held, kind=ObjectKind(kind), name=name)
        case _:
            return None
