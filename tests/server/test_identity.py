"""Signing in by OpenID Connect: what a forged, replayed, borrowed or weak answer of a provider gets."""

import base64
import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import msgspec
import pytest
from joserfc.jwk import ECKey, RSAKey

from releve.adapters.http.identity import HttpProviders
from releve.adapters.sql.store import SqlStore
from releve.flow.server import signin
from releve.flow.server.identity import links, tokens
from releve.flow.server.identity.discovery import Discovery
from releve.flow.server.identity.entering import Answer, Entering, Refused, Said
from releve.flow.server.identity_ports import ProviderFailedError
from releve.flow.server.ports import Person, Session
from releve.model.identity import Provider, Vouched
from tests.server.forger import CLIENT, Forger, forging
from tests.server.test_passkeys import person_in
from tests.server.world import T0, SetClock

HOUR = dt.timedelta(hours=1)


class World:
    """One browser before a server that trusts one provider; time stands still."""

    def __init__(self, store: SqlStore, forger: Forger, **strength: Any) -> None:
        self.store, self.forger, self.clock = store, forger, SetClock()
        self.provider = forger.provider(**strength)
        links.keep_provider(store, self.provider, actor="admin", now=T0)
        url = "https://releve.cabinet.fr"
        self.entering = Entering(store, HttpProviders(), self.clock, lambda: os.urandom(32), url)

    def ask(self, *, browser: str = "cookie", session: str = "") -> dict[str, str]:
        """What the browser takes along to the provider."""
        address = anyio.run(lambda: self.entering.ask(self.provider, browser, session=session))
        return {name: said[0] for name, said in parse_qs(urlsplit(address).query).items()}

    def answer(self, asked: dict[str, str], *, browser: str = "cookie", **said: str) -> Answer:
        words = Said(**{"state": asked["state"], "code": "c0de", **said})
        return anyio.run(lambda: self.entering.answer(self.provider, browser, words))

    def sign(self, asked: dict[str, str], **changed: Any) -> None:
        claims = {"nonce": asked["nonce"], **changed}
        self.forger.sign(self.forger.claims(self.clock.now(), **claims))

    def enter(self, **changed: Any) -> Vouched:
        asked = self.ask()
        self.sign(asked, **changed)
        return self.answer(asked).vouched


@pytest.fixture
def forger() -> Iterator[Forger]:
    with forging() as made:
        yield made


@pytest.fixture
def world(store: SqlStore, forger: Forger) -> World:
    return World(store, forger)


def why(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.why


def session_of(store: SqlStore, person: Person, by: str = "password") -> Session:
    new = lambda: os.urandom(32)  # noqa: E731
    provider = "forger" if by == "identity" else ""
    return signin.open_session(store, person, "full", new, T0, by=by, provider=provider).session


def test_a_true_answer_says_who_it_is_and_the_secret_goes_to_the_provider_alone(
    world: World,
) -> None:
    asked = world.ask()
    world.sign(asked)
    assert world.answer(asked).vouched == Vouched(subject="u1", session="there1")
    (form,) = world.forger.forms
    challenge = hashlib.sha256(form["code_verifier"][0].encode()).digest()
    assert base64.urlsafe_b64encode(challenge).decode().rstrip("=") == asked["code_challenge"]
    assert asked["code_challenge_method"] == "S256"
    assert form["redirect_uri"] == [asked["redirect_uri"]]
    assert asked["redirect_uri"] == "https://releve.cabinet.fr/login/identity/forger/return"
    basic = base64.b64decode(world.forger.authorizations[0].removeprefix("Basic ")).decode()
    assert basic == f"{CLIENT}:secret%2Fde%20rel%C3%A8ve"
    assert "client_secret" not in form
    assert "secret" not in str(asked)


now = int(T0.timestamp())
FORGED: dict[str, dict[str, Any]] = {
    "another sign-in's nonce": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "another client's token": {"aud": "other-client"},
    "for several, not said for whom": {"aud": [CLIENT, "other-client"]},
    "for us, made for another": {"azp": "other-client"},
    "another issuer": {"iss": "https://other.example"},
    "no issuer": {"iss": None},
    "no audience": {"aud": None},
    "expired": {"exp": now - 120},
    "without end": {"exp": None},
    "an end that is no number": {"exp": "soon"},
    "issued tomorrow": {"iat": now + 86400, "exp": now + 90000},
    "issued an hour ago": {"iat": now - 3600},
    "no time of issue": {"iat": None},
    "not yet good": {"nbf": now + 600},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no text": {"sub": 7},
    "a subject without end": {"sub": "u" * 300},
    "a logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
}


@pytest.mark.parametrize("changed", FORGED.values(), ids=FORGED.keys())
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    world: World, changed: dict[str, Any]
) -> None:
    asked = world.ask()
    world.sign(asked, **changed)
    assert why(lambda: world.answer(asked)) == "identity"


def test_a_token_for_several_audiences_that_names_us_is_taken(world: World) -> None:
    assert world.enter(aud=[CLIENT, "other"], azp=CLIENT).subject == "u1"


def test_an_unsigned_token_and_one_signed_with_the_public_key_are_refused(world: World) -> None:
    for forge in (world.forger.sign_with_none, world.forger.sign_with_public_key):
        asked = world.ask()
        forge(world.forger.claims(T0, nonce=asked["nonce"]))
        assert why(lambda asked=asked: world.answer(asked)) == "identity"


def test_a_secret_published_as_a_key_signs_nothing(world: World) -> None:
    world.forger.published.append({"kty": "oct", "kid": "k2", "k": "c2VjcmV0", "alg": "HS256"})
    keys = tokens.keys_of(str(world.forger.answer("/keys")).replace("'", '"').encode())
    assert [key.kid for key in keys] == ["k1"]


def test_a_changed_token_and_one_by_a_key_of_that_name_are_refused(world: World) -> None:
    asked = world.ask()
    world.sign(asked)
    head, body, signature = world.forger.token.split(".")
    padded = base64.urlsafe_b64decode(body + "==").replace(b'"u1"', b'"u2"')
    changed = base64.urlsafe_b64encode(padded).decode().rstrip("=")
    world.forger.token = f"{head}.{changed}.{signature}"
    assert why(lambda: world.answer(asked)) == "identity"
    asked = world.ask()
    other = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
    world.forger.sign(world.forger.claims(T0, nonce=asked["nonce"]), other)
    assert why(lambda: world.answer(asked)) == "identity"


def test_a_new_key_is_asked_for_and_strangers_cannot_make_us_ask_without_end(world: World) -> None:
    assert world.enter().subject == "u1"
    new = ECKey.generate_key("P-256", {"kid": "k2", "use": "sig"})
    world.forger.published = [new.as_dict(private=False)]
    world.clock.forward(seconds=30)
    asked = world.ask()
    world.forger.sign(world.forger.claims(world.clock.now(), nonce=asked["nonce"]), new)
    assert world.answer(asked).vouched.subject == "u1"
    before = len(world.forger.asked)
    for _ in range(5):
        asked = world.ask()
        unknown = RSAKey.generate_key(2048, {"kid": "nowhere"})
        world.forger.sign(world.forger.claims(world.clock.now(), nonce=asked["nonce"]), unknown)
        assert why(lambda asked=asked: world.answer(asked)) == "identity"
    assert len(world.forger.asked) == before


def test_an_answer_is_good_once_and_for_the_browser_that_asked(world: World) -> None:
    asked = world.ask()
    world.sign(asked)
    assert why(lambda: world.answer(asked, browser="another")) == "identity"
    assert why(lambda: world.answer(asked, state="guessed")) == "identity"
    world.answer(asked)
    assert why(lambda: world.answer(asked)) == "identity"
    late = world.ask()
    world.sign(late)
    world.clock.forward(minutes=11)
    assert why(lambda: world.answer(late)) == "identity"
    assert len(world.forger.forms) == 1  # what is not ours is not even redeemed


def test_a_code_that_the_provider_refuses_opens_nothing(world: World) -> None:
    asked = world.ask()
    world.sign(asked)
    world.forger.status = 400
    assert why(lambda: world.answer(asked)) == "identity"


def test_what_one_provider_says_is_never_taken_for_anothers_word(
    store: SqlStore, world: World
) -> None:
    with forging() as other:
        second = other.provider("second")
        links.keep_provider(store, second, actor="admin", now=T0)
        asked = world.ask()
        world.sign(asked)
        said = Said(state=asked["state"], code="c0de")
        # The browser asked the first one, and comes back to the address of the second.
        assert why(lambda: anyio.run(world.entering.answer, second, "cookie", said)) == "identity"
        assert other.forms == []
        # The answer names another provider (RFC 9207), or does not name the one it should.
        asked = world.ask()
        world.sign(asked)
        assert why(lambda: world.answer(asked, issuer=other.issuer)) == "identity"
        asked = world.ask()
        world.sign(asked)
        assert world.answer(asked, issuer=world.forger.issuer).vouched.subject == "u1"
        world.forger.metadata["authorization_response_iss_parameter_supported"] = True
        world.clock.forward(minutes=11)
        asked = world.ask()
        world.sign(asked)
        assert why(lambda: world.answer(asked)) == "identity"
        # A provider that calls itself by the name of another is not asked for anything.
        other.metadata["issuer"] = world.forger.issuer
        assert why(lambda: anyio.run(world.entering.ask, second, "cookie")) == "identity_down"


def test_a_provider_that_is_not_there_or_answers_nonsense_is_said_to_be_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.forger.metadata["jwks_uri"] = "http://releve.example/keys"  # in the clear, elsewhere
    assert why(world.ask) == "identity_down"
    world.forger.metadata["jwks_uri"] = f"{world.forger.url}/keys"
    world.forger.metadata["padding"] = "x" * 300_000
    assert why(world.ask) == "identity_down"
    world.forger.metadata = {"token_endpoint": None}
    assert why(world.ask) == "identity_down"
    world.provider = world.forger.provider(discovery="http://127.0.0.1:9/nobody")
    assert why(world.ask) == "identity_down"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("token_endpoint", "http://127.0.0.1:631/jobs"),
        ("token_endpoint", "https://127.0.0.1:8443/"),
        ("jwks_uri", "http://localhost:9200/_search"),
        ("jwks_uri", "https://[::ffff:169.254.169.254]/latest/meta-data"),
        ("jwks_uri", "https://[::1]/"),
        ("token_endpoint", "https://0.0.0.0/"),
        ("authorization_endpoint", "http://id.hopital.example/auth"),
        ("authorization_endpoint", "javascript:alert(1)//"),
        ("authorization_endpoint", "https:alert(1)"),
        ("authorization_endpoint", "https://id.hopital.example\r\nset-cookie: a=b"),
        ("authorization_endpoint", "https://[bad/"),
        ("end_session_endpoint", "javascript:alert(1)//"),
        ("end_session_endpoint", "https://id.hopital.example@evil.example/"),
    ],
)
def test_a_provider_that_was_taken_over_sends_nobody_and_nothing_elsewhere(
    name: str, url: str
) -> None:
    true = {
        "issuer": "https://id.hopital.example",
        "authorization_endpoint": "https://id.hopital.example/auth",
        "token_endpoint": "https://10.1.2.3/token",
        "jwks_uri": "https://id.hopital.example/keys",
        "end_session_endpoint": "https://id.hopital.example/end",
    }
    provider = Provider(
        name="h", title="H", issuer="https://id.hopital.example", client_id="c", secret="s",
        discovery="https://id.hopital.example/d", scopes=("openid",), added_at=T0,
    )  # fmt: skip
    asked: list[str] = []

    class Answers:
        def __init__(self, said: dict[str, str]) -> None:
            self.said = said

        async def fetch(self, _: Provider, at: str) -> bytes:
            asked.append(at)
            return json.dumps(self.said if at == provider.discovery else {"keys": []}).encode()

        async def redeem(self, *_: object, **__: object) -> bytes:
            raise AssertionError

    def reached(said: dict[str, str]) -> str:
        with pytest.raises(ProviderFailedError) as failed:
            anyio.run(Discovery(Answers(said), SetClock()).reached, provider)
        return str(failed.value)

    assert "no key" in reached(true)  # its own addresses are asked
    assert asked == [provider.discovery, true["jwks_uri"]]
    del asked[:]
    assert "where it cannot be" in reached(true | {name: url})
    assert asked == [provider.discovery]


def test_an_answer_that_is_packed_is_refused_unread(world: World) -> None:
    """Thirty kilobytes on the wire could be two gigabytes here, in one piece."""
    world.forger.packed = True
    assert why(world.ask) == "identity_down"


def test_who_is_known_less_surely_than_required_stays_outside(
    store: SqlStore, forger: Forger
) -> None:
    world = World(store, forger, require_acr=("eidas1",), require_amr=("hwk", "mfa"))
    assert world.ask()["acr_values"] == "eidas1"
    for weak in ({}, {"acr": "eidas1"}, {"acr": "eidas1", "amr": ["pwd"]}, {"amr": ["mfa"]}):
        assert why(lambda weak=weak: world.enter(**weak)) == "identity_weak"
    assert world.enter(acr="eidas1", amr=["pwd", "mfa"]).subject == "u1"
    assert world.provider.is_strong
    assert not forger.provider().is_strong


def test_only_its_owner_links_an_account_and_an_e_mail_alone_never_does(
    store: SqlStore, world: World
) -> None:
    claire, paul = person_in(store), person_in(store, "paul")
    mine = Vouched(subject="u1", email="claire")
    assert why(lambda: links.person_of(store, world.provider, mine, T0)) == "identity_unknown"
    for by in ("break_glass", "identity"):
        session = msgspec.structs.replace(session_of(store, claire), by=by)
        assert why(lambda s=session: links.add(store, world.provider, mine, s, T0)) == "own_means"
    links.add(store, world.provider, mine, session_of(store, claire), T0)
    assert links.person_of(store, world.provider, mine, T0 + HOUR).id == claire.id
    taken = session_of(store, paul, "passkey")
    assert why(lambda: links.add(store, world.provider, mine, taken, T0)) == "taken"
    with store.unit("s1", writes=False) as unit:
        (link,) = unit.identities(person=claire.id)
        assert link.used_at == T0 + HOUR
        assert "u1" not in str(link)
        assert ("identity/forger", "link") in [(e.object, e.verb) for e in unit.trail()]


def test_who_was_invited_is_linked_once_by_a_verified_e_mail(store: SqlStore, world: World) -> None:
    claire = person_in(store)
    invite = lambda: links.invite(  # noqa: E731
        store, world.provider, claire, "Claire@Cabinet.example", actor="admin", now=T0
    )
    invite()
    unsure = world.enter(email="claire@cabinet.example", email_verified="true")
    assert unsure.email == ""
    sure = world.enter(email="claire@cabinet.example", email_verified=True)
    assert links.person_of(store, world.provider, sure, T0).id == claire.id
    again = Vouched(subject="somebody else", email="claire@cabinet.example")
    assert why(lambda: links.person_of(store, world.provider, again, T0)) == "identity_unknown"
    invite()
    late = T0 + links.INVITED_FOR
    assert why(lambda: links.person_of(store, world.provider, again, late)) == "identity_unknown"


def test_an_account_of_one_provider_is_none_at_another(store: SqlStore, world: World) -> None:
    links.add(store, world.provider, Vouched(subject="u1"), session_of(store, person_in(store)), T0)
    other = world.forger.provider("second")
    same = Vouched(subject="u1")
    assert why(lambda: links.person_of(store, other, same, T0)) == "identity_unknown"


def test_a_provider_of_one_structure_lets_in_and_shows_nobody_of_another(
    store: SqlStore, forger: Forger
) -> None:
    claire, anne = person_in(store), person_in(store, "anne", "s2")
    world = World(store, forger, structure="s1")
    mine, theirs = Vouched(subject="u1"), Vouched(subject="u2")
    links.add(store, world.provider, mine, session_of(store, claire), T0)
    their_session = session_of(store, anne)
    call = lambda: links.add(store, world.provider, theirs, their_session, T0)  # noqa: E731
    assert why(call) == "not_open"
    assert links.open_to(store, their_session) == []
    assert links.offered(store) == []  # the sign-in page tells nobody whose customers we have


def test_the_last_way_in_stays(store: SqlStore, world: World) -> None:
    claire = person_in(store)
    session = session_of(store, claire)
    links.add(store, world.provider, Vouched(subject="u1"), session, T0)
    with store.unit("s1") as unit:
        (link,) = unit.identities(person=claire.id)
        assert why(lambda: links.remove(unit, session, link.id, T0)) == "last"
        assert not links.remove(unit, session, "unknown", T0)


def left(store: SqlStore, person: Person) -> set[str]:
    with store.unit(person.structure, writes=False) as unit:
        return {session.sid or session.by for _, session in unit.sessions_of(person.id)}


def opened(store: SqlStore, world: World) -> Person:
    """Three sessions: by the own password, and by two sessions at the provider."""
    claire = person_in(store)
    links.add(store, world.provider, Vouched(subject="u1"), session_of(store, claire), T0)
    new = lambda: os.urandom(32)  # noqa: E731
    for there in ("there1", "there2"):
        sid = tokens.session_digest(world.provider, there)
        signin.open_session(
            store, claire, "full", new, T0, by="identity", provider="forger", sid=sid
        )
    return claire


def test_who_signs_out_there_is_signed_out_here(store: SqlStore, world: World) -> None:
    claire = opened(store, world)
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    logout = world.forger.claims(T0, events=events, exp=None, jti="1")
    second = tokens.session_digest(world.provider, "there2")

    def told(**changed: Any) -> Vouched:
        said = {k: v for k, v in {**logout, **changed}.items() if v is not None}
        world.forger.sign(said)
        token = world.forger.token
        return anyio.run(world.entering.logged_out, world.provider, token)

    for forged in (
        {"events": {}},
        {"nonce": "n"},
        {"aud": "x"},
        {"iat": now - 3600},
        {"sub": None},
    ):
        assert why(lambda forged=forged: told(**forged)) == "identity"
    assert links.end_sessions(store, world.provider, told(), T0) == 1
    assert left(store, claire) == {"password", second}
    assert links.end_sessions(store, world.provider, told(sid=None), T0) == 1
    assert left(store, claire) == {"password"}


def test_with_a_provider_go_its_links_invitations_and_sessions(
    store: SqlStore, world: World
) -> None:
    claire = opened(store, world)
    links.invite(store, world.provider, claire, "c@d.example", actor="admin", now=T0)
    links.forget_provider(store, world.provider, actor="admin", now=T0)
    assert left(store, claire) == {"password"}
    assert store.providers() == []
    known = Vouched(subject="u1", email="c@d.example")
    assert why(lambda: links.person_of(store, world.provider, known, T0)) == "identity_unknown"
    with store.unit("s1", writes=False) as unit:
        verbs = [e.verb for e in unit.trail() if e.object == "identity/forger"]
    assert verbs == ["remove", "invite", "link"]


def test_the_secret_lies_sealed(store: SqlStore, world: World) -> None:
    (kept,) = store.providers()
    assert kept == world.provider
    with store._engine.begin() as db:
        rows = db.exec_driver_sql("SELECT sealed FROM identity_provider").all()
    assert b"secret/de" not in bytes(rows[0][0])
