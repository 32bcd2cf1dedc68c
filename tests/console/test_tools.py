"""The page of connected tools: a token is made, shown once, works, and is ended."""

import re

import httpx

from releve.adapters.system import new_id
from releve.model.access import Role
from releve.model.webhook import Webhook
from tests.console.test_access_pages import token
from tests.server.test_access import browser
from tests.server.test_structures_apart import fill
from tests.server.world import Running


def shown(text: str) -> str:
    found = re.search(r"releve_[A-Za-z0-9_-]{43}", text)
    assert found
    return found[0]


def asked(served: Running, secret: str, structure: str, path: str) -> int:
    headers = {"authorization": f"Bearer {secret}"}
    url = f"{served.url}/api/v1/structures/{structure}{path}"
    return httpx.get(url, headers=headers, trust_env=False).status_code


def test_a_token_is_made_shown_once_works_and_is_ended(served: Running) -> None:
    structure = fill(served.store, "A").structure
    lead = browser(served, Role.LEAD)
    lead.headers["accept-language"] = "fr"
    page = lead.get("/tools").text
    assert "Outils reliés" in lead.get("/people").text
    assert "outil chez A" in page
    assert "Arrêté, faute de réponse" in page
    form = {"csrf": token(page), "name": "GLPI <b>", "days": "90", "scope-incidents:read": "on"}
    made = lead.post("/tools", data=form)
    secret = shown(made.text)
    assert "GLPI &lt;b&gt;" in made.text
    assert secret not in lead.get("/tools").text
    assert asked(served, secret, structure, "/incidents") == 200
    assert asked(served, secret, structure, "/hosts") == 403
    ids = set(re.findall(r"/tools/([a-z0-9-]+)/revoke", made.text))
    own = next(one for one in ids if not one.startswith("token-"))
    assert lead.post(f"/tools/{own}/revoke", data={"csrf": token(page)}).status_code == 303
    assert asked(served, secret, structure, "/incidents") == 401
    with served.store.unit(structure, writes=False) as unit:
        told = [(e.actor, e.verb) for e in unit.trail() if e.object == f"api_token/{own}"]
    assert told == [("walker-lead", "revoke"), ("walker-lead", "make")]


def test_a_token_without_name_scope_or_life_is_not_made(served: Running) -> None:
    fill(served.store, "A")
    lead = browser(served, Role.LEAD)
    whole = {
        "csrf": token(lead.get("/tools").text), "name": "x", "days": "30", "scope-hosts:read": "on",
    }  # fmt: skip
    for left_out in ({"name": " "}, {"name": "x" * 101}, {"days": "31"}, {"days": "x"}):
        answer = lead.post("/tools", data=whole | left_out)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "releve_" not in answer.text
    del whole["scope-hosts:read"]
    assert lead.post("/tools", data=whole).status_code == 422
    assert lead.post("/tools", data=whole | {"csrf": "x"}).status_code == 403


def test_who_may_not_connect_tools_does_not(served: Running) -> None:
    fill(served.store, "A")
    for role in (Role.STAFF, Role.DPO, Role.AUDITOR):
        client = browser(served, role)
        assert client.get("/tools").status_code == 403
        assert 'href="/tools"' not in client.get("/people").text


def test_why_an_address_took_nothing_and_who_made_it_are_told_in_words(served: Running) -> None:
    structure, now = fill(served.store, "A").structure, served.context.clock.now()
    whys = ("name", "address", "tls", "unreachable", "time", "status 503")
    with served.store.unit(structure) as unit:
        for why in whys:
            made = Webhook(
                id=new_id(), url=f"https://{why.replace(' ', '')}.example.org/", made_by="admin",
                made_at=now, after=0, failing_since=now, why=why,
            )  # fmt: skip
            unit.add_webhook(made, b"k" * 32)
    lead = browser(served, Role.LEAD)
    lead.headers["accept-language"] = "fr"
    page = lead.get("/tools").text
    assert "fait par l’administrateur du serveur" in page
    assert "le nom de cette adresse n’est pas connu" in page
    assert "l’outil a répondu 503" in page
    assert not [why for why in (*whys, "hook_why") if f"<code>{why}" in page or f">{why}<" in page]
    assert [f"{days}\u00a0jours</option>" in page for days in (30, 90, 365)] == [True] * 3
