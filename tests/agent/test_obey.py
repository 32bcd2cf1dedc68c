import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.spool.sqlite import SqliteSpool
from releve.apps.agent.config import Config, public_bytes
from releve.apps.agent.wiring import command_for
from releve.flow.agent.obey import Obedience, Place
from releve.flow.envelope import seal_order
from releve.model.event import OrderEnded
from releve.model.order import (
    AnyTask,
    Isolate,
    Order,
    Release,
    RestoreFile,
    SignedOrder,
    StopFamily,
)
from tests.agent.hands import T0, events
from tests.server.world import SetClock

KEY = Ed25519PrivateKey.generate()
CONFIG = Config(
    url="https://releve.example:8443",
    structure="s",
    structure_name="Cabinet",
    host="h",
    host_name="serveur",
    server_key=b"k" * 32,
    has_authority=True,
    guard=("--protect", "/srv", "--store", "/held"),
)
ORDER = Order(
    id="o1",
    number=10,
    structure="s",
    host="h",
    issued_at=T0,
    expires_at=T0 + dt.timedelta(minutes=15),
    actor="claire",
    task=StopFamily(family="f"),
)


class Scene:
    def __init__(self, tmp_path: Path, script: str = "", *, demonstration: bool = False) -> None:
        self.spool = SqliteSpool(tmp_path / "s.db")
        self.clock = SetClock()
        self.done = tmp_path / "done"
        script = script or f"open({str(self.done)!r}, 'a').write('x')"

        def command(_: Order) -> tuple[str, ...]:
            return (sys.executable, "-c", script)

        place = Place("s", "h", public_bytes(KEY), is_demonstration=demonstration)
        self.obedience = Obedience(place, self.spool, ProcessCommands(), command, self.clock)

    def obey(self, order: Order | SignedOrder, key: Ed25519PrivateKey = KEY) -> str:
        sealed = order if isinstance(order, SignedOrder) else seal_order(key, order)
        return anyio.run(self.obedience.obey, sealed)

    def times(self) -> int:
        return len(self.done.read_text()) if self.done.exists() else 0

    def ends(self) -> list[tuple[bool, str]]:
        return [(e.ok, e.detail) for e in events(self.spool) if isinstance(e, OrderEnded)]


def test_a_demonstration_on_a_real_machine_carries_out_nothing_and_says_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, demonstration=True)
    assert scene.obey(ORDER) == ""
    assert (scene.times(), scene.ends()) == (0, [(False, "demonstration")])


def test_an_order_is_carried_out_and_its_end_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert scene.obey(ORDER) == ""
    assert (scene.times(), scene.ends()) == (1, [(True, "")])


def test_an_order_again_or_an_older_one_is_a_replay_also_after_a_restart(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.obey(ORDER)
    older = msgspec.structs.replace(ORDER, id="o0", number=9)
    assert [scene.obey(ORDER), scene.obey(older)] == ["replayed", "replayed"]
    scene.spool.close()
    again = Scene(tmp_path)
    assert again.obey(ORDER) == "replayed"
    assert again.times() == 1


def test_an_expired_order_is_refused_and_said_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.clock.forward(minutes=15)
    assert scene.obey(ORDER) == "expired"
    assert (scene.times(), scene.ends()) == (0, [(False, "expired")])


def test_forged_and_misdirected_orders_are_refused(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    sealed = seal_order(KEY, ORDER)
    other = seal_order(KEY, msgspec.structs.replace(ORDER, id="o2", number=11))
    assert scene.obey(ORDER, Ed25519PrivateKey.generate()) == "forged"
    assert scene.obey(SignedOrder(order=other.order, signature=sealed.signature)) == "forged"
    assert scene.obey(SignedOrder(order=b"{}", signature=sealed.signature)) == "forged"
    for elsewhere in ({"host": "other"}, {"structure": "other"}):
        assert scene.obey(msgspec.structs.replace(ORDER, **elsewhere)) == "not_for_this_host"
    assert (scene.times(), scene.ends()) == (0, [])


def test_a_misdirected_order_does_not_use_up_the_number(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.obey(msgspec.structs.replace(ORDER, host="other", number=999_999))
    assert scene.obey(ORDER) == ""


def test_a_failure_is_told_without_the_command_s_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "import sys; sys.exit('/srv/DUPONT.docx is gone')")
    scene.obey(ORDER)
    assert scene.ends() == [(False, "status 1")]


def test_a_command_that_is_absent_is_told_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.obedience._command_for = lambda _: ("/nowhere/at/all",)
    scene.obey(ORDER)
    assert scene.ends() == [(False, "command_absent")]


def test_an_order_that_a_kill_cut_short_is_told_as_interrupted(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.spool.begin_order(10, "o1")
    scene.spool.close()
    again = Scene(tmp_path)

    async def start() -> None:
        with anyio.move_on_after(0.5):
            await again.obedience.obey_forever()

    anyio.run(start)
    assert again.ends() == [(False, "interrupted")]
    assert again.obey(ORDER) == "replayed"


def test_a_restore_names_its_file_only_where_the_name_is_known(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db")
    spool.add([], names=[("t1", "/srv/DUPONT.docx")])
    words = command_for(spool, CONFIG)

    def command(task: AnyTask) -> Sequence[str] | None:
        return words(msgspec.structs.replace(ORDER, task=task))

    assert "/srv/DUPONT.docx" in (command(RestoreFile(token="t1", as_of=T0)) or ())
    assert command(RestoreFile(token="t2", as_of=T0)) is None
    assert command(Release()) is not None


def test_orders_go_to_the_guard_s_own_store_and_keep_the_server_s_link(tmp_path: Path) -> None:
    words = command_for(SqliteSpool(tmp_path / "s.db"), CONFIG)
    assert "/held" in (words(ORDER) or ())
    isolate = words(msgspec.structs.replace(ORDER, task=Isolate(minutes=30))) or ()
    assert isolate[isolate.index("--server") + 1] == CONFIG.url
    assert isolate[isolate.index("--care-approved-by") + 1] == "claire"


@pytest.mark.parametrize("count", [1, 5])
def test_orders_handed_on_twice_are_carried_out_once(tmp_path: Path, count: int) -> None:
    scene = Scene(tmp_path)
    orders = [
        seal_order(KEY, msgspec.structs.replace(ORDER, id=f"o{n}", number=n + 1))
        for n in range(count)
    ]

    async def run() -> None:
        for _ in range(3):
            scene.obedience.hand_on(orders)
        with anyio.move_on_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(scene.obedience.obey_forever)
                while len(scene.ends()) < count:  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                tasks.cancel_scope.cancel()

    anyio.run(run)
    assert scene.times() == count
