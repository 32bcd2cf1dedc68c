"""What vaults tell the server: heads must follow each other, notices become findings, silence is told."""

import datetime as dt
import re

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.sql.store import SqlStore
from releve.apps.console.vault_views import HostRow, vault_page
from releve.detect.vault_findings import NOTICES
from releve.flow.server import vaults
from releve.flow.server.ingest import take
from releve.flow.server.vaults import VaultUnreadableError
from releve.flow.vault import standing as standings
from releve.model import event as ev
from releve.model.finding import Severity
from releve.model.standing import SignedStanding, Standing
from releve.triage.outlook import outlook
from releve.triage.vaults import ToldVault as Told
from tests.server.vaults import ToldVault, add_vault, full_standing, hash_of
from tests.server.world import T0, add_host, batch

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def vault(store: SqlStore) -> ToldVault:
    host = add_host(store, "accueil")
    return add_vault(store, host.structure, "coffre")


def incidents(vault: ToldVault) -> list[str]:
    with vault.store.unit(vault.structure, writes=False) as unit:
        lines = [entry for one in unit.open_incidents(vault.id) for entry in one.timeline]
    return [entry.kind for entry in lines if entry.kind != "call_opened"]


def test_heads_that_follow_each_other_are_all_kept(vault: ToldVault) -> None:
    for seq in (0, 3, 9):
        assert vault.tell_head(seq, T0 + seq * MINUTE) == ""
    with vault.store.unit(vault.structure, writes=False) as unit:
        assert [head.seq for head in unit.vault_heads(vault.id)] == [9, 3, 0]
    seen = vault.seen()
    assert (seen.head.seq, seen.head.hash, seen.broken) == (9, hash_of(9), "")
    assert vault.findings() == []


@pytest.mark.parametrize(
    ("seq", "chain", "why"), [(4, "a", "went_back"), (9, "b", "changed"), (12, "a", "signature")]
)
def test_a_head_that_does_not_follow_is_an_incident_and_changes_nothing(
    vault: ToldVault, seq: int, chain: str, why: str
) -> None:
    vault.tell_head(9)
    key = Ed25519PrivateKey.generate() if why == "signature" else None
    assert vault.tell_head(seq, T0 + MINUTE, chain, key) == why
    assert (vault.seen().head.seq, vault.seen().broken) == (9, why)
    assert incidents(vault) == [f"vault_proof_{why}"]
    with vault.store.unit(vault.structure, writes=False) as unit:
        assert len(unit.vault_heads(vault.id)) == 1
        assert unit.open_incidents(vault.id)[0].severity is Severity.CRITICAL
    vault.tell_head(seq, T0 + 2 * MINUTE, chain, key)
    assert len(incidents(vault)) == 1, "once an hour, not each minute"
    vault.tell_head(seq, T0 + 61 * MINUTE, chain, key)
    assert len(vault.findings()) == 2


def test_a_captured_head_that_is_sent_again_is_no_sign_of_life(vault: ToldVault) -> None:
    vault.tell_head(9, T0)
    body = vault.head(9, T0)
    for minutes in range(1, 8):
        vaults.take_head(vault.store, vault.asking, body, T0 + minutes * MINUTE)
    assert vault.seen().head.received_at == T0
    assert vaults.tell_silence(vault.store, vault.structure, T0 + 7 * MINUTE)
    vault.tell_head(9, T0 + 8 * MINUTE)
    assert vault.seen().head.received_at == T0 + 8 * MINUTE


def test_silence_is_told_once_and_stands_until_the_vault_speaks(vault: ToldVault) -> None:
    vault.tell_head(1, T0)
    late = T0 + 6 * MINUTE
    assert not vaults.tell_silence(vault.store, vault.structure, T0 + 4 * MINUTE)
    assert vaults.tell_silence(vault.store, vault.structure, late)
    assert not vaults.tell_silence(vault.store, vault.structure, late + MINUTE)
    assert vault.findings() == ["vault_silent"]
    told = outlook((), (), 0, late, (Told(vault=vault.seen()),))
    assert (told.state, [c.kind for c in told.concerns]) == ("action", ["vault_silent"])
    vault.tell_head(2, late)
    assert outlook((), (), 0, late, (Told(vault=vault.seen()),)).concerns == ()


def test_no_head_can_be_changed_or_removed_in_the_database(vault: ToldVault) -> None:
    vault.tell_head(1)
    for statement in ("DELETE FROM vault_head", "UPDATE vault_head SET hash = 'x'"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="append-only"),
            vault.store.unit(vault.structure) as unit,
        ):
            unit._connection.execute(sa.text(statement))


def test_a_notice_becomes_a_finding_once_and_a_grave_one_an_incident(vault: ToldVault) -> None:
    facts = {"by": "A. Martin", "host": "srv1", "incident": "I-7", "path": "two_people"}
    assert vault.tell_notice("restore_opened", about="o-1 A. Martin", **facts)
    assert not vault.tell_notice("restore_opened", about="o-1 A. Martin", **facts)
    assert vault.tell_notice("store_fell", T0 + MINUTE, status="-9")
    assert vault.tell_notice(
        "object_missing", T0 + 90 * MINUTE, about="cabinet/srv1/2026-11/data/ab"
    )
    assert sorted(incidents(vault)) == [
        "vault_object_missing", "vault_restore_opened", "vault_store_fell",
    ]  # fmt: skip
    with vault.store.unit(vault.structure, writes=False) as unit:
        opened = [f for f in unit.findings_of(vault.id) if f.kind == "vault_restore_opened"]
    assert "A. Martin" in opened[0].why
    assert "opened by A. Martin for srv1 (by two people" in opened[0].why_en


def test_an_unknown_notice_is_told_and_what_is_no_notice_is_refused(vault: ToldVault) -> None:
    assert vault.tell_notice("something_new", about="x")
    assert vault.findings() == ["vault_something_new"]
    for body in (b"", b"[]", b'{"notice": "x"}', b'{"notice": "", "at_ns": 1}'):
        with pytest.raises(VaultUnreadableError):
            vaults.take_notice(vault.store, vault.asking, body, T0)


def test_no_clear_path_is_kept_of_a_notice(vault: ToldVault) -> None:
    vault.tell_notice("strange", about="/srv/coffre/M. Dupont CR.docx", why="« /home/DUPONT »")
    with vault.store.unit(vault.structure, writes=False) as unit:
        kept = msgspec.json.encode(unit.findings_of(vault.id))
    with vault.store.unit(vault.structure, writes=False) as unit:
        found = unit._connection.execute(sa.text("SELECT body FROM event"))
        rows = b"".join(row[0] for row in found)
    assert b"upont" not in kept + rows
    assert b"DUPONT" not in kept + rows


def test_notices_of_another_structure_on_the_same_vault_are_not_kept(store: SqlStore) -> None:
    host = add_host(store, "accueil")
    vault = add_vault(store, host.structure, "coffre", within="cabinet")
    assert not vault.tell_notice("restore_opened", structure="clinique")
    assert vault.tell_notice("restore_opened", structure="cabinet")
    assert vault.tell_notice("disk_full")


def standing(vault: ToldVault, structure: str = "cabinet", seq: int = 5, at_ns: int = 7):
    return Standing(
        vault="f", name="coffre", structure=structure, at_ns=at_ns, wall_ns=at_ns, seq=seq, hash="h"
    )


def test_only_the_newest_standing_signed_by_the_vault_is_shown(vault: ToldVault) -> None:
    assert vault.tell_standing(standing(vault)) == ""
    assert vault.tell_standing(standing(vault, at_ns=3), T0 + MINUTE) == "", "an old one, again"
    assert vault.seen().standing_at == T0
    assert vault.tell_standing(standing(vault, "clinique", 9)) == "other_structure"
    forged = vault.tell_standing(standing(vault, seq=8), key=Ed25519PrivateKey.generate())
    assert forged == "standing"
    assert incidents(vault) == ["vault_proof_standing"]
    with vault.store.unit(vault.structure, writes=False) as unit:
        kept = msgspec.json.decode(unit.vault(vault.id).standing, type=Standing)
    assert (kept.structure, kept.seq) == ("cabinet", 5)


@pytest.mark.parametrize("field", ["bad_objects", "bytes", "last_snapshot_ns"])
def test_a_figure_that_no_page_could_write_is_no_standing(vault: ToldVault, field: str) -> None:
    """Whoever took the vault over would take the structure's own page from it."""
    vault.tell_head(9320)
    told = msgspec.json.encode(full_standing(vault, T0))
    body = re.sub(b'"%s":[0-9]+' % field.encode(), b'"%s":1%s' % (field.encode(), b"0" * 400), told)
    assert body != told
    signed = SignedStanding(standing=body, signature=vault.key.sign(standings._PREFIX + body))
    taken = vaults.take_standing(vault.store, vault.asking, msgspec.json.encode(signed), T0)
    assert taken == "standing"
    vault_page(vault.store, vault.structure, T0)


def test_the_page_takes_no_proof_for_longer_than_it_holds(vault: ToldVault) -> None:
    vault.tell_head(9320)
    vault.tell_standing(full_standing(vault, T0))

    def immutable(now: dt.datetime) -> list[str]:
        page = vault_page(vault.store, vault.structure, now)
        return [row.copy.name for row in page.vaults[0].copies if row.immutable]

    assert immutable(T0) == ["s3-lyon"]
    assert immutable(T0 + dt.timedelta(days=29)) == []


def test_what_a_standing_shows_to_be_wrong_asks_for_a_person(vault: ToldVault) -> None:
    vault.tell_head(9320)

    def kinds(told: Standing) -> dict[str, int]:
        known = (Told(vault=vault.seen(), standing=told),)
        return {c.kind: c.count for c in outlook((), (), 0, T0, known).concerns}

    whole = full_standing(vault, T0)
    assert kinds(whole) == {
        "vault_bad": 2, "vault_copy_late": 1, "vault_copy_broken": 1, "vault_job_late": 1,
        "vault_disk": 25,
    }  # fmt: skip
    assert whole.room is not None
    for left in (None, 0.0):  # nothing comes in any more: no day is left, and none is foreseen
        room = msgspec.structs.replace(whole.room, level="alarm", free_bytes=0, days_left=left)
        full = kinds(msgspec.structs.replace(whole, room=room))
        assert (full.get("vault_full"), full.get("vault_disk")) == (1, None)
    sound = msgspec.structs.replace(
        whole, hosts=whole.hosts[:1], copies=whole.copies[:2], jobs=whole.jobs[:1], room=None
    )
    assert kinds(sound) == {}


def test_the_loss_of_now_counts_from_what_was_judged_clean_where_that_is_known(
    vault: ToldVault,
) -> None:
    vault.tell_head(9320)
    vault.tell_standing(full_standing(vault, T0))
    host = add_host(vault.store, "Serveur-Fichiers.parc.local")

    def row(*events: ev.AnyEvent, first: int = 1) -> HostRow:
        if events:
            take(vault.store, host.structure, host.id, batch(*events, first=first), T0)
        rows = vault_page(vault.store, vault.structure, T0).hosts
        return next(one for one in rows if one.anchor == "serveur-fichiers")

    assert (row().loss.by, row().mood) == ("vault", "watching")
    ran = ev.BackupRan(seen_at=T0 - MINUTE, ok=True, ms=1)
    assert row(ran).loss.by == "backup"
    clean = msgspec.structs.replace(ran, verdict="clean", clean_at=T0 - 5 * MINUTE)
    told = row(clean, first=2)
    assert (told.loss.by, told.loss.seconds, told.mood) == ("clean", 300, "watching")
    drilled = ev.DrillRan(seen_at=T0, ok=True, drill="d1", all_local_s=9)
    assert row(drilled, first=3).mood == "well"
    harmed = msgspec.structs.replace(ran, ok=False, verdict="bad")
    told = row(harmed, first=4)
    assert (told.loss.seconds, told.mood) == (300, "down"), "what is harmed makes nothing younger"
    anchors = [one.anchor for one in vault_page(vault.store, vault.structure, T0).hosts]
    assert sorted(anchors) == ["accueil", "radiologie", "serveur-fichiers"]


def test_a_removed_vault_is_nobody_and_its_name_is_free(vault: ToldVault) -> None:
    vault.tell_head(1)
    assert vaults.remove(vault.store, vault.structure, "coffre", T0, "admin")
    assert vaults.who(vault.store, vault.token) is None
    assert vaults.who(vault.store, "") is None
    assert not vaults.tell_silence(vault.store, vault.structure, T0 + 60 * MINUTE)
    again = add_vault(vault.store, vault.structure, "coffre")
    assert again.id != vault.id
    with vault.store.unit(vault.structure, writes=False) as unit:
        assert len(unit.vault_heads(vault.id)) == 1, "what it told stays"
        assert [e.verb for e in unit.trail()][:2] == ["enrol", "remove"]
    assert not vaults.remove(vault.store, vault.structure, "autre", T0, "admin")


def test_every_notice_of_the_vault_has_its_row() -> None:
    import re
    from importlib.resources import files

    root = files("releve")
    said = set()
    for room in ("apps/vault", "adapters/vault"):
        for module in root.joinpath(room).iterdir():
            if module.name.endswith(".py"):
                text = module.read_text("utf-8")
                found = re.findall(r'(?:notices\.tell|tell_soon|self\._tell)[,(]\s*"(\w+)"', text)
                said |= set(found)
    said -= {"asked", "opened", "closed", "signed"}  # steps of an opening: restore_…
    assert {"object_bad", "quota_used_up", "clock_stepped"} <= said
    assert said <= NOTICES.keys(), said - NOTICES.keys()
