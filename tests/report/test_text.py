"""Sizes and ages as people say them."""

import pytest

from releve.report.text import Voice


@pytest.mark.parametrize(
    ("count", "french", "english"),
    [
        (0, "0\u00a0o", "0\u00a0B"),
        (999, "999\u00a0o", "999\u00a0B"),
        (6_287, "6,3\u00a0ko", "6.3\u00a0kB"),
        (999_960, "1,0\u00a0Mo", "1.0\u00a0MB"),
        (12_300_000, "12,3\u00a0Mo", "12.3\u00a0MB"),
        (2_040_000_000, "2,0\u00a0Go", "2.0\u00a0GB"),
        (7_100_000_000_000, "7,1\u00a0To", "7.1\u00a0TB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_leaves_something_to_read(
    count: int, french: str, english: str
) -> None:
    assert (Voice("fr").size(count), Voice("en").size(count)) == (french, english)


def test_an_age_is_never_in_milliseconds() -> None:
    assert Voice("fr").age(0.412) == "0,4\u00a0s"
    assert Voice("fr").age(3 * 86_400) == "3,0\u00a0j"
