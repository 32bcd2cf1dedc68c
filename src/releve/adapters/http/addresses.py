"""Which addresses a message from outside's wish may go to: none of this machine, nor of its network."""

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Whoever asks here gets a machine's own keys: never, whatever was allowed.
_METADATA = tuple(
    ipaddress.ip_network(one)
    for one in (
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128",  # most clouds
        "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",  # Alibaba, Azure, Oracle
    )
)  # fmt: skip
# An IPv4 address that travels inside: translators may lead there.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_OLD_COMPATIBLE = ipaddress.IPv6Network("::/96")


def may_reach(address: Address, allowed: Sequence[Network]) -> bool:
    """`allowed`: networks of the operator's own, by configuration."""
    all_of_it = tuple(_inner(address))
    if any(one in network for one in all_of_it for network in _METADATA):
        return False
    return all(_is_public(one) or is_own(one, allowed) for one in all_of_it)


def is_own(address: Address, allowed: Sequence[Network]) -> bool:
    return any(address in network for network in allowed)


def needs_leave(scheme: str, host: str) -> bool:
    """Whether a message to there surely needs an allowed network: plain http, or an inner address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return scheme != "https"
    return scheme != "https" or not may_reach(address, ())


def _is_public(address: Address) -> bool:
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified
    is_old = address.version == 6 and address.is_site_local
    return address.is_global and not is_odd and not is_old


def _inner(address: Address) -> Iterable[Address]:
    """The address, and every IPv4 address that it holds."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in (*_NAT64, _OLD_COMPATIBLE)):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
