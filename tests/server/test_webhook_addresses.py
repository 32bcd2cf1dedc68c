"""Which addresses a webhook may lead to."""

import ipaddress

import pytest

from releve.adapters.http.addresses import may_reach, needs_leave

OWN = tuple(ipaddress.ip_network(one) for one in ("10.1.0.0/16", "fd12::/16", "127.0.0.0/8"))
EVERYTHING = tuple(ipaddress.ip_network(one) for one in ("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize("address", ["93.184.216.34", "2a00:1450:4007:80e::200e", "1.1.1.1"])
def test_a_public_address_is_reached(address: str) -> None:
    assert may_reach(ipaddress.ip_address(address), ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
        "169.254.1.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd12::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1",
        "::7f00:1", "2001:0:7f00:1::", "fec0::1",
    ],
)  # fmt: skip
def test_an_inner_address_is_not(address: str) -> None:
    assert not may_reach(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", ["10.1.2.3", "fd12::1", "127.0.0.1", "::ffff:10.1.2.3"])
def test_the_operators_own_network_is_when_it_was_allowed(address: str) -> None:
    assert may_reach(ipaddress.ip_address(address), OWN)
    assert not may_reach(ipaddress.ip_address("10.2.0.1"), OWN)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
        "192.0.0.192", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::a9fe:a9fe",
    ],
)  # fmt: skip
def test_what_gives_a_machines_keys_is_never_reached(address: str) -> None:
    assert not may_reach(ipaddress.ip_address(address), EVERYTHING)


@pytest.mark.parametrize(
    ("scheme", "host", "needs"),
    [
        ("https", "outils.exemple.fr", False),
        ("http", "outils.exemple.fr", True),
        ("https", "10.1.2.3", True),
        ("https", "::1", True),
        ("https", "8.8.8.8", False),
    ],
)
def test_who_adds_an_address_is_told_when_it_needs_leave(
    scheme: str, host: str, needs: bool
) -> None:
    assert needs_leave(scheme, host) is needs
