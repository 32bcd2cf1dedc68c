"""What pages tell is for who reads them: named, in words of the field, and theirs to do."""

import html
import re

import httpx
import msgspec

from releve.flow.server.assist.telling import ask_from_host
from releve.flow.server.ingest import take
from releve.flow.wire import HelpAsk
from releve.model import event as ev
from releve.model.access import Role
from tests.console.test_pages import sign_in
from tests.server.test_access import browser as of_role
from tests.server.world import Running, add_host, batch, rolled_back, stopped


def attacked(served: Running, name: str = "Cabinet A") -> str:
    """A structure with an attack that was stopped and undone; the incident's id."""
    host = add_host(served.store, "serveur", name)
    now = served.context.clock.now()
    reason = ev.Reason(
        why="Contenu illisible.",
        why_en="Content unreadable.",
        score=5,
        path=ev.HiddenPath(token="xwxmdppn" * 4, extension="dcm"),
    )
    stop = msgspec.structs.replace(stopped("f", now), reasons=(reason,))
    take(served.store, host.structure, host.id, batch(stop, rolled_back("f", now)), now)
    with served.store.unit(host.structure, writes=False) as unit:
        return unit.open_incidents()[0].id


def read(client: httpx.Client, at: str) -> str:
    return html.unescape(client.get(at, headers={"accept-language": "fr"}).text)


def test_how_a_step_is_taken_back_is_no_instruction(served: Running, browser: httpx.Client) -> None:
    sign_in(served, browser)
    text = read(browser, "/playbooks/ransomware")
    assert "Pour revenir en arrière\u00a0: Levez l’isolement." in text
    assert ">Levez l’isolement." not in text


def test_the_day_of_content_is_written_as_people_do(served: Running, browser: httpx.Client) -> None:
    sign_in(served, browser)
    for at in ("/playbooks", "/playbooks/ransomware", "/papers", f"/incidents/{attacked(served)}"):
        text = read(browser, at).split("<main", 1)[1]
        shown = re.sub(r"<[^>]*>", " ", text)
        assert not re.search(r"\b20\d\d-\d\d-\d\d\b", shown), at


def test_tokens_are_said_to_be_tokens_where_they_are_shown(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    text = read(browser, f"/incidents/{attacked(served)}")
    assert "xwxmdppn.dcm</code>" in text
    assert text.index("xwxmdppn.dcm</code>") < text.index("c’est un jeton")


def test_who_cannot_close_an_incident_is_not_told_to(served: Running) -> None:
    attacked(served, "Cabinet")
    told = {role: read(of_role(served, role, "Cabinet"), "/") for role in (Role.LEAD, Role.STAFF)}
    assert "puis clôturez-le" in told[Role.LEAD]
    assert "clôturez-le" not in told[Role.STAFF]
    assert "Vous n’avez rien à faire ici." in told[Role.STAFF]


def test_the_data_protection_officer_is_led_to_the_incident_that_nobody_declared(
    served: Running,
) -> None:
    incident = attacked(served, "Cabinet")
    dpo = of_role(served, Role.DPO, "Cabinet")
    first = read(dpo, "/")
    assert "rien à faire ici" not in first
    assert "À vous de dire si des délais légaux courent." in first
    at, title = f"/incidents/{incident}/obligations", "Incidents dont personne n’a dit"
    page = read(dpo, "/obligations")
    assert title in page
    assert f'href="{at}"' in page
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    dpo.post(at, data={"csrf": csrf[1], "by": "Mme Dupo", "answer.malicious": "no"})
    assert title not in read(dpo, "/obligations")


def test_the_trail_is_in_the_reader_s_language(served: Running) -> None:
    attacked(served, "Cabinet")
    text = read(of_role(served, Role.LEAD, "Cabinet"), "/health")
    trail = text[text.index("Journal d’audit</h2>") :]
    assert "jeton d’inscription créé" in trail
    assert "l’administrateur du serveur" in trail
    for raw in ("<td>admin", "<td>server<", "<td>token/", "<td>lead<", "<td>serious<"):
        assert raw not in trail, raw


def test_what_the_structure_has_to_say_leads_to_settings_and_no_command_is_shown_to_staff(
    served: Running,
) -> None:
    at = attacked(served, "Cabinet")
    lead, staff = of_role(served, Role.LEAD, "Cabinet"), of_role(served, Role.STAFF, "Cabinet")
    for page, part in (
        (f"/incidents/{at}", "services"),
        ("/playbooks/ransomware", "contacts"),
        ("/obligations", "identity"),
    ):
        assert f'href="/settings#{part}"' in read(lead, page), page
        assert "releve structure" not in read(lead, page), page
    assert "par une personne responsable" in read(staff, "/playbooks/ransomware")
    for page in ("/", "/vault", "/playbooks/ransomware"):
        assert 'class="command"' not in read(staff, page), page
    settings = read(lead, "/settings")
    assert 'value="" selected' in settings
    assert "les numéros à appeler" in settings
    assert 'href="#playbooks"' in read(lead, f"/incidents/{at}")


def test_the_desk_and_the_trail_name_a_machine_as_people_do(served: Running) -> None:
    host = add_host(served.store, "serveur-cabinet", "Cabinet")
    wanted = HelpAsk(
        id="call-1", text="Plus rien ne s'ouvre", phone="0299000001", is_blocked=True,
        by="secretaire", at=served.context.clock.now(),
    )  # fmt: skip
    now = served.context.clock.now()
    call = ask_from_host(served.store, host.structure, host.id, wanted, now).request
    lead = of_role(served, Role.LEAD, "Cabinet")
    for page in ("/desk", f"/help/{call}"):
        text = read(lead, page)
        assert "serveur-cabinet" in text, page
        assert host.id not in text, page
    trail = read(lead, "/health")
    trail = trail[trail.index("Journal d’audit</h2>") :]
    assert "machine <strong>serveur-cabinet</strong>" in trail
    assert f'<a href="/help/{call}"><code>{call[:8]}</code></a>' in trail
    assert "compte <strong>" in trail
    assert host.id not in trail
