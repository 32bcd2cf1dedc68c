"""Beside the recovery's command the incident's page says what else it needs, as the vault told it."""

import datetime as dt
import re

import msgspec
import pytest

from releve.flow.server.ingest import take
from releve.model import event as ev
from releve.model.standing import OpeningStanding, PathStanding, Standing
from tests.console.test_incident_pages import Visitor
from tests.server.vaults import ToldVault, add_vault, full_standing
from tests.server.world import Running, batch


@pytest.fixture
def visitor(served: Running) -> Visitor:
    return Visitor(served)


def tell(visitor: Visitor, vault: ToldVault, *openings: OpeningStanding, **facts: object) -> str:
    """The page, once the vault told this of itself."""
    now = visitor.served.context.clock.now()
    base: Standing = full_standing(vault, now)
    told = {"approvers": 3, "paths": (), "openings": openings, "structure": "cabinet-a"}
    vault.tell_standing(msgspec.structs.replace(base, **(told | facts)), now)
    return read(visitor)


def read(visitor: Visitor) -> str:
    """With plain spaces: French signs keep with their word."""
    return re.sub("[\u00a0\u202f]", " ", visitor.page())


def opening(visitor: Visitor, *, opened: bool) -> OpeningStanding:
    ns = int(visitor.served.context.clock.now().timestamp() * 1e9)
    return OpeningStanding(
        id="o-9", host="serveur", incident=visitor.at.rpartition("/")[2], by="Dr Roy",
        path="two_people", approvers=("martin",), asked_ns=ns, opened_ns=ns if opened else 0,
        expires_ns=ns + 3600 * 10**9 if opened else 0, first_read_ns=0,
    )  # fmt: skip


def test_without_a_vault_only_the_command_is_said(visitor: Visitor) -> None:
    page = read(visitor)
    assert "releve recover start DOSSIER" in page
    assert "vault credential" not in page


def test_the_right_that_lacks_is_said_with_who_gives_it(visitor: Visitor) -> None:
    vault = add_vault(visitor.served.store, visitor.hosts[0].structure, "coffre", "cabinet-a")
    incident = visitor.at.rpartition("/")[2]
    page = tell(visitor, vault)
    assert "--right droit.json" in page
    asked = (
        f"releve vault credential open --structure cabinet-a --host serveur --incident {incident}"
    )
    assert asked in page
    assert "Puis deux approbateurs signent" in page
    assert "--agreed" not in page
    agreed = tell(visitor, vault, paths=(PathStanding(name="nuit", host="", until_ns=1),))
    assert "--agreed nuit --key CLÉ-DE-LA-SALLE" in agreed
    assert "Le chemin « nuit » est convenu d’avance" in agreed
    other = tell(visitor, vault, paths=(PathStanding(name="nuit", host="radio", until_ns=1),))
    assert "--agreed" not in other, "agreed for another host"
    nobody = tell(visitor, vault, approvers=1)
    assert "personne ne peut ouvrir ce droit" in nobody
    assert "releve vault approver add NOM" in nobody


def test_a_right_that_is_asked_for_or_open_is_not_asked_for_again(visitor: Visitor) -> None:
    vault = add_vault(visitor.served.store, visitor.hosts[0].structure, "coffre", "cabinet-a")
    waits = tell(visitor, vault, opening(visitor, opened=False))
    assert "releve vault credential approve o-9" in waits
    assert "1 signature sur deux" in waits
    assert "vault credential open" not in waits
    is_open = tell(visitor, vault, opening(visitor, opened=True))
    assert "Le droit de relire est ouvert, jusqu’au" in is_open
    assert "vault credential" not in is_open
    of_another = msgspec.structs.replace(opening(visitor, opened=True), incident="i-other")
    assert "vault credential open" in tell(visitor, vault, of_another)


def test_a_host_whose_backups_nobody_judged_clean_is_named(visitor: Visitor) -> None:
    now, host = visitor.served.context.clock.now(), visitor.hosts[0]
    unjudged = "serveur : aucune sauvegarde n’y est jugée saine"
    assert unjudged not in read(visitor), "nothing is known of its backups"
    ran = ev.BackupRan(seen_at=now, ok=True, ms=9.0)
    take(visitor.served.store, host.structure, host.id, batch(ran, first=20), now)
    assert unjudged in read(visitor)
    clean = msgspec.structs.replace(ran, verdict="clean", clean_at=now - dt.timedelta(hours=1))
    take(visitor.served.store, host.structure, host.id, batch(clean, first=30), now)
    assert unjudged not in read(visitor)


def test_no_command_on_the_page_holds_words_that_a_vault_made_up(visitor: Visitor) -> None:
    """Somebody pastes it into root's shell at night; the vault may be in an attacker's hands."""
    vault = add_vault(visitor.served.store, visitor.hosts[0].structure, "coffre")
    evil = "x$(reboot)\n`id`; curl evil"
    path = PathStanding(name=evil, host="", until_ns=1)
    page = tell(visitor, vault, structure=evil, paths=(path,))
    shown = re.findall(r'<code class="command">(.*?)</code>', page, re.DOTALL)
    assert any("vault credential open --structure STRUCTURE --host serveur" in one for one in shown)
    waits = msgspec.structs.replace(opening(visitor, opened=False), id=evil)
    page = tell(visitor, vault, waits, structure=evil, seq=99)
    shown += re.findall(r'<code class="command">(.*?)</code>', page, re.DOTALL)
    assert any("vault credential approve ID" in one for one in shown)
    assert not [one for one in shown if "reboot" in one or "--agreed" in one]
