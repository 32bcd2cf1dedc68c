"""How grave something is has one set of words: pages, commands and the statement say the same."""

import datetime as dt
import html

import msgspec
import pytest

from releve.apps.console.words import Words
from releve.flow.server.months import month_of
from releve.flow.server.statements import measure
from releve.model.finding import Severity
from releve.report.severities import WORDS
from releve.report.statement import Seal, statement_html
from tests.server.world import T0, add_host


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_page_and_the_statement_say_the_same_of_every_severity(store, language) -> None:
    host = add_host(store, "h")
    with store.unit(host.structure, writes=False) as unit:
        made = measure(unit, "A", month_of("2026-11", "Europe/Paris"), T0 + dt.timedelta(days=20))
    counts = {severity.value: 1 for severity in Severity}
    told = msgspec.structs.replace(made.incidents, count=len(counts), by_severity=counts)
    made = msgspec.structs.replace(made, incidents=told)
    text = html.unescape(statement_html(made, language, Seal(fingerprint="a", file="f")))
    text = text.replace("\xa0", " ")
    words = Words(language)
    assert WORDS.keys() == set(Severity)
    for severity in Severity:
        word = words(f"severity.{severity.value}")
        assert word != f"severity.{severity.value}"
        assert f"1 {word}" in text, severity
    assert "graves" not in text
