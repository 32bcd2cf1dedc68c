"""A promise is held up to its limit, broken beyond it, and never held without a measure."""

import math

import msgspec
import pytest

from releve.model.proof import AttackResult, CareResult, HonestResult, WindowResult
from releve.report import figures
from releve.report.promises import Promise, judge, tally
from releve.report.text import Text
from tests.report import simulations

ANY = Text(fr="un", en="one")


def promise(measure: str, limit: float | None, **more: object) -> Promise:
    facts = {"unit": "files", "promise": ANY, "condition": ANY, "command": "releve", **more}
    return Promise(id="p", measure=measure, limit=limit, **facts)


def of_attacks(*attacks: AttackResult) -> object:
    return msgspec.structs.replace(simulations.empty(), attacks=attacks)


def an_attack(**changed: object) -> AttackResult:
    base = simulations.attack("gpg-rm", "encryptor", 3, 38.0, 4.0, "ext4")
    return msgspec.structs.replace(base, **changed)


@pytest.mark.parametrize(
    ("value", "below", "outcome"),
    [(49.9, True, "held"), (50.0, True, "broken"), (50.0, False, "held"), (50.1, False, "broken")],
)
def test_a_limit_is_reached_or_not_as_the_promise_says(
    value: float, below: bool, outcome: str
) -> None:
    simulation = of_attacks(an_attack(first_write_to_stop_ms=value))
    verdict = judge(promise("stop_delay", 50.0, below=below), simulation)
    assert verdict.outcome == outcome


def test_nothing_measured_is_never_held() -> None:
    for measure in figures.MEASURES:
        verdict = judge(promise(measure, 1e9), simulations.empty())
        assert (verdict.outcome, verdict.measured.value) == ("unmeasured", None), measure


def test_a_skipped_attack_is_no_case() -> None:
    skipped = an_attack(skipped="absent", files_lost=0)
    assert judge(promise("files_lost", 0), of_attacks(skipped)).outcome == "unmeasured"
    assert figures.files_lost(of_attacks(skipped, an_attack())).n == 1


def test_one_lost_file_breaks_the_promise() -> None:
    simulation = of_attacks(an_attack(), an_attack(files_lost=1))
    verdict = judge(promise("files_lost", 0), simulation)
    assert (verdict.outcome, verdict.measured.value, verdict.measured.n) == ("broken", 1.0, 2)


def test_attacks_never_stopped_count_as_infinitely_long() -> None:
    never = an_attack(stopped=False, first_write_to_stop_ms=None)
    measured = figures.stop_delay(of_attacks(an_attack(), never, never))
    assert measured.value == math.inf
    assert (measured.never, measured.n, measured.mean) == (2, 3, None)
    assert judge(promise("stop_delay", 50.0), of_attacks(an_attack(), never)).outcome == "broken"


def test_a_rollback_is_scaled_down_to_a_thousand_files_but_never_up() -> None:
    small = an_attack(lines=simulations.lines(999, 10, 10), rollback_ms=10.0)
    measured = figures.rollback_of_1000(of_attacks(small))
    assert (measured.value, measured.aside) == (None, 999.0)
    large = an_attack(lines=simulations.lines(2000, 10, 3000), rollback_ms=3000.0)
    assert figures.rollback_of_1000(of_attacks(small, large)).value == 1500.0


def test_windows_are_judged_apart_where_files_are_cloned_and_where_they_are_copied() -> None:
    def window(fs: str, p99: float) -> WindowResult:
        return WindowResult(fs=fs, saves=10, p50_ms=1, p99_ms=p99, worst_ms=p99)

    simulation = msgspec.structs.replace(
        simulations.empty(), windows=(window("xfs", 90), window("btrfs", 101), window("ext4", 800))
    )
    assert figures.window_reflink(simulation).value == 101
    assert figures.window_copy(simulation).value == 800


def test_honest_work_of_the_tuning_list_and_never_seen_work_are_apart() -> None:
    def work(**changed: object) -> HonestResult:
        facts = {"name": "w", "fs": "ext4", "stopped": True, "slowdown": None, **changed}
        return HonestResult(**facts)

    simulation = msgspec.structs.replace(
        simulations.empty(),
        honest=(
            work(),
            work(held_out=True, stopped=False),
            work(wanted_stop=True),
            work(held_out=True, skipped="absent"),
        ),
    )
    assert figures.honest_stopped_tuned(simulation).value == 1
    held_out = figures.honest_stopped_held_out(simulation)
    assert (held_out.value, held_out.n) == (0, 1)


def test_a_slowdown_is_judged_on_the_worst_workload_of_the_chosen_kind() -> None:
    simulation = simulations.held()
    assert figures.slowdown(simulation, ("untar*", "git*")).value == 1.42
    assert figures.slowdown(simulation, ("dd*",)).value is None


def test_a_failed_part_of_the_chain_breaks_its_promise() -> None:
    simulation = msgspec.structs.replace(
        simulations.empty(), care=(CareResult(name="restore", ok=False, ms=10.0),)
    )
    assert judge(promise("care_time", 5000.0, unit="ms"), simulation).outcome == "broken"


def test_what_is_only_counted_is_no_promise() -> None:
    assert judge(promise("newest_save_lost", None), simulations.lossy()).outcome == "counted"


def test_percentiles_are_values_that_were_measured() -> None:
    assert figures.percentile([1, 2, 3, 4], 0.95) == 4
    assert figures.percentile([5.0], 0.5) == 5.0


def test_the_tally_leaves_out_what_is_only_counted() -> None:
    from releve.adapters import content

    counts = tally(content.promises(), simulations.lossy())
    assert counts["n"] == counts["held"] + counts["broken"] + counts["unmeasured"]
    assert counts["broken"] >= 4
