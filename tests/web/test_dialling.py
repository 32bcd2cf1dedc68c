"""What a tap on a number dials, however it was written, and that nothing else is dialled."""

import pytest

from releve.apps.web.assets import templates
from releve.apps.web.dialling import dialled


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("02 99 00 00 01", "0299000001"),
        (" 02.99.00.00.01 ", "0299000001"),
        ("02\u00a099\u202f00 00 01", "0299000001"),
        ("+33 (0)2 99 00 00 01", "+33299000001"),
        ("0033 2 99 00 00 01", "0033299000001"),
        ("17", "17"),
        ("", ""),
        ("1", ""),
        ("02 99 00 00 01 poste 12", ""),
        ("*21*0899000000#", ""),
        ("02 99 00 00 01;ext=1", ""),
        ("javascript:alert(1)", ""),
        ("02 99 00 00 01 ou 06 00 00 00 01", ""),
        ("٠١٢٣٤٥", ""),
        ("0" * 16, ""),
    ],
)
def test_a_number_is_dialled_as_it_is_meant_and_nothing_else(written: str, wanted: str) -> None:
    assert dialled(written) == wanted


def test_templates_link_a_number_and_leave_other_words_alone() -> None:
    parts = templates("releve.apps.console").get_template("_parts.html").module
    assert str(parts.phone("17")) == '<a class="phone" href="tel:17">17</a>'
    assert str(parts.phone('<b>"17')) == "&lt;b&gt;&#34;17"
