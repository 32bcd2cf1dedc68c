"""A name that turns the direction of writing reads as it is written, on pages and in reports."""

import jinja2
import pytest
from markupsafe import Markup

from releve.apps.web.assets import templates
from releve.report.markup import el, esc

TURNED = "rapport\u202excod.exe"  # a browser would show "rapportexe.docx"
SHOWN = "rapport\N{REPLACEMENT CHARACTER}xcod.exe"


def test_reports_show_the_mark_and_do_not_obey_it() -> None:
    assert esc(TURNED) == SHOWN
    assert el("p", esc(TURNED), title=TURNED) == f'<p title="{SHOWN}">{SHOWN}</p>'
    assert esc("\u2066<b>\u2069 été\u00a0!") == "\ufffd&lt;b&gt;\ufffd été\u00a0!"


@pytest.mark.parametrize(
    "words",
    [
        "{{ name }}", "{{ name|upper|lower }}", "{% set n = name %}{{ n }}",
        "{% macro of(x) %}{{ x }}{% endmacro %}{{ of(name) }}", "{{ marked }}",
    ],
)  # fmt: skip
def test_pages_show_the_mark_and_do_not_obey_it(words: str) -> None:
    site: jinja2.Environment = templates("releve.apps.web")
    made = site.from_string(words).render(name=TURNED, marked=Markup.escape(TURNED))
    assert made == SHOWN


def test_markup_stays_markup_and_text_stays_escaped() -> None:
    site = templates("releve.apps.web")
    page = site.from_string("{{ marked }}{{ text }}{{ number }}{{ nothing }}")
    made = page.render(marked=Markup("<b>\u202e</b>"), text="<i>\u202e", number=3, nothing=None)
    assert made == "<b>\ufffd</b>&lt;i&gt;\ufffd3None"
