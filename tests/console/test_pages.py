import datetime as dt
import hashlib
import html
import re
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import httpx
import msgspec
import pyotp
import pytest

from releve.apps.web.assets import templates
from releve.flow.server import signin
from releve.flow.server.assist import rotas
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ingest import take
from releve.flow.server.retention import forget_old_events
from releve.model import event as ev
from releve.model.host import Host
from releve.model.order import Action
from releve.model.structure import CareService, Profile, StructureKind
from tests.server.test_help_live import rota
from tests.server.world import Running, add_host, batch, rolled_back, stopped

HOUR = dt.timedelta(hours=1)
PASSWORD = "une phrase assez longue"
POLICY_WORDS = ("unsafe", "http:", "https:", "*", "data:")


def sign_in(served: Running, browser: httpx.Client, name: str = "Cabinet A") -> str:
    """A session in the client's cookies; its form token."""
    now = served.context.clock.now()
    owner = ensure_structure(served.store, name, "a1", now)
    person = signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    assert person is not None
    opened = signin.open_session(served.store, person, "full", served.context.new_secret, now)
    browser.cookies.set("releve", opened.secret)
    return opened.session.csrf


def test_every_answer_carries_a_strict_policy(served: Running, browser: httpx.Client) -> None:
    served.home.make_setup_code()
    for path in ("/", "/login", "/nothing", "/up", "/api/v1/orders", "/setup"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert not [w for w in POLICY_WORDS if w in policy], path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_pages_load_nothing_from_elsewhere_and_no_style_or_script_is_inline(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    add_host(served.store, "h")
    for path in ("/", "/health", "/incidents", "/login?lang=en"):
        text = browser.get(path).text
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', text)
        assert not re.findall(r"\sstyle=|<style|<script(?![^>]*src=)|\son\w+=", text)
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
            assert browser.get(address).status_code == 200


def test_what_the_trail_says_in_both_languages_the_page_says_in_the_readers(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    store, now, host = served.store, served.context.clock.now(), add_host(served.store, "h")
    long_ago = now - 400 * 24 * HOUR
    take(store, host.structure, host.id, batch(rolled_back("f", long_ago)), long_ago)
    with store.unit(host.structure) as unit:
        for incident in unit.open_incidents():
            unit.put_incident(msgspec.structs.replace(incident, closed_at=now, closed_by="c"))
    assert forget_old_events(store, host.structure, now, 30 * 24 * HOUR)
    rotas.keep(
        store, host.structure, rota(("ali", ("json://127.0.0.1:1/",))), actor="admin", now=now
    )
    with store.unit(host.structure) as unit:
        about = "+1, 2.5 s / 3 structures, 4 min (technicien / technician)"
        unit.record(now, "admin", f"structure/{host.structure}", "onboard", about)
        unit.record(now, "claire", "passkey/k1", "add", "comptes / accounts")
        kept = {entry.detail for entry in unit.trail(most=9)}
    assert {about, "1 personnes / people"} <= kept
    french, english = (browser.get(f"/health?lang={lang}").text for lang in ("fr", "en"))
    told = (
        (">1\xa0étape faite<", ">1\xa0step done<"),  # nothing of the two other structures
        (">1\xa0personne<", ">1\xa0person<"),
        ("1\xa0événement et 1\xa0constat d’avant le", "1\xa0event and 1\xa0finding from before"),
    )  # fmt: skip
    for of_french, of_english in told:
        assert of_french in french
        assert of_french not in english
        assert of_english in english
        assert of_english not in french
    assert "comptes / accounts" in french, "a person's own words"


def test_a_bar_of_nothing_is_empty_and_one_of_little_is_seen() -> None:
    bar = templates("releve.apps.console").get_template("_parts.html").module.bar
    drawn = [re.findall(r'width="([^"]+)"', bar(value, 60, "x"))[1] for value in (0, 0.1, 30, 99)]
    assert [float(width) for width in drawn] == [0, 2, 50, 100]


def test_vendored_files_are_the_ones_that_were_reviewed() -> None:
    folder = files("releve.apps.console") / "static" / "vendor"
    rows = (folder / "SHA256SUMS").read_text().split("\n")
    listed = dict(reversed(row.split()) for row in rows if row)
    found = {f.name for f in folder.iterdir() if f.name.endswith(".js")}
    assert found == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_first_start_needs_the_code_of_the_server(
    served: Running, browser: httpx.Client
) -> None:
    code = served.home.make_setup_code()
    form = {
        "code": "AAAA-AAAA-AAAA-AAAA",
        "structure": "Cabinet",
        "login": "claire",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    assert str(browser.get("/").url).endswith("/setup")
    assert browser.post("/setup", data=form).status_code == 422
    short = {**form, "code": code, "password": "court", "again": "court"}
    assert "12 caractères" in browser.post("/setup", data=short).text
    assert not served.store.has_people()
    done = browser.post("/setup", data={**form, "code": code.lower().replace("-", " ")})
    assert str(done.url).endswith("/enrol")
    # Whoever comes second is not let in, though the code is still there until the end.
    other = httpx.Client(base_url=served.url, trust_env=False, timeout=30)
    assert other.post("/setup", data={**form, "code": code, "login": "x"}).status_code == 303
    assert len(served.store.structures()) == 1


def test_signing_in_takes_password_and_second_factor(
    served: Running, browser: httpx.Client
) -> None:
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "Cabinet", "a1", now)
    person = signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    assert person is not None
    page = browser.post("/login", data={"login": "claire", "password": PASSWORD})
    assert str(page.url).endswith("/enrol")
    assert "<svg" in page.text
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert csrf is not None
    totp = pyotp.TOTP(person.totp_secret)
    wrong = browser.post("/enrol", data={"csrf": csrf[1], "code": "000000"})
    assert wrong.status_code == 422
    before = browser.cookies["releve"]
    done = browser.post("/enrol", data={"csrf": csrf[1], "code": totp.now()})
    assert len(re.findall(r"<li><code>", done.text)) == signin.RECOVERY_CODES
    assert browser.cookies["releve"] != before
    codes = re.findall(r"<li><code>([\w-]+)", done.text)
    browser.cookies.clear()
    page = browser.post("/login", data={"login": "claire", "password": PASSWORD})
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert csrf is not None
    assert str(browser.get("/").url).endswith("/login/second")
    home = browser.post("/login/second", data={"csrf": csrf[1], "code": codes[0]})
    assert str(home.url) == f"{served.url}/"


def test_cookies_are_for_the_server_only(served: Running, browser: httpx.Client) -> None:
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "Cabinet", "a1", now)
    signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    form = {"login": "claire", "password": PASSWORD}
    answer = browser.post("/login", data=form, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_many_wrong_passwords_have_to_wait(served: Running, browser: httpx.Client) -> None:
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "Cabinet", "a1", now)
    signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    for _ in range(5):
        text = browser.post("/login", data={"login": "claire", "password": "wrong"}).text
        assert "incorrect" in text
    text = browser.post("/login", data={"login": "claire", "password": PASSWORD}).text
    assert "Trop d’essais" in html.unescape(text)


def from_address(served: Running, address: str) -> httpx.Client:
    """A browser on another machine, as the server sees it."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=served.url, trust_env=False, timeout=30, transport=transport)


def test_a_stranger_who_tries_a_login_locks_himself_out_and_not_its_owner(
    served: Running,
) -> None:
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "Cabinet", "a1", now)
    person = signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    assert person is not None
    right, wrong = ({"login": "claire", "password": p} for p in (PASSWORD, "wrong"))
    stranger, doctor = from_address(served, "127.0.0.7"), from_address(served, "127.0.0.8")
    with stranger, doctor:
        said = [stranger.post("/login", data=wrong).status_code for _ in range(5)]
        assert said == [422] * 5
        assert "Trop d’essais" in html.unescape(stranger.post("/login", data=right).text)
        assert doctor.post("/login", data=right).status_code == 303


def test_tries_from_many_addresses_make_a_login_slow_and_lock_nobody_out(
    served: Running,
) -> None:
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "Cabinet", "a1", now)
    person = signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    other = signin.create_person(served.store, owner, "paul", PASSWORD, "p2", now)
    assert person is not None
    assert other is not None
    for n in range(20, 33):
        with from_address(served, f"127.0.0.{n}") as stranger:
            answer = stranger.post("/login", data={"login": "claire", "password": "wrong"})
            assert answer.status_code == 422
    with from_address(served, "127.0.0.8") as doctor:
        begun = time.monotonic()
        answer = doctor.post("/login", data={"login": "Claire", "password": PASSWORD})
        assert answer.status_code == 303
        assert 2 <= time.monotonic() - begun < 10
        assert signin.slowness(served.store, "claire", served.context.clock.now()) >= 2
        begun = time.monotonic()
        answer = doctor.post("/login", data={"login": "paul", "password": PASSWORD})
        assert answer.status_code == 303
        assert time.monotonic() - begun < 1.5


def test_a_flood_of_tries_at_once_counts_every_one(served: Running) -> None:
    now = served.context.clock.now()
    owner = ensure_structure(served.store, "Cabinet", "a1", now)
    signin.create_person(served.store, owner, "claire", PASSWORD, "p1", now)
    with from_address(served, "127.0.0.9") as stranger, ThreadPoolExecutor(12) as many:
        wrong = {"login": "claire", "password": "wrong"}
        texts = list(many.map(lambda _: stranger.post("/login", data=wrong).text, range(12)))
        # The wait counts from when a try came: a busy machine may have used up the first of 5 s.
        after = [stranger.post("/login", data=wrong).text for _ in range(4)]
    assert 5 <= sum("incorrect" in text for text in texts) <= 6
    assert "incorrect" not in after[-1]


def test_a_form_from_elsewhere_changes_nothing(served: Running, browser: httpx.Client) -> None:
    csrf = sign_in(served, browser)
    host = add_host(served.store, "h", care=False)
    path, form = f"/hosts/{host.id}/ask", {"task": "isolate", "csrf": csrf}
    assert browser.post(path, data={"task": "isolate"}).status_code == 403
    assert browser.post(path, data={**form, "csrf": "x" * 64}).status_code == 403
    for headers in (
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ):
        assert browser.post(path, data=form, headers=headers).status_code == 403


def test_isolating_a_host_that_carries_care_waits_for_approval(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    care = add_host(served.store, "soins")
    browser.post(f"/hosts/{care.id}/ask", data={"task": "isolate", "csrf": csrf})
    with served.store.unit(care.structure, writes=False) as unit:
        (proposal,) = unit.actions(state="proposed")
    text = html.unescape(browser.get("/").text)
    assert "Action requise" in text
    assert "Personne n’a encore dit si des soins dépendent de ce poste" in text
    assert "Ce poste participe aux soins" not in text
    service = CareService(id="soins", name="Consultations", hosts=("Soins",))
    told = Profile(kind=StructureKind.PRACTICE, legal_name="Cabinet A", services=(service,))
    with served.store.unit(care.structure) as unit:
        unit.put_profile(told)
    text = html.unescape(browser.get("/").text)
    assert "Ce poste participe aux soins" in text
    assert "Personne n’a encore dit" not in text
    browser.post(f"/actions/{proposal.action.id}/approve", data={"csrf": csrf})
    with served.store.unit(care.structure, writes=False) as unit:
        assert {r.action.state for r in unit.actions()} == {"sent"}
        assert unit.trail(most=1)[0].verb == "isolate"


def test_one_host_after_the_other_is_a_mass_action_that_two_people_agree_to(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    first, second = (add_host(served.store, name, care=False) for name in ("bureau", "accueil"))

    def ask(host: Host, task: str) -> Action:
        browser.post(f"/hosts/{host.id}/ask", data={"task": task, "csrf": csrf})
        with served.store.unit(host.structure, writes=False) as unit:
            return next(r.action for r in unit.actions() if r.action.host == host.id)

    assert ask(first, "isolate").state == "sent"
    waiting = ask(second, "isolate")
    assert (waiting.state, waiting.people, waiting.agreed_by) == ("proposed", 2, ())
    text = html.unescape(browser.get("/").text).replace("\xa0", " ")
    assert "2 personnes différentes doivent être d’accord, car plusieurs postes" in text
    browser.post(f"/actions/{waiting.id}/approve", data={"csrf": csrf})
    browser.post(f"/actions/{waiting.id}/approve", data={"csrf": csrf})  # once more is nobody else
    with served.store.unit(second.structure, writes=False) as unit:
        record = unit.action(waiting.id)
    assert record is not None
    assert (record.action.state, record.action.agreed_by) == ("proposed", ("claire",))
    assert ask(first, "release").state == "sent"  # letting go is no mass action


def test_an_incident_is_told_with_its_reasons_and_closed(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    host = add_host(served.store, "h")
    now = served.context.clock.now()
    one = batch(stopped("f", now), rolled_back("f", now))
    take(served.store, host.structure, host.id, one, now)
    text = html.unescape(browser.get("/").text)
    assert "Attaque arrêtée" in text
    assert "Contenu illisible." in text
    with served.store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
    english = browser.get(f"/incidents/{incident.id}?lang=en").text
    assert "Content unreadable." in english
    assert "Content unreadable." in browser.get(f"/incidents/{incident.id}").text  # remembered
    address = f"/incidents/{incident.id}/close"
    assert browser.post(address, data={"csrf": csrf}).status_code == 422  # not without a reason
    browser.post(address, data={"csrf": csrf, "why": "relu"})
    with served.store.unit(host.structure, writes=False) as unit:
        assert unit.open_incidents() == []
        assert unit.incidents()[0].closed_by == "claire"


@pytest.mark.parametrize(("program", "is_offered"), [("gpg", True), ("(auteur inconnu)", False)])
def test_only_a_program_that_is_known_can_be_ended(
    served: Running, browser: httpx.Client, program: str, *, is_offered: bool
) -> None:
    sign_in(served, browser)
    host, now = add_host(served.store, "h"), served.context.clock.now()
    seen = msgspec.structs.replace(stopped("f", now, "none"), program=program)
    take(served.store, host.structure, host.id, batch(seen), now)
    with served.store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
    page = browser.get(f"/incidents/{incident.id}").text
    assert program in html.unescape(page)
    assert ('name="task" value="stop"' in page) is is_offered


def test_the_figures_of_an_incident_are_named_apart(served: Running, browser: httpx.Client) -> None:
    """A rollback undoes more than was seen touched when the program was stopped."""
    sign_in(served, browser)
    host = add_host(served.store, "h")
    now = served.context.clock.now()
    back = msgspec.structs.replace(rolled_back("f", now), restored=6)
    later = now + dt.timedelta(seconds=74)
    again = (stopped("g", later), rolled_back("g", later))
    told = batch(stopped("f", now), back, *again)
    take(served.store, host.structure, host.id, told, later)
    with served.store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
    text = html.unescape(browser.get(f"/incidents/{incident.id}").text)
    for said in (
        "Vus touchés à l’arrêt",
        "la remise en état trouve et défait la suite",
        "Rétablis en tout",
        "3\u00a0fichiers vus touchés à cet instant.",
        "2 attaques\u00a0: la dernière est arrêtée",
        "Réaction la plus lente",
    ):
        assert said in text, said


def test_what_would_have_been_stopped_is_listed_until_reviewed(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    host, now = add_host(served.store, "h"), served.context.clock.now()
    one = batch(stopped("f", now, "would_stop"))
    take(served.store, host.structure, host.id, one, now)
    assert "Aurait été arrêté" in html.unescape(browser.get("/").text)
    browser.post("/would-stop/review", data={"csrf": csrf})
    assert "Aurait été arrêté" not in html.unescape(browser.get("/").text)


def test_names_from_a_host_cannot_become_markup(served: Running, browser: httpx.Client) -> None:
    sign_in(served, browser)
    host = add_host(served.store, "<script>alert(1)</script>")
    now = served.context.clock.now()
    take(served.store, host.structure, host.id, batch(stopped("<b>", now)), now)
    assert "<script>alert" not in browser.get("/").text


def test_signing_out_ends_the_session_and_its_live_page(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    assert "Cabinet A" in browser.get("/").text
    browser.post("/logout", data={"csrf": csrf})
    sse = {"accept": "text/event-stream"}
    assert browser.get("/live", headers=sse).status_code == 401
    assert str(browser.get("/").url).endswith("/login")


def test_the_live_page_s_scripts_are_not_deferred(served: Running, browser: httpx.Client) -> None:
    """Deferred, htmx at times starts before its extension is loaded, and the page never is live."""
    sign_in(served, browser)
    scripts = re.findall(r"<script[^>]*>", browser.get("/").text)
    assert len(scripts) == 5
    assert not [s for s in scripts if "defer" in s or "async" in s]


def test_a_host_that_is_cut_says_since_when_by_whom_and_until_when_and_no_longer_after(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    host = add_host(served.store, "accueil")
    now = served.context.clock.now()
    cut = ev.HostIsolated(seen_at=now, since=now, until=now + HOUR, by="dr.martin")
    take(served.store, host.structure, host.id, batch(cut), now)
    text = re.sub(r"<[^>]+>", "", browser.get("/").text)
    assert re.search(r"Isolé du réseau depuis le .{8,30}, par dr\.martin\. Se lèvera seul", text)
    english = re.sub(r"<[^>]+>", "", browser.get("/?lang=en").text)
    assert re.search(r"Isolated from the network since .{8,30}, by dr\.martin\. It lifts", english)

    by_hand = ev.HostIsolated(seen_at=now, since=now - HOUR, until=now - HOUR / 2)
    take(served.store, host.structure, host.id, batch(by_hand, first=2), now)
    assert "Isolated from the network" not in browser.get("/?lang=en").text  # its end has passed
    take(served.store, host.structure, host.id, batch(cut, first=3), now)
    assert "Isolated from the network" in browser.get("/").text
    take(served.store, host.structure, host.id, batch(ev.HostReleased(seen_at=now), first=4), now)
    assert "Isolated from the network" not in browser.get("/").text


def test_a_frozen_family_that_ended_asks_for_no_action_any_more(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, browser)
    host = add_host(served.store, "serveur-fichiers")
    now = served.context.clock.now()
    ready = ev.GuardReady(seen_at=now, folders=(), enforce=True)
    frozen = (ready, stopped("f1", now, "frozen"), rolled_back("f1", now))
    take(served.store, host.structure, host.id, batch(*frozen), now)
    text = html.unescape(browser.get("/").text)
    assert "Action requise" in text
    assert "Suspendu" in text
    assert 'name="task" value="thaw"' in text
    ended = ev.GuardAlerted(
        seen_at=now, alert="family_ended", family="f1", why="ne tourne plus", why_en="runs no more"
    )
    take(served.store, host.structure, host.id, batch(ended, first=4), now)
    text = html.unescape(browser.get("/").text)
    assert "Action requise" not in text
    assert "Attaque arrêtée" in text
    assert "Suspendu" not in text
    assert 'value="thaw"' not in text
    assert '<span class="pill act-ended">Terminé</span>' in text
