"""Pages offer only what one may do: every form and link that they show is followed, as each role."""

import html
import re
from html.parser import HTMLParser

import httpx
import pytest

from releve.apps.console.verbs import VERBS, verb_at
from releve.flow.server import access, circles
from releve.flow.server.ingest import take
from releve.model import event as ev
from releve.model.access import Role
from releve.model.circle import CircleKind
from tests.server.test_access import browser
from tests.server.test_structures_apart import fill
from tests.server.world import Running, add_host, batch

# What a page of each role must offer, so that a walk over empty pages proves nothing.
OFFERS = {
    Role.LEAD: {"/people/op{host}/end", "/settings/identity", "/settings/circles/beta/join"},
    Role.OPERATOR: {"/settings/contacts", "/hosts/{host}/ask"},
    Role.STAFF: {"/help"},
    Role.DPO: {"/incidents/{case}/obligations", "/help"},
    Role.AUDITOR: set(),
    Role.GROUP: set(),
    Role.INSURER: set(),
}
_DRAWN = ("/pdf", "/docx", "/sheet.pdf", "/fr.pdf", "/en.pdf")
_LEAVES = ("/logout", "/account/sessions/end")


class Offered(HTMLParser):
    """The links and forms of a page, with what the forms hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "a" and facts.get("href", "").startswith("/"):
            self.links.add(facts["href"])
        if facts.get("hx-sse:connect"):
            self.links.add(facts["hx-sse:connect"])
        if tag == "form" and facts["method"] == "get":  # it changes nothing: a link with words
            self.links.add(facts["action"])
            self._form = {}
        elif tag == "form":
            assert facts["method"] == "post"
            self._form = self.forms.setdefault(facts["action"], {})
        if tag in ("input", "select", "textarea") and facts.get("name"):
            self._form[facts["name"]] = facts.get("value", "")


def walk(client: httpx.Client, start: set[str]) -> tuple[set[str], dict[str, dict[str, str]]]:
    """Every page that links lead to from these on; every form on the way."""
    waiting, seen = set(start), set[str]()
    forms: dict[str, dict[str, str]] = {}
    while waiting:
        at = waiting.pop().partition("#")[0]
        # Of the files that are drawn for each question, one of each kind: they take seconds.
        known = at.rpartition("/")[2] if at.endswith(_DRAWN) else at
        if known in seen or at.startswith("/static/"):
            continue
        seen.add(known)
        with client.stream("GET", at) as answer:
            assert answer.status_code != 403, at
            assert answer.status_code < 500, at
            kind = answer.headers.get("content-type", "")
            if "location" in answer.headers:
                waiting.add(answer.headers["location"])
            elif "event-stream" in kind:
                text = next(answer.iter_text()).replace("data: ", "")
            elif "html" in kind:
                text = answer.read().decode()
            else:
                continue
        if "location" not in answer.headers:
            found = Offered(text)
            waiting |= found.links
            forms |= found.forms
    return seen, forms


def status(client: httpx.Client, path: str) -> int:
    """Without waiting for the end of a page that is live."""
    with client.stream("GET", path) as answer:
        return answer.status_code


@pytest.mark.timeout(240)
@pytest.mark.parametrize("role", list(Role))
def test_each_form_and_link_that_a_role_is_shown_is_open_to_it(role: Role, served: Running) -> None:
    host = fill(served.store, "A")
    now = served.context.clock.now()
    circles.make(served.store, "Beta", CircleKind.INSURER, identity="beta", actor="admin", now=now)
    with served.store.unit(host.structure) as unit:
        (case,) = unit.incidents()
    client = browser(served, role)
    addresses = [row.removeprefix("GET ") for row in VERBS if row.startswith("GET ")]
    # Known by heart, not by a link: what answers there offers only what one may do too.
    open_ = {at for at in addresses if "{" not in at and status(client, at) == 200}
    pages, forms = walk(client, {"/", *open_})
    wanted = {at.format(host=host.id, case=case.id) for at in OFFERS[role]}
    assert wanted <= set(forms)
    for action, fields in sorted(forms.items(), key=lambda f: f[0] in _LEAVES):
        assert action == "/logout" or verb_at("POST", action) is not None, action
        csrf = {"csrf": client.headers["x-csrf"]}
        answer = client.post(action, data=fields | csrf | {"task": "isolate"})
        assert answer.status_code != 403, (role, action)
        assert answer.status_code < 500, (role, action)
        if action == "/structures":
            return  # nothing was chosen
    assert len(pages) > 1


def test_who_asked_is_not_offered_to_take_the_own_call(served: Running) -> None:
    fill(served.store, "A")
    lead = browser(served, Role.LEAD)
    form = {"csrf": lead.headers["x-csrf"], "text": "Écran noir"}
    at = lead.post("/help", data=form).headers["location"]
    assert f"{at}/take" not in lead.get(at).text
    assert f"{at}/take" not in lead.get("/desk").text
    operator = browser(served, Role.OPERATOR)
    assert f"{at}/take" in operator.get(at).text
    assert f"{at}/take" in operator.get("/desk").text


def test_the_situation_is_in_the_navigation_of_who_may_see_several(served: Running) -> None:
    lead, operator = browser(served, Role.LEAD), browser(served, Role.OPERATOR)
    assert 'href="/situation"' not in lead.get("/").text
    assert 'href="/situation"' in operator.get("/help").text
    far = fill(served.store, "Loin")
    who = served.store.person_by_login("walker-lead")
    assert who is not None
    with served.store.unit(far.structure) as unit:
        access.give(unit, who, Role.OPERATOR, actor="admin", now=served.context.clock.now())
    assert 'href="/situation"' in lead.get("/").text


def test_changing_structure_is_offered_to_who_has_another_one(served: Running) -> None:
    lead = browser(served, Role.LEAD)
    change = 'href="/structures"'
    for at in ("/", "/account", "/structures"):
        assert change not in lead.get(at).text
    assert change not in lead.get("/group").text  # the page that says no
    far = fill(served.store, "Loin")
    who = served.store.person_by_login("walker-lead")
    assert who is not None
    now = served.context.clock.now()
    with served.store.unit(far.structure) as unit:
        access.give(unit, who, Role.DPO, actor="admin", now=now)
    assert change in lead.get("/").text
    chosen = {"csrf": lead.headers["x-csrf"], "structure": far.structure, "reason": ""}
    come = lead.post("/structures", data=chosen)
    lead.cookies.set("releve", come.cookies["releve"])
    assert change in lead.get("/obligations").text  # there, the way home
    assert change not in browser(served, Role.STAFF).get("/").text


def test_a_doctor_reads_the_window_in_words_and_an_operator_its_figure(served: Running) -> None:
    host = add_host(served.store, "serveur", "A")
    now = served.context.clock.now()
    folder = ev.FolderFacts(
        folder="k1:a", label="1", mode="copy", attribution="exact", room_bytes=1, held_bytes=1
    )
    window = ev.WindowMeasured(
        seen_at=now, folder="k1:a", saves=250, p50_ms=3, p99_ms=420, worst_ms=900, held_bytes=1,
        room_bytes=1,
    )  # fmt: skip
    told = batch(ev.GuardReady(seen_at=now, folders=(folder,), enforce=True), window)
    take(served.store, host.structure, host.id, told, now)
    lead, operator = browser(served, Role.LEAD), browser(served, Role.OPERATOR)
    french, english = (
        html.unescape(lead.get(f"/?lang={lang}").text).replace("\xa0", " ") for lang in ("fr", "en")
    )
    assert (
        "Un fichier enregistré est tenu à l’abri</dt><dd>99 fois sur 100 en 0,42 s au plus"
        in french
    )
    assert "sur 250 enregistrements" in french
    assert "A saved file is held safe</dt><dd>99 times out of 100 within 0.42 s" in english
    assert "p99" not in french + english
    exact = html.unescape(operator.get("/?lang=fr").text).replace("\xa0", " ")
    assert "Fenêtre de garde, 99 fois sur 100</dt><dd>420 ms" in exact
    assert "99 fois sur 100 en" not in exact


def test_a_dossier_is_shown_as_signed_once_it_is(served: Running) -> None:
    host = fill(served.store, "A")
    lead = browser(served, Role.LEAD)
    lead.headers["accept-language"] = "fr"
    lead.follow_redirects = True
    with served.store.unit(host.structure) as unit:
        (case,) = unit.incidents()
    at, csrf = f"/incidents/{case.id}", {"csrf": lead.headers["x-csrf"]}
    lead.post(f"{at}/dossiers/cnil-initial/make", data=csrf)
    signed = '<span class="pill mood-well">Signé</span>'
    assert signed not in lead.get(f"{at}/obligations").text
    page = lead.get(f"{at}/dossiers/cnil-initial").text
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    form = csrf | {"name": "Dr Martin", "role": "gérante", "version": version[1]}
    lead.post(f"{at}/dossiers/cnil-initial/sign", data=form)
    assert signed in lead.get(f"{at}/obligations").text
    other = lead.get(f"{at}/obligations").text
    assert other.count(signed) == 1


@pytest.mark.parametrize("role", [Role.GROUP, Role.INSURER])
def test_who_compares_comes_to_the_own_page_and_to_no_page_of_care(
    served: Running, role: Role
) -> None:
    fill(served.store, "A")
    client = browser(served, role, "Siège")
    assert client.get("/").headers["location"] == f"/{role.value}"
    page = client.get(f"/{role.value}").text
    nav = page[page.index("<nav") : page.index("</nav>")]
    assert re.findall(r'href="([^"]+)"', nav) == [f"/{role.value}"]
    assert client.get("/vault").status_code == 403


def test_every_row_of_the_table_is_found_by_its_address() -> None:
    for row, verb in VERBS.items():
        method, _, path = row.partition(" ")
        assert verb_at(method, re.sub(r"\{\w+:str\}", "x-1", path) + "?a=b#c") is verb
    assert verb_at("GET", "/nowhere") is None
