"""A simulation as a report that a doctor understands: figures and content in, document out."""

import msgspec

from releve.model.proof import Simulation
from releve.report import words
from releve.report.document import Document, Section, Terms
from releve.report.first_page import first_page
from releve.report.html import render
from releve.report.promises import Promises
from releve.report.tables import attacks_page, honest_page, limits_page, promise_page
from releve.report.text import Lang, Names, Text, Voice
from releve.report.timeline import detail, timeline


class Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One word of the glossary."""

    word: Text
    meaning: Text


class Glossary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words that a reader who is not an IT person meets in the report."""

    dated: str
    terms: tuple[Term, ...]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What the report says beside the figures."""

    promises: Promises
    glossary: Glossary
    names: Names = Names()


def simulation_document(simulation: Simulation, content: Content, lang: Lang) -> Document:
    """The whole report in one language; every figure comes from `simulation`, none from here."""
    voice = Voice(lang, content.names)
    promises, glossary = content.promises, content.glossary
    sections = (
        first_page(simulation, promises, voice),
        timeline(simulation, voice),
        detail(simulation, voice),
        promise_page(simulation, promises, voice),
        limits_page(simulation, voice),
        attacks_page(simulation, voice),
        honest_page(simulation, voice),
        _glossary(glossary, voice),
    )
    environment = simulation.environment
    about = (
        (voice.say(words.MEASURED_ON), voice.moment(environment.at)),
        (voice.say(words.MACHINE), environment.host),
    )
    return Document(
        lang=lang,
        title=voice.say(words.TITLE),
        kind=voice.say(words.KIND),
        about=about,
        footer=voice.say(words.FOOTER),
        sections=tuple(section for section in sections if section is not None),
        description=voice.say(words.DESCRIPTION),
    )


def simulation_html(simulation: Simulation, content: Content, lang: Lang) -> str:
    return render(simulation_document(simulation, content, lang))


def _glossary(glossary: Glossary, voice: Voice) -> Section:
    pairs = tuple((voice.say(term.word), voice.say(term.meaning)) for term in glossary.terms)
    title = voice.say(words.GLOSSARY)
    return Section(anchor="mots", title=title, blocks=(Terms(pairs=pairs),), sheet=False)
