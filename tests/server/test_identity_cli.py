"""`releve server identity`: added with a secret that never stands in a command, looked at, removed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from releve.adapters.content import identity_presets
from releve.adapters.http.client import PlainHttpError
from releve.apps.server.break_glass_cli import LoginUnknownError
from releve.apps.server.cli import server
from releve.apps.server.home import Home
from releve.apps.server.identity_errors import (
    ProviderTakenError,
    ProviderUnknownError,
    ProviderUnusableError,
)
from releve.apps.server.opening import make_store
from releve.apps.server.structure_cli import StructureUnknownError
from tests.server.forger import CLIENT, forging
from tests.server.test_grant_cli import run, user


@pytest.fixture(autouse=True)
def _home_of_a_server(tmp_path: Path) -> None:
    make_store(Home(tmp_path)).close()


def refused(home: Path, *words: str, typed: str = "secret\n") -> Result:
    return CliRunner().invoke(server, ["identity", *words, "--home", str(home)], input=typed)


def add(home: Path, name: str, issuer: str, *words: str) -> dict[str, object]:
    more = ("--issuer", issuer, "--client-id", CLIENT, *words)
    (made,) = run(home, "identity", "add", name, *more, typed="s3cret\n")
    return made


def test_a_service_is_added_looked_at_and_removed(tmp_path: Path) -> None:
    user(tmp_path, "Cabinet", "claire")
    with forging() as there:
        made = add(tmp_path, "hopital", there.issuer, "--title", "L’hôpital")
        assert str(made["redirect_uri"]).endswith("/login/identity/hopital/return")
        (shown,) = run(tmp_path, "identity", "list")
        assert (shown["title"], shown["issuer"]) == ("L’hôpital", there.issuer)
        assert "s3cret" not in json.dumps([made, shown])
        (looked,) = run(tmp_path, "identity", "test", "hopital")
        assert (looked["issuer"], looked["keys"]) == (there.issuer, 1)
        (invited,) = run(
            tmp_path, "identity", "invite", "hopital", "--login", "claire", "--email", "c@d.fr"
        )
        assert invited["login"] == "claire"
        assert run(tmp_path, "identity", "secret", "hopital", typed="new\n")[0]["changed"] is True
        with pytest.raises(ProviderTakenError):
            add(tmp_path, "hopital", there.issuer)
    assert run(tmp_path, "identity", "remove", "hopital") == [{"name": "hopital", "removed": True}]
    assert run(tmp_path, "identity", "list") == []
    trail = [e for e in _trail(tmp_path) if e[0] == "identity/hopital"]
    assert [verb for _, verb in trail] == ["remove", "change_secret", "invite", "add"]


def _trail(home: Path) -> list[tuple[str, str]]:
    store = make_store(Home(home))
    (structure,) = store.structures()
    with store.unit(structure.id, writes=False) as unit:
        return [(e.object, e.verb) for e in unit.trail()]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"response_types_supported": ["id_token"]}, "authorization code"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "no algorithm"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "no client secret"),
        ({"acr_values_supported": ["eidas3"]}, "no acr of eidas1"),
        ({"issuer": "https://other.example"}, "calls itself"),
        ({"jwks_uri": "http://far.example/keys"}, "not encrypted"),
    ],
)
def test_what_is_wrong_with_a_service_is_said_in_words(
    tmp_path: Path, said: dict[str, object], words: str
) -> None:
    with forging() as there:
        add(tmp_path, "x", there.issuer, "--require-acr", "eidas1")
        there.metadata.update(said)
        with pytest.raises(ProviderUnusableError, match=words):
            run(tmp_path, "identity", "test", "x")
    with pytest.raises(ProviderUnusableError):
        run(tmp_path, "identity", "test", "x")


def test_what_cannot_be_added_or_asked_for(tmp_path: Path) -> None:
    issuer = ("--issuer", "https://id.example")
    client = ("--client-id", CLIENT)
    for words, typed in (
        (("add", "x", *client), "secret\n"),
        (("add", "../x", *issuer, *client), "secret\n"),
        (("add", "x", *issuer, *client), "\n"),
        (("add", "x", *client, "--like", "nothing"), "secret\n"),
    ):
        assert refused(tmp_path, *words, typed=typed).exit_code == 2, words
    with pytest.raises(PlainHttpError):
        add(tmp_path, "x", "http://id.example")
    with pytest.raises(StructureUnknownError):
        add(tmp_path, "x", "https://id.example", "--structure", "Nulle part")
    with pytest.raises(ProviderUnknownError):
        run(tmp_path, "identity", "test", "x")
    add(tmp_path, "x", "https://id.example")
    with pytest.raises(LoginUnknownError):
        run(tmp_path, "identity", "invite", "x", "--login", "nul", "--email", "a@b.fr")


def test_known_services_say_where_it_stands_and_that_they_were_not_tried(tmp_path: Path) -> None:
    presets = {preset.id: preset for preset in identity_presets()}
    for preset in presets.values():
        assert preset.source.startswith("https://")
        assert preset.issuer == "" or preset.issuer.startswith("https://")
        assert preset.tried
    for name in ("pro-sante-connect", "pro-sante-connect-bas", "keycloak"):
        assert "not tried" in presets[name].tried
    words = ("identity", "add", "psc", "--like", "pro-sante-connect", "--client-id", "c")
    (made,) = run(tmp_path, *words, typed="s\n")
    assert made["require_acr"] == ["eidas1"]
    assert str(made["discovery"]).endswith("/.well-known/wallet-openid-configuration")
    done = CliRunner().invoke(server, ["identity", "known", "--json"], catch_exceptions=False)
    assert {json.loads(line)["id"] for line in done.stdout.splitlines()} == set(presets)
