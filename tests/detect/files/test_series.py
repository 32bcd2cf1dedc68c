"""A part of the labelled series, on copies of folders: no harm is called clean, no work is stopped.

The whole of it, also through restic: bench/clean_point.py.
"""

import pytest

from bench.clean_series import attacks, held_out, honest
from bench.clean_series.run import run
from releve.apps.simulate.mark import UnmarkedError

QUICK = (
    "normal day, two in a row",
    "program installed, then updated",
    "150 scans as PDF",
    "a folder renamed",
    "torn copy, then whole",
    "everything, made-up names",
    "5 % in the middle",
    "three half files, then honest work",
    "PowerShell",
    "60 % deleted",
    "half of all rows",
)


@pytest.mark.timeout(240)
def test_no_harm_is_called_clean_and_no_work_is_suspect(tmp_path):
    stories = [s for s in (*honest.STORIES, *attacks.STORIES) if s.name in QUICK]
    assert len(stories) == len(QUICK)
    results = run(stories, tmp_path, files=180, restic=False, tell=lambda _: None)
    assert [(r.story, r.step, r.verdict, r.why) for r in results if r.is_wrong] == []


def test_the_series_are_as_long_as_they_are_said_to_be():
    tuned = [step for s in (*honest.STORIES, *attacks.STORIES) for step in s.steps]
    assert len(tuned) >= 40
    assert sum(len(s.steps) for s in held_out.STORIES) == 20
    names = [s.name for s in (*honest.STORIES, *attacks.STORIES, *held_out.STORIES)]
    assert len(names) == len(set(names))


def test_no_generator_touches_a_folder_without_the_mark(tmp_path):
    from bench.clean_series.ground import Ground

    with pytest.raises(UnmarkedError):
        Ground(tmp_path, 1)
