"""Commands are for who looks after the machines: a doctor reads plain words, and finds them folded."""

import html
import re

import httpx
import pytest

from releve.flow.server import situations
from releve.model.access import Role
from releve.model.posture import Posture
from tests.console.test_accessible import busy
from tests.console.test_pages import sign_in
from tests.server.test_access import browser
from tests.server.world import Running

PAGES = ("/vault", "/posture")
FOLDED = re.compile(r'<details class="for-it">.*?</details>', re.DOTALL)


@pytest.fixture
def known(served: Running, browser: httpx.Client) -> Running:
    """A structure with hosts, a vault that told something, and days."""
    sign_in(served, browser)
    busy(served)
    now = served.context.clock.now()
    with served.store.unit(served.store.structures()[0].id) as unit:
        situations.keep(unit, now)
    return served


def read(served: Running, role: Role, at: str, language: str = "fr") -> str:
    name = served.store.structures()[0].name
    with browser(served, role, name) as client:
        text = client.get(at, params={"lang": language}).text
    body = text[text.index("<main") : text.index("</main>")]
    return html.unescape(body).replace("\xa0", " ")


def open_commands(text: str) -> list[str]:
    return re.findall(r"releve [a-z]+[^<]*", FOLDED.sub("", text))


@pytest.mark.parametrize("at", PAGES)
def test_the_provider_reads_the_commands_at_once(known: Running, at: str) -> None:
    text = read(known, Role.OPERATOR, at)
    assert open_commands(text)
    assert not FOLDED.search(text)


@pytest.mark.parametrize("at", PAGES)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_lead_reads_plain_words_with_the_commands_folded(
    known: Running, at: str, language: str
) -> None:
    text = read(known, Role.LEAD, at, language)
    assert FOLDED.search(text)
    assert open_commands(text) == []
    assert "RPO" not in text


@pytest.mark.parametrize("at", PAGES)
@pytest.mark.parametrize("role", [Role.STAFF, Role.DPO, Role.AUDITOR])
def test_who_sets_no_machine_up_reads_none(known: Running, at: str, role: Role) -> None:
    text = read(known, role, at)
    assert "releve " not in text
    assert "Pour l’informatique" not in text


def test_guards_are_counted_in_a_sentence(served: Running, browser: httpx.Client) -> None:
    sign_in(served, browser)
    structure, today = served.store.structures()[0].id, served.context.clock.now().date()
    for hosts, guarded, watching, down, said in (
        (2, 0, 1, 1, "aucun des 2 postes n’est gardé · 1 gardien observe seulement"),
        (1, 0, 0, 1, "le poste n’est pas gardé · 1 gardien ne tourne pas"),
        (3, 1, 0, 2, "1 poste gardé sur 3 · 2 gardiens ne tournent pas"),
        (3, 3, 0, 0, "3 postes gardés sur 3"),
    ):
        day = today.replace(day=hosts * 4 + guarded)
        with served.store.unit(structure) as unit:
            for one in (day, day.replace(day=day.day + 1)):
                unit.put_posture(
                    Posture(day=one, hosts=hosts, guarded=guarded, watching=watching, down=down)
                )
        text = browser.get("/posture?lang=fr").text
        plain = html.unescape(re.sub(r"</?strong[^>]*>", "", text)).replace("\xa0", " ")
        assert said in plain
        assert "0 sur" not in plain


def test_a_lost_file_is_asked_for_with_a_number_to_call_back(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    page = browser.get("/help/file").text
    assert '<label for="phone">' in page
    form = {"csrf": csrf, "blocked": "no", "text": "La lettre de Mme D", "phone": "02 99 00 00 07"}
    assert 'name="phone"' in page
    assert browser.post("/help", data=form).status_code in (200, 303)
    with served.store.unit(served.store.structures()[0].id, writes=False) as unit:
        (asked,) = unit.help_requests(is_open=True)
    assert asked.phone == "02 99 00 00 07"
