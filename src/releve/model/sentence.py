"""A sentence for people, in both languages."""

import msgspec


class Sentence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fr: str
    en: str

    def of(self, language: str) -> str:
        return self.en if language == "en" else self.fr
