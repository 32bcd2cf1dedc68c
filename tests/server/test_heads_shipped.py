"""Heads that do not get off the server: the page Santé says so, and `releve audit shipped`."""

import datetime as dt
import html
import json
import re
from pathlib import Path

import httpx
import pytest

from releve.adapters.audit_heads import HeadFolder
from releve.apps.cli import main
from releve.apps.server import wiring
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.enrol import ensure_structure
from releve.model.access import Role
from releve.model.audit import Shipment
from tests.agent.hands import wait_for
from tests.server.test_access import browser
from tests.server.world import T0, Running, running


def health(served: Running, client: httpx.Client, language: str = "fr") -> str:
    text = client.get("/health", headers={"accept-language": language}).text
    return re.sub(r"<[^>]*>", " ", html.unescape(text.split("<main", 1)[1]))


def test_a_folder_that_is_not_there_shows_on_the_page_until_it_is_back(tmp_path: Path) -> None:
    usb = tmp_path / "temoin"
    places = (HeadFolder(usb),)
    store = make_store(Home(tmp_path / "server"))
    ensure_structure(store, "A", "a1", T0)
    with running(tmp_path / "server", store, places=places) as served:
        client = browser(served, Role.LEAD)
        wait_for(served.context.shipments.all, 20)
        wait_for(lambda: "pas transmises depuis" in health(served, client), 20)
        text = health(served, client)
        assert "Le dossier qui garde les têtes signées du journal n’est pas là" in text
        assert "releve audit shipped" in text
        assert str(tmp_path) not in text, "where the operator's disks are is not the structure's"
        assert "not shipped since" in health(served, client, "en")
        usb.mkdir()
        wiring._heads_of_all(served.context, places)
        text = health(served, client)
        assert "complètes, vérifié" in text
        assert "pas transmises" not in text
        client.close()


def test_no_place_is_said_plainly(tmp_path: Path) -> None:
    with running(tmp_path / "server") as served:
        client = browser(served, Role.LEAD)
        assert "aucun lieu choisi" in health(served, client)
        client.close()


def test_the_command_says_which_place_since_when_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usb, home = tmp_path / "temoin", Home(tmp_path / "server")
    store = make_store(home)
    ensure_structure(store, "Cabinet", "c1", T0)
    words = ["audit", "shipped", "--home", str(home.path)]
    assert main.run(words) == 0
    assert "Aucun lieu" in capsys.readouterr().out
    with running(home.path, store, places=[HeadFolder(usb)]):
        wait_for(home.shipments, 20)
    assert main.run(words) == 102
    told = capsys.readouterr()
    assert re.search(rf"Cabinet  {usb}  PAS TRANSMIS depuis le 20.*[+-]..:..", told.out)
    assert "le dossier n'est pas là (dernière fois complet : jamais)" in told.out
    assert "dans la minute" in told.err
    (first,) = home.shipments()
    with running(home.path, store, places=[HeadFolder(usb)]) as served:
        wait_for(served.context.shipments.all, 20)
        wiring._heads_of_all(served.context, (HeadFolder(usb),))
        assert served.context.shipments.all()[0].since == first.since, "a start does not end it"
        usb.mkdir()
        wiring._heads_of_all(served.context, (HeadFolder(usb),))
        home.keep_shipments(served.context.shipments.all())
    capsys.readouterr()
    assert main.run([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["place"], shown["why"], shown["name"]) == (str(usb), "", "Cabinet")
    assert shown["complete_at"]


def test_a_place_that_nobody_looks_at_any_more_is_not_called_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A share that lets the server wait for ever; a server that is off."""
    usb, home = tmp_path / "temoin", Home(tmp_path / "server")
    usb.mkdir()
    store = make_store(home)
    ensure_structure(store, "A", "a1", T0)
    with running(home.path, store, places=[HeadFolder(usb)]) as served:
        client = browser(served, Role.LEAD)
        wait_for(lambda: "complètes, vérifié" in health(served, client), 20)
        wait_for(home.shipments, 20)
        long_ago = served.context.clock.now() - dt.timedelta(minutes=11)
        for one in served.context.shipments.all():
            served.context.shipments.note(one.place, one.structure, long_ago)
        home.keep_shipments(served.context.shipments.all())
        text = health(served, client)
        assert "complètes, vérifié" not in text
        assert "Personne n’a pu vérifier depuis" in text
        client.close()
    assert main.run(["audit", "shipped", "--home", str(home.path)]) == 102
    assert re.search(r"PAS VÉRIFIÉ depuis le 20", capsys.readouterr().out)


def test_a_place_that_is_named_no_more_is_told_of_no_more(tmp_path: Path) -> None:
    home = Home(tmp_path / "server")
    home.make()
    home.keep_shipments([Shipment(place="/mnt/usb", structure="a1", complete_at=T0)])
    store = make_store(home)
    ensure_structure(store, "A", "a1", T0)
    with running(home.path, store):
        wait_for(lambda: not home.shipments(), 20)
