"""The summary rows of many structures: one that cannot be read keeps nobody else's from being renewed."""

from pathlib import Path

import msgspec

from releve.apps.server import wiring
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.situations import News
from tests.server.vaults import add_vault
from tests.server.world import T0, running


def test_a_bad_row_of_one_structure_keeps_no_other_from_being_summed_up(tmp_path: Path) -> None:
    with running(tmp_path / "server", jobs=False) as served:
        for name in ("a", "b", "c"):
            ensure_structure(served.store, name, name, T0)
        vault = add_vault(served.store, "b", "coffre")
        with served.store.unit("b") as unit:
            unit.put_vault(msgspec.structs.replace(unit.vault(vault.id), standing=b"torn"))
        wiring._renew(served.context, News(served.context.live))
        kept = {}
        for name in ("a", "b", "c"):
            with served.store.unit(name, writes=False) as unit:
                kept[name] = unit.situation() is not None
    assert kept == {"a": True, "b": False, "c": True}
