"""Any sequence of a client's requests leaves every received object byte-identical."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.model.vault import ObjectKind
from tests.vault.conftest import address, objects_on, repository

pytestmark = [pytest.mark.restic, pytest.mark.timeout(180)]

BODIES = [b"", b"a", b"b" * 1000, b"c" * 70_000]
NAMES = [hashlib.sha256(body).hexdigest() for body in BODIES] + ["0" * 64, "..", "config", "x%2f.."]
KINDS = ["data", "index", "snapshots", "keys", "locks", "config", "packs", ""]

request = st.tuples(
    st.sampled_from(["POST", "POST", "POST", "DELETE", "PUT", "PATCH", "GET", "HEAD"]),
    st.sampled_from(KINDS),
    st.sampled_from(NAMES),
    st.sampled_from(BODIES),
    st.sampled_from(["", "", "?create=true", "?delete=true"]),
)


def path_of(kind: str, name: str, query: str) -> str:
    if not kind:
        return query
    return ("config" if kind == "config" else f"{kind}/{name}") + query


@given(requests=st.lists(request, max_size=25))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_received_stays_whatever_is_asked(gate, host, requests):
    if gate.vault().credentials.get(host) is None:
        test_what_was_received_stays_whatever_is_asked.client = gate.client(gate.credential(host))
    client = test_what_was_received_stays_whatever_is_asked.client
    client.ask("POST", address(host) + "?create=true", b"")
    kept = objects_on(gate, host)
    for method, kind, name, body, query in requests:
        path = address(host) + path_of(kind, name, query)
        status, _ = client.ask(method, path, body if method in ("POST", "PUT", "PATCH") else None)
        now = objects_on(gate, host)
        assert kept.items() <= now.items()
        assert status < 500
        kept = now
    # What is on the disk has a receipt of that size and hash, and the other way round.
    book = gate.vault().book
    told = {n: h.size for k, n, h in book.names(repository(host)) if k is not ObjectKind.CONFIG}
    found = {path.rpartition("/")[2]: digest for path, digest in kept.items()}
    assert {name for name in found if name != "config"} == set(told)
    assert all(name == digest for name, digest in found.items() if name != "config")
