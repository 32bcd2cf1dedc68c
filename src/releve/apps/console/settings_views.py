"""What the page of settings shows, and its forms -> what the structure says of itself."""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from releve.apps.console.views import structure_name
from releve.flow.server import circles
from releve.flow.server.ports import AuditEntry, Store
from releve.model.circle import Circle, CircleKind, Membership
from releve.model.help import Responder
from releve.model.structure import CareService, Contact, Profile, StructureKind

CONTACT_ROLES = ("lead", "it", "dpo", "insurer", "police", "software", "other")
LONGEST = 300
LONGEST_HOSTS = 20_000  # many names in one field
_MOST_LOOKS = 30
_NOT_OF_A_WORD = re.compile(r"[^a-z0-9]+")


class CircleView(msgspec.Struct, frozen=True, kw_only=True):
    """A group that the structure is or was in, or an insurer."""

    circle: Circle
    membership: Membership | None

    @property
    def is_in(self) -> bool:
        return self.membership is not None and self.membership.ended_at is None


class SettingsPage(msgspec.Struct, frozen=True, kw_only=True):
    structure_name: str
    profile: Profile | None
    on_call: tuple[Responder, ...]
    people: int
    passkeys: int
    codes_left: int  # printed ones
    hosts: int
    vaults: int
    keep_days: int | None  # None: for ever
    insurers: tuple[CircleView, ...]
    groups: tuple[CircleView, ...]
    looks: tuple[AuditEntry, ...]
    tokens: int  # those that open
    webhooks: int
    glpi: str  # the name of its machine; empty where there is none


def settings_page(
    store: Store, structure: str, keep: dt.timedelta | None, now: dt.datetime
) -> SettingsPage:
    known = store.circles()
    with store.unit(structure, writes=False) as unit:
        rota, glpi = unit.rota(), unit.glpi()
        there = unit.people()
        seen = [CircleView(circle=c, membership=unit.membership(c.id)) for c in known]
        return SettingsPage(
            structure_name=structure_name(store, structure),
            profile=unit.profile(),
            on_call=rota.people if rota else (),
            people=len(there),
            passkeys=sum(len(unit.passkeys_of(person.id)) for person in there),
            codes_left=sum(code.used_at is None for code in unit.break_glass()),
            hosts=len(unit.hosts()),
            vaults=sum(vault.removed_at is None for vault in unit.vaults()),
            keep_days=None if keep is None else keep.days,
            insurers=tuple(c for c in seen if c.circle.kind is CircleKind.INSURER),
            groups=tuple(
                c for c in seen if c.circle.kind is CircleKind.GROUP and c.membership is not None
            ),
            looks=tuple(unit.trail_of(circles.LOOKS, most=_MOST_LOOKS)),
            tokens=sum(one.token.is_good(now) for one in unit.api_tokens()),
            webhooks=len(unit.webhooks()),
            glpi=urlsplit(glpi.url).netloc.rpartition("@")[2] if glpi else "",
        )


def with_identity(told: Mapping[str, str], known: Profile | None) -> Profile:
    """Raises: ValueError."""
    kind = StructureKind(told.get("kind", ""))
    legal_name = _short(told, "legal_name")
    if not legal_name:
        raise ValueError("legal_name")
    words = ("siren", "siret", "finess", "address", "timezone", "representative", "insurer_policy")
    said = {word: _short(told, word) for word in words}
    base = known or Profile(kind=kind, legal_name=legal_name)
    staff = int(told.get("staff") or 0)
    if staff < 0:
        raise ValueError("staff")
    return msgspec.structs.replace(base, kind=kind, legal_name=legal_name, staff=staff, **said)


def with_contacts(told: Mapping[str, str], known: Profile) -> Profile:
    """A line without a name is gone. Raises: ValueError."""
    words = ("name", "role", "phone", "mail")
    said = ({word: _short(row, word) for word in words} for row in _rows(told))
    return msgspec.structs.replace(known, contacts=tuple(Contact(**row) for row in said))


def with_attack(told: Mapping[str, str], known: Profile) -> Profile:
    """Raises: ValueError."""
    if told.get("ring") not in ("yes", "no"):
        raise ValueError("ring")
    return msgspec.structs.replace(known, ring_on_attack=told["ring"] == "yes")


def with_services(told: Mapping[str, str], known: Profile) -> Profile:
    """A line without a name is gone; what data a service needs stays. Raises: ValueError."""
    data_sets = {service.id: service.data_sets for service in known.services}
    services = []
    for row in _rows(told):
        name = _short(row, "name")
        identity = _short(row, "id") or _word_of(name)
        hosts = (host.strip() for host in _short(row, "hosts", LONGEST_HOSTS).split(","))
        rate = float((row.get("rate") or "0").replace(",", "."))
        if not 0 <= rate < float("inf"):
            raise ValueError("rate")
        services.append(
            CareService(
                id=identity,
                name=name,
                rank=int(row.get("rank") or 50),
                hosts=tuple(host for host in hosts if host),
                data_sets=data_sets.get(identity, ()),
                consultations_per_hour=rate,
            )
        )
    return msgspec.structs.replace(known, services=tuple(services))


def _rows(told: Mapping[str, str]) -> Iterable[dict[str, str]]:
    """The lines of a form ("name-0", "phone-0", …) that have a name, however many they are."""
    rows: dict[int, dict[str, str]] = {}
    for field, value in told.items():
        word, _, number = field.rpartition("-")
        if number.isdecimal():
            rows.setdefault(int(number), {})[word] = value
    return [rows[number] for number in sorted(rows) if rows[number].get("name", "").strip()]


def _word_of(name: str) -> str:
    """Of "Imagerie médicale" it is imagerie-medicale."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return _NOT_OF_A_WORD.sub("-", plain).strip("-")[:40]


def _short(told: Mapping[str, str], word: str, longest: int = LONGEST) -> str:
    """Never cut: half a name is another one. Raises: ValueError."""
    said = told.get(word, "").strip()
    if len(said) > longest:
        raise ValueError(word)
    return said
