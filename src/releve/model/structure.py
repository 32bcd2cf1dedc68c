"""What a structure says of itself: kind, people to call, services of care, the data it keeps."""

from enum import StrEnum

import msgspec

DEFAULT_TIMEZONE = "Europe/Paris"


class StructureKind(StrEnum):
    """Decides which legal duties there are."""

    PRACTICE = "practice"  # cabinet libéral
    HEALTH_CENTRE = "health_centre"  # maison ou centre de santé
    PHARMACY = "pharmacy"
    LABORATORY = "laboratory"
    RADIOTHERAPY = "radiotherapy"
    NURSING_HOME = "nursing_home"  # EHPAD and other médico-social establishments
    CLINIC = "clinic"  # private health establishment
    HOSPITAL = "hospital"  # public health establishment


class _Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from a file that a person wrote: a word that is not known is an error."""


class Contact(_Told, frozen=True, kw_only=True):
    """Somebody to reach. `role`: lead, it, dpo, insurer, police, software, other."""

    name: str
    role: str = "other"
    phone: str = ""
    mail: str = ""


class CareService(_Told, frozen=True, kw_only=True):
    """An activity of care with the hosts and data sets without which it stops."""

    id: str  # [a-z0-9-]+
    name: str
    rank: int = 50  # 1 comes back first
    hosts: tuple[str, ...] = ()  # names of enrolled hosts
    data_sets: tuple[str, ...] = ()  # names in this profile's data map
    consultations_per_hour: float = 0.0


class DataSetEntry(_Told, frozen=True, kw_only=True):
    """One line of the data map: who is in it, and what is told of them."""

    name: str
    hosts: tuple[str, ...] = ()
    persons: dict[str, int] = {}  # category ("patients", "staff", …): how many, about
    categories: tuple[str, ...] = ()  # of data: "identity", "contact", "health", "nir", …
    records: int = 0
    encrypted_at_rest: bool = False
    leaves_eu: bool = False


class Profile(_Told, frozen=True, kw_only=True):
    """A structure in its own words. All but kind and legal name may be filled in later."""

    kind: StructureKind
    legal_name: str
    siren: str = ""
    siret: str = ""
    finess: str = ""
    address: str = ""
    timezone: str = DEFAULT_TIMEZONE
    staff: int = 0  # people who work there; 0: nobody said
    is_ose: bool = False  # operator of essential services, law 2018-133
    has_nis2_on: bool = False  # the French law is not in force: a person turns it on
    representative: str = ""  # who signs for it
    insurer_policy: str = ""
    ring_on_attack: bool = True  # who is on call is rung for an attack, as for a call for help
    contacts: tuple[Contact, ...] = ()
    services: tuple[CareService, ...] = ()
    data_map: tuple[DataSetEntry, ...] = ()

    def contact(self, role: str) -> Contact | None:
        """The first of that role."""
        return next((c for c in self.contacts if c.role == role), None)
