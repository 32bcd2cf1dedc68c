"""What the agent tells of this host's recovery key on paper: two dates, from the real repository's book."""

import json
from pathlib import Path

import anyio
import msgspec
import pytest

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.process.papers import CommandPapers
from releve.adapters.system import SystemClock
from releve.apps.agent.wiring import BACKUP_STATE, RELEVE, paper_sight
from releve.apps.backup import state as backup_state
from releve.apps.cli.main import run
from releve.apps.key.wiring import books_of
from releve.flow.agent.papers import tell_papers
from releve.model.event import PaperKeyTold
from releve.model.keys import Proof
from tests.agent.hands import T0, events, open_spool
from tests.install.test_parts import CONFIG
from tests.key.test_cli import call, printed, rows_on

pytestmark = pytest.mark.restic
__all__ = ["call", "printed"]


class Looking:
    """The agent's look at a backup's folder, and its spool."""

    def __init__(self, folder: Path, home: Path) -> None:
        command = (*RELEVE, "key", "status", "--state", str(folder), "--json")
        self.sight = CommandPapers(ProcessCommands(), command, folder)
        self.spool, self.told = open_spool(home), None

    def look(self) -> list[PaperKeyTold]:
        """All that was told until now."""

        async def once() -> None:
            self.told = await tell_papers(self.sight, self.spool, SystemClock(), self.told)

        anyio.run(once)
        return [one for one in events(self.spool) if isinstance(one, PaperKeyTold)]


def test_a_sheet_and_its_try_are_told_by_two_dates_and_nothing_else(
    state, call, back_up, tmp_path
) -> None:
    agent = Looking(state.folder, tmp_path)
    marks = [agent.sight.mark()]
    (none,) = agent.look()
    assert (none.made_at, none.tried_at) == (None, None)
    made = call("sheet", "--out", str(tmp_path / "sheet"), "--no-pdf")
    rows = rows_on(next((tmp_path / "sheet").glob("*.html")))
    marks.append(agent.sight.mark())
    printed = agent.look()[-1]
    assert printed.made_at is not None
    assert printed.tried_at is None
    assert len(agent.look()) == 2, "nothing is new"
    back_up()
    proof = call("try", typed=rows)
    marks.append(agent.sight.mark())
    assert len(set(marks)) == 3, "the agent looks when something changed"
    tried = agent.look()[-1]
    assert tried.made_at == printed.made_at
    assert tried.tried_at.isoformat() == proof["at"].replace("Z", "+00:00")
    said = b"".join(item.event for item in agent.spool.next_items(most=100, most_bytes=10**6))
    for word in (made["mark"], proof["key"], rows, state.config().url):
        assert word.encode() not in said
    assert set(json.loads(bytes(agent.spool.next_items(most=9, most_bytes=10**6)[-1].event))) == {
        "kind", "seen_at", "made_at", "tried_at",
    }  # fmt: skip


def test_a_paper_of_another_host_that_was_tried_here_proves_nothing_of_this_one(
    state, call, printed
) -> None:
    books = books_of(state)
    generation = call("status")["place"]["generation"]
    other = Proof(
        at=T0, generation=generation, key="0badcafe", mark="AAAA", how="typed", snapshots=3
    )
    books.save(msgspec.structs.replace(books.load(), proofs=(other,)))
    status = call("status")
    assert status["last_proof"] is None
    assert status["lacks"][0] == "paper_never_tried"


def test_a_new_generation_has_no_paper_yet(state, call, printed, tmp_path) -> None:
    call("try", typed=rows_on(printed[1]))
    agent = Looking(state.folder, tmp_path)
    assert agent.look()[-1].tried_at is not None
    before = agent.sight.mark()
    assert run(["key", "rotate", "--why", "essai", "--yes", "--state", str(state.folder)]) == 0
    assert agent.sight.mark() != before
    last = agent.look()[-1]
    assert (last.made_at, last.tried_at) == (None, None)


def test_without_a_backup_nothing_is_asked_and_a_broken_book_is_no_answer(
    state, printed, tmp_path
) -> None:
    assert Looking(tmp_path / "none", tmp_path).sight.mark() == 0
    agent = Looking(state.folder, tmp_path)
    (state.folder / "keys.json").write_text("{")
    with pytest.raises(OSError, match="status"):
        agent.look()


def test_the_agent_looks_where_the_backups_words_say() -> None:
    assert BACKUP_STATE == backup_state.DEFAULT
    usual = msgspec.structs.replace(CONFIG, backup=("--no-judge",))
    named = msgspec.structs.replace(CONFIG, backup=("--state", "/srv/etat"))
    commands = ProcessCommands()
    assert paper_sight(commands, usual)._folder == Path(backup_state.DEFAULT)
    sight = paper_sight(commands, named)
    assert (sight._folder, "/srv/etat" in sight._command) == (Path("/srv/etat"), True)
