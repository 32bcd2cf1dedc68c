"""Ways in over HTTP: the session at each stage, printed codes and their notice, forms of others."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import pyotp
import pytest

from releve.flow.server import signin
from tests.console.test_pages import PASSWORD, sign_in
from tests.server.test_break_glass import sheet_of
from tests.server.world import Running


@pytest.fixture
def browser(served: Running) -> Iterator[httpx.Client]:
    headers = {"accept-language": "fr"}
    with httpx.Client(
        base_url=served.url, trust_env=False, timeout=30, follow_redirects=True, headers=headers
    ) as client:
        yield client


def csrf_of(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert found is not None
    return found[1]


def account_of(served: Running) -> pyotp.TOTP:
    """The second factor of Claire, shown to work at a time of before."""
    with served.store.unit("a1") as unit:
        person = unit.person("p1")
        assert person is not None
        unit.put_person(msgspec.structs.replace(person, totp_confirmed=True))
    return pyotp.TOTP(person.totp_secret)


def test_codes_sent_at_once_are_no_more_tries_than_one_after_the_other(
    served: Running, browser: httpx.Client
) -> None:
    """From one address five are free, and each that is looked at is answered as wrong."""
    sign_in(served, httpx.Client())
    totp = account_of(served)
    page = browser.post("/login", data={"login": "claire", "password": PASSWORD})
    csrf, many, ready = csrf_of(page), 60, threading.Barrier(60)

    def send(n: int) -> str:
        with httpx.Client(
            base_url=served.url, trust_env=False, timeout=60, cookies=browser.cookies
        ) as own:
            ready.wait(30)
            return own.post("/login/second", data={"csrf": csrf, "code": f"{n:06}x"}).text

    with ThreadPoolExecutor(many) as pool:
        texts = list(pool.map(send, range(many)))
    # A busy machine may have let the first wait of 5 s pass before the last one came.
    assert 5 <= sum("Trop d" not in text and "Too many" not in text for text in texts) <= 6
    known = served.store.attempts(signin.second_key("claire"))
    assert known is not None
    assert 5 <= known.count <= 6
    right = browser.post("/login/second", data={"csrf": csrf, "code": totp.now()})
    assert "Trop d" in right.text


def codes_of(served: Running) -> tuple[str, ...]:
    person = served.store.person_by_login("claire")
    assert person is not None
    return sheet_of(served.store, person)


def test_the_session_is_another_one_at_each_stage_whatever_the_browser_brought(
    served: Running, browser: httpx.Client
) -> None:
    sign_in(served, httpx.Client())
    totp, seen = account_of(served), ["planted-by-somebody-else"]
    browser.cookies.set("releve", seen[0], domain="127.0.0.1")
    page = browser.post("/login", data={"login": "claire", "password": PASSWORD})
    seen.append(browser.cookies["releve"])
    browser.post("/login/second", data={"csrf": csrf_of(page), "code": totp.now()})
    seen.append(browser.cookies["releve"])
    assert browser.get("/account").status_code == 200
    assert len(set(seen)) == 3
    now = served.context.clock.now()
    assert signin.session_of(served.store, seen[0], now) is None
    assert signin.session_of(served.store, seen[1], now) is None
    session = signin.session_of(served.store, seen[2], now)
    assert session is not None
    assert session.stage == "full"


def test_a_printed_code_opens_and_everybody_is_told_until_another_says_so(
    served: Running, browser: httpx.Client
) -> None:
    other = httpx.Client(base_url=served.url, trust_env=False, timeout=30, follow_redirects=True)
    other.headers["accept-language"] = "fr"
    csrf = sign_in(served, other)
    code = codes_of(served)[0]
    before = other.get("/").text
    assert "Entrée par code d’urgence" not in before
    home = browser.post("/login/break-glass", data={"login": "Claire", "code": code.upper()})
    assert str(home.url) == f"{served.url}/"
    for page in (home, other.get("/")):
        assert "Entrée par code d’urgence" in page.text
        assert "Action requise" in page.text
    own = csrf_of(home)
    assert browser.post("/break-glass/seen", data={"csrf": own}).status_code == 403
    assert "Entrée par code d’urgence" in other.get("/").text
    assert (
        "Entrée par code d’urgence" not in other.post("/break-glass/seen", data={"csrf": csrf}).text
    )
    assert "Entrée par code d’urgence" not in browser.get("/").text
    again = httpx.post(
        f"{served.url}/login/break-glass", data={"login": "claire", "code": code}, trust_env=False
    )
    assert again.status_code == 422


def test_wrong_printed_codes_have_to_wait(served: Running, browser: httpx.Client) -> None:
    sign_in(served, httpx.Client())
    code = codes_of(served)[0]
    for _ in range(5):
        answer = browser.post("/login/break-glass", data={"login": "claire", "code": "x"})
        assert answer.status_code == 422
    last = browser.post("/login/break-glass", data={"login": "claire", "code": code})
    assert last.status_code == 422
    assert "Trop d’essais" in last.text


def test_wrong_passkeys_have_to_wait_by_their_address(served: Running) -> None:
    sign_in(served, httpx.Client())
    named = httpx.Client(
        base_url=served.url.replace("127.0.0.1", "localhost"), trust_env=False, timeout=30
    )
    now = served.context.clock.now()
    keys = signin.try_keys("", "127.0.0.1")[1:]
    assert named.post("/login/passkey", data={"credential": "{}"}).status_code == 422
    for _ in range(29):
        signin.count_try(served.store, keys, now)
    assert "Trop d" in named.post("/login/passkey", data={"credential": "{}"}).text
    assert named.post("/login/passkey/ask").status_code == 429


@pytest.mark.parametrize(
    "path",
    [
        "/account/passkeys/ask",
        "/account/passkeys",
        "/account/passkeys/x/remove",
        "/account/sessions/end",
        "/break-glass/seen",
    ],
)
def test_forms_of_the_account_need_their_token(
    served: Running, browser: httpx.Client, path: str
) -> None:
    sign_in(served, browser)
    assert browser.post(path, data={"csrf": "0" * 64}).status_code == 403
    assert browser.post(path).status_code == 403


@pytest.mark.parametrize("path", ["/login/passkey/ask", "/login/passkey", "/login/break-glass"])
def test_another_site_cannot_sign_anybody_in(
    served: Running, browser: httpx.Client, path: str
) -> None:
    elsewhere = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}
    assert browser.post(path, headers=elsewhere).status_code == 403


def test_all_other_sessions_are_ended_from_the_account(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    person = served.store.person_by_login("claire")
    assert person is not None
    now, new = served.context.clock.now(), served.context.new_secret
    other = signin.open_session(served.store, person, "full", new, now).secret
    page = browser.get("/account").text
    assert page.count('name="which"') == 2
    assert other not in page
    browser.post("/account/sessions/end", data={"csrf": csrf, "which": "others"})
    assert signin.session_of(served.store, other, now) is None
    assert browser.get("/account").text.count('name="which"') == 0


def test_the_cookie_of_a_question_is_for_the_server_only(served: Running) -> None:
    named = httpx.Client(base_url=served.url.replace("127.0.0.1", "localhost"), trust_env=False)
    cookie = named.post("/login/passkey/ask").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=180" in cookie
