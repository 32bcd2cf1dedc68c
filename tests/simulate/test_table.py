"""One attack, told alike by its figures, its row and the short account."""

import io

import msgspec

from releve.apps.simulate import manifest
from releve.apps.simulate.attack_run import conclude
from releve.apps.simulate.attacks import by_name
from releve.apps.simulate.table import Table
from releve.model.lines import Alert, RolledBack, Stopped
from releve.model.proof import AttackResult
from releve.report import figures
from tests.report import simulations

_NOTHING_LOST = manifest.Verdict(lost=(), newest_save_lost=(), wrong=())
_BACK = RolledBack(
    family="7", restored=9, lost=(), newest_save_lost=(), quarantined=(), rollback_ms=40.0
)
_OVER = Alert(kind="family_ended", family="7", why="python3.11 ne tourne plus.")


def stopped(action: str, family: str = "7", ms: float = 303.0) -> Stopped:
    return Stopped(
        family=family, points=(), first_write_to_stop_ms=ms, action=action, files_touched=9, at=""
    )


def told(*lines: object) -> AttackResult:
    profile = by_name("wipe-unlink")
    assert profile is not None
    return conclude(profile, "ext4", 9, _NOTHING_LOST, lines)


def row(result: AttackResult) -> str:
    out = io.StringIO()
    Table(out, "fr", 1).attack(result)
    return out.getvalue().splitlines()[-1]


def test_an_attack_that_was_over_when_judged_is_no_stop_and_has_no_time_of_one() -> None:
    result = told(stopped("none"), _BACK, _OVER)
    assert (result.stopped, result.over, result.first_write_to_stop_ms) == (False, True, None)
    assert row(result).endswith("déjà finie, défaite")
    assert "303" not in row(result)


def test_a_writer_that_nobody_could_name_was_not_stopped_and_not_over() -> None:
    result = told(stopped("none"), _BACK)
    assert (result.stopped, result.over) == (False, False)
    assert row(result).endswith("pas arrêtée")


def test_where_one_family_was_stopped_its_time_counts_and_not_that_of_one_that_had_ended() -> None:
    result = told(stopped("none"), _OVER, stopped("killed", "8", 31.0), _BACK)
    assert (result.stopped, result.over, result.first_write_to_stop_ms) == (True, False, 31.0)


def test_the_table_and_the_report_have_one_median_stop() -> None:
    over = told(stopped("none"), _BACK, _OVER)
    times = (5.0, 33.0, 43.0)
    ran = [told(stopped("killed", ms=ms), _BACK) for ms in times]
    run = msgspec.structs.replace(simulations.held(), attacks=(*ran, over))
    assert figures.stop_delay(run).median == 43.0
    out = io.StringIO()
    Table(out, "fr", 4).end(run)
    said = out.getvalue()
    assert "4 attaques (3 arrêtées ; finies avant que le gardien ait jugé : 1)" in said
    assert "arrêt en 43 ms (sans arrêt : 1, compté comme le plus lent)" in said


def test_what_there_was_no_time_for_is_named_among_what_was_not_shown() -> None:
    run = simulations.held()
    late = msgspec.structs.replace(run.attacks[0], skipped="le temps était écoulé")
    out = io.StringIO()
    Table(out, "fr", 1).end(msgspec.structs.replace(run, attacks=(late, *run.attacks[1:])))
    missing = out.getvalue().split("Non montré ici :\n")[1]
    assert "  - gpg -c, puis rm : le temps était écoulé" in missing
