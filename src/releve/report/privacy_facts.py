"""What a structure said of itself, as the papers under the GDPR name it."""

from releve.model.structure import DataSetEntry, Profile
from releve.report.text import Lang, Voice

_ABOUT = {"fr": "environ", "en": "about"}


def told(name: str, profile: Profile | None, operator: str, lang: Lang = "fr") -> dict[str, str]:
    """What the structure said of itself; "" where it said nothing."""
    known = {
        "structure": name, "operator": operator, "representative": "", "address": "", "siren": "",
        "lead": "", "dpo": "", "it": "", "data_map": "",
    }  # fmt: skip
    if profile is None:
        return known
    known |= {
        "structure": profile.legal_name,
        "representative": profile.representative,
        "address": profile.address,
        "siren": profile.siren,
        "data_map": " ; ".join(_data_set(entry, lang) for entry in profile.data_map),
    }
    return known | {role: _reached(profile, role) for role in ("lead", "dpo", "it")}


def _reached(profile: Profile, role: str) -> str:
    contact = profile.contact(role)
    return (
        ", ".join(said for said in (contact.name, contact.mail, contact.phone) if said)
        if contact
        else ""
    )


def _data_set(entry: DataSetEntry, lang: Lang) -> str:
    number = Voice(lang).number
    persons = ", ".join(f"{who} ({_ABOUT[lang]} {number(n)})" for who, n in entry.persons.items())
    return f"{entry.name} : {persons or '?'} ; {', '.join(entry.categories) or '?'}"
