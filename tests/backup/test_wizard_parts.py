"""What the page does, without a browser: held originals, verdicts, what is kept, what is told."""

import datetime as dt
import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from releve.adapters import placing
from releve.adapters.clock import SystemClock
from releve.adapters.linux.place import HandlePlace
from releve.adapters.portable.place import InodePlace
from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.store.keeper import Keeper
from releve.apps.agent.config import Config as AgentConfig
from releve.apps.agent.config import Home
from releve.apps.backup.judging import CATALOGUE
from releve.apps.backup.state import Config, State
from releve.apps.cli.main import run
from releve.apps.restore.cli import trusted_stores
from releve.apps.restore.telling import Teller
from releve.apps.restore.wizard import HarmfulVersionError, Wizard
from releve.apps.web.words import ZONE
from releve.model.clean import Verdict, Why
from releve.model.held import Judged
from releve.recover.said_time import understood
from releve.recover.versions import choose
from releve.recover.wanted import Wanted
from tests.backup.test_scan import docx


@pytest.fixture(params=["exact", "portable"])
def kept(tmp_path, request, need):
    """A letter that a guard holds, in two versions."""
    folder = tmp_path / "cabinet"
    (folder / "Élise Dupont").mkdir(parents=True)
    letter = folder / "Élise Dupont" / "Cœur.txt"
    letter.write_text("first")
    if request.param == "exact":
        need("root")
        place = HandlePlace(str(folder))
    else:
        place = InodePlace(str(folder))
    keeper = Keeper(str(tmp_path / "store"), place, SystemClock())
    keeper.add_folder(str(folder))
    list(keeper.baseline(0, "", lambda _files, _bytes: None))
    keeper.complete(0)
    letter.write_text("second, longer")
    keeper.hold(keeper.place.key_of(str(letter)), "w", folder=0, judged=Judged.CLEAN)
    keeper.commit()
    yield keeper, letter
    keeper.close()


@pytest.fixture
def held(kept, tmp_path):
    made = Wizard(
        [str(tmp_path / "cabinet")], state=str(tmp_path / "no"), store=str(tmp_path / "store"), zone=ZONE
    )  # fmt: skip
    return made, kept[1]


def only(wizard: Wizard, words: str):
    found = wizard.look(words)
    assert not found.is_cut
    assert not found.is_troubled
    assert len(found.hits) == 1, found.hits
    return found.hits[0]


def test_a_deleted_letter_is_found_by_the_guards_memory_of_its_name(held) -> None:
    wizard, letter = held
    letter.unlink()
    hit = only(wizard, "elise COEUR")
    assert (hit.path, hit.is_there) == (str(letter), False)
    offers = wizard.offers(hit, None)
    assert [(o.version.size, o.verdict) for o in offers.offers] == [
        (14, Verdict.CLEAN),
        (5, Verdict.CLEAN),
    ]
    back = wizard.put_back(offers.offers[offers.chosen], in_place=False)
    assert (back.to, letter.read_text()) == (str(letter), "second, longer")
    assert back.sha256 == placing.sha256(str(letter))


def test_without_a_time_the_newest_version_is_offered_that_is_not_there_already(held) -> None:
    wizard, letter = held
    offers = wizard.offers(only(wizard, "coeur"), None)
    assert [o.is_now for o in offers.offers] == [True, False]
    assert offers.chosen == 1
    letter.write_text("third, longer than the others")
    changed = wizard.offers(only(wizard, "coeur"), None)
    assert [o.is_now for o in changed.offers] == [False, False]
    assert changed.chosen == 0


def test_sound_is_only_said_of_what_was_judged_so(kept, held) -> None:
    (keeper, letter), (wizard, _) = kept, held
    letter.write_text("third, of which nobody knows")
    keeper.hold(keeper.place.key_of(str(letter)), "w", folder=0, judged=Judged.UNKNOWN)
    keeper.commit()
    verdicts = [o.verdict for o in wizard.offers(only(wizard, "coeur"), None).offers]
    assert verdicts == [Verdict.UNJUDGED, Verdict.CLEAN, Verdict.CLEAN]


def test_what_is_there_is_kept_and_a_version_that_is_there_is_not_brought_again(held) -> None:
    wizard, letter = held
    hit = only(wizard, "coeur")
    newest, first = wizard.offers(hit, None).offers
    assert newest.is_now
    assert wizard.put_back(newest, in_place=True).was_same
    letter.write_text("damaged")
    back = wizard.put_back(first, in_place=True)
    assert letter.read_text() == "first"
    assert Path(back.kept_as).read_text() == "damaged"
    again = wizard.put_back(newest, in_place=True)
    assert Path(again.kept_as).read_text() == "first"
    beside = {wizard.put_back(first, in_place=False).to for _ in range(3)}
    assert len(beside) == 3, "a name that is taken is never taken over"
    assert letter.read_text() == "second, longer"


def test_what_has_logs_of_a_database_is_replaced_in_one_step_and_kept(held) -> None:
    wizard, letter = held
    first = wizard.offers(only(wizard, "coeur"), None).offers[1]
    letter.write_text("a database, says its log")
    log = letter.with_name(letter.name + "-wal")
    log.write_text("log")
    back = wizard.put_back(first, in_place=True)
    assert letter.read_text() == "first"
    assert Path(back.kept_as).read_text() == "a database, says its log"


def test_a_folder_comes_beside_or_only_what_is_missing_in_it(held) -> None:
    wizard, letter = held
    hit = next(h for h in wizard.look("dupont").hits if h.is_folder)
    newest = wizard.offers(hit, None).offers[0]
    letter.write_text("mine")
    assert wizard.put_back(newest, in_place=True).kept == 1
    assert letter.read_text() == "mine"
    beside = Path(wizard.put_back(newest, in_place=False).to)
    assert beside != letter.parent
    assert (beside / letter.name).read_text() in {"first", "second, longer"}


def test_nothing_outside_the_folders_is_found_or_followed(held, tmp_path) -> None:
    wizard, letter = held
    (tmp_path / "secret coeur.txt").write_text("x")
    (letter.parent / "out").symlink_to(tmp_path)
    assert [hit.path for hit in wizard.look("coeur").hits] == [str(letter)]
    assert wizard.look("c").hits == ()


def test_a_vault_that_does_not_answer_is_said_and_what_is_here_is_found(tmp_path) -> None:
    folder = tmp_path / "cabinet"
    folder.mkdir()
    (folder / "lettre.txt").write_text("x")
    state = State(str(tmp_path / "state"))
    url = "http://127.0.0.1:9/host/"  # nobody is there
    state.configure(Config(url=url, user="host", folders=(str(folder),)), "secret")
    wizard = Wizard([str(folder)], state=str(state.folder), store=None, zone=ZONE)
    found = wizard.look("lettre")
    assert found.is_troubled
    assert [hit.path for hit in found.hits] == [str(folder / "lettre.txt")]
    offers = wizard.offers(found.hits[0], None)
    assert (offers.offers, offers.chosen, offers.troubles) == ((), -1, ("VaultUnreachableError",))


@pytest.mark.root
def test_a_store_that_a_user_may_have_made_is_not_believed(kept, tmp_path) -> None:
    keeper, letter = kept
    keeper.commit()
    planted = tmp_path / "cabinet" / ".releve-reserve"
    shutil.copytree(tmp_path / "store", planted)
    assert str(planted) in trusted_stores(str(letter)), "root's own, in root's own folder"
    for place in (planted, tmp_path / "cabinet"):
        os.chown(place, 12345, 12345)
        assert str(planted) not in trusted_stores(str(letter))
        os.chown(place, 0, 0)


@pytest.mark.restic
def test_verdicts_of_the_scan_stand_beside_versions_and_bad_ones_do_not_come_back(
    state, share, back_up
) -> None:
    letter = share / "lettre.docx"
    docx(letter, "Cher confrère " * 200)
    first = back_up()
    letter.write_bytes(os.urandom(4096))
    back_up()
    assert run(["recover", "scan", "--state", str(state.folder), "--json"]) == 0
    wizard = Wizard([str(share)], state=str(state.folder), store=None, zone=ZONE)
    hit = only(wizard, "lettre.docx")
    offers = wizard.offers(hit, None)
    assert [o.version.size == 4096 for o in offers.offers] == [True, False]
    assert offers.offers[0].verdict in {Verdict.SUSPECT, Verdict.BAD}
    assert offers.offers[1].verdict is Verdict.CLEAN
    assert choose([o.version for o in offers.offers], first.at) is offers.offers[1].version
    assert offers.troubles == ()
    digest = placing.sha256(str(letter))
    catalogue = SqliteCatalogue(state.folder / CATALOGUE)
    why = Why(code="known", fr="connu", en="known")
    catalogue.add_indicators({digest: why}, "test", dt.datetime.now(dt.UTC))
    catalogue.close()
    letter.unlink()
    with pytest.raises(HarmfulVersionError):
        wizard.put_back(
            msgspec.structs.replace(offers.offers[0], verdict=Verdict.UNJUDGED), in_place=False
        )
    assert not letter.exists()


def test_the_server_hears_that_something_was_brought_back_and_no_name(held, tmp_path) -> None:
    wizard, letter = held
    home = Home(tmp_path / "agent")
    home.make()
    home.write_config(
        AgentConfig(
            url="http://127.0.0.1:1", structure="s", structure_name="s", host="h", host_name="h",
            server_key=b"", has_authority=False,
        )
    )  # fmt: skip
    teller = Teller(tmp_path, home.path)
    letter.unlink()
    back = wizard.put_back(wizard.offers(only(wizard, "coeur"), None).offers[0], in_place=False)
    teller.restored(back, "Mme Martin", "127.0.0.1")
    spool = SqliteSpool(home.spool)
    (item,) = spool.next_items(most=10, most_bytes=10**6)
    event = json.loads(bytes(item.event))
    assert (event["kind"], event["ok"], event["path"]["extension"]) == (
        "file_restored",
        True,
        "txt",
    )
    text = bytes(item.event).decode().lower()
    assert not [name for name in ("coeur", "cœur", "dupont", "martin", "cabinet") if name in text]
    assert spool.name_of(event["path"]["token"]) == str(letter), "the host itself knows"
    spool.close()
    (line,) = teller.journal.entries()
    assert (line.person, line.path, line.what) == ("Mme Martin", str(letter), "restored")
    assert teller.journal.check().lines == 1


SUNDAY = dt.datetime(2026, 11, 22, 10, 0, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("hier", "2026-11-21 23:59"),
        ("avant-hier", "2026-11-20 23:59"),
        ("Hier à 18h12", "2026-11-21 18:12"),
        ("hier après-midi", "2026-11-21 18:30"),
        ("mardi matin", "2026-11-17 12:00"),
        ("dimanche", "2026-11-15 23:59"),
        ("12/11/2025 18:30", "2025-11-12 18:30"),
        ("1er décembre", "2025-12-01 23:59"),
        ("2026-11-20 08:00", "2026-11-20 08:00"),
        ("18h", "2026-11-21 18:00"),
        ("il y a 2 heures", "2026-11-22 08:00"),
        ("yesterday at 6pm", "2026-11-21 18:00"),
        ("3 days ago", "2026-11-19 10:00"),
        ("ce soir", "2026-11-22 10:00"),
        ("demain", None),
        ("31/02", None),
        ("", None),
    ],
)
def test_times_are_understood_as_people_say_them(said: str, meant: str | None) -> None:
    found = understood(said, SUNDAY)
    assert (f"{found.at:%Y-%m-%d %H:%M}" if found else None) == meant


def test_words_are_found_without_accents_in_any_order() -> None:
    assert Wanted.of("certificat DUPONT").fits("Dupont Élise/Certificat médical.docx")
    assert Wanted.of("elise").fits("E\u0301lise.txt"), "names from a Mac keep their accents apart"
    assert not Wanted.of("dupont").fits("Dupont Élise/Ordonnance.docx"), "its name must hold a word"
    assert not Wanted.of("* a").is_enough
