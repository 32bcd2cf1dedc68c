"""nftables: single clients kept away from the file server, and the whole host cut from the network.

Two tables of our own, never a rule in anybody else's: `inet releve_clients` and
`inet releve_iso`. Everything ends by itself, in the kernel: what blocks is a set whose elements
time out, so a block or an isolation is over on time even if no process of ours lives.
"""

import ipaddress
import json
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from releve.flow.clients import Address, BlockedClient, Client, refuse_protected, unmapped
from releve.flow.isolation import Endpoint, IsolationState
from releve.model.errors import ReleveError

CLIENTS_TABLE = "releve_clients"
ISOLATION_TABLE = "releve_iso"
_SECONDS = 20.0
# Before conntrack (-200) and raw (-300), so that no other table's accept lets a packet through
# and established connections are cut too; after defragmentation (-400).
_PRIORITY = -310


class FirewallError(ReleveError):
    """The kernel's packet filter did not do as told."""

    status = 61
    remedy = "Run it as root and see that nftables works: `nft list tables`."

    def __init__(self, why: str) -> None:
        super().__init__(f"nftables refused: {why}")
        self.why = why


class Nft:
    """Runs nft and ip: here, in a named network namespace, or in that of a process."""

    def __init__(self, *, netns: str | None = None, pid: int = 0) -> None:
        self._inside = ["ip", "netns", "exec", netns] if netns else []
        if pid:
            self._inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]

    def exists(self) -> bool:
        """Whether that network is still there, as far as its process tells."""
        where = self._inside[1].removeprefix("--net=") if self._inside[:1] == ["nsenter"] else ""
        return not where or Path(where).exists()

    def apply(self, script: str) -> None:
        """Apply all of the script or nothing.

        Raises: FirewallError.
        """
        self._run(["nft", "-f", "-"], script)

    def table(self, name: str) -> list[dict[str, Any]] | None:
        """The objects of our table, as `nft -j` has them; None when it does not exist."""
        try:
            out = self._run(["nft", "-j", "list", "table", "inet", name])
        except FirewallError as error:
            if "No such file or directory" in error.why:
                return None
            raise
        objects: list[dict[str, Any]] = json.loads(out)["nftables"]
        return objects

    def drop_table(self, name: str) -> None:
        """Remove the table; removing it twice is harmless."""
        self.apply(f"add table inet {name}\ndelete table inet {name}\n")

    def ip(self, *words: str) -> list[dict[str, Any]]:
        """The answer of `ip -j WORDS`; empty when it has none."""
        try:
            out = self._run(["ip", "-j", *words])
        except FirewallError:
            return []
        rows: list[dict[str, Any]] = json.loads(out or "[]")
        return [row for row in rows if row]

    def _run(self, command: list[str], script: str | None = None) -> str:
        try:
            ran = subprocess.run(
                [*self._inside, *command],
                input=script,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FirewallError(str(error)) from error
        if ran.returncode != 0:
            raise FirewallError(ran.stderr.strip().splitlines()[0] if ran.stderr else "no reason")
        return ran.stdout


def _elements(objects: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Elements of the named set, each with val, expires and, if given, comment."""
    for item in objects:
        found = item.get("set")
        if found is not None and found["name"] == name:
            return [entry["elem"] for entry in found.get("elem", ())]
    return []


# ---- clients -------------------------------------------------------------------------------------

_CLIENTS = """
add table inet {table}
add set inet {table} blocked4 {{ type ipv4_addr; flags timeout; }}
add set inet {table} blocked6 {{ type ipv6_addr; flags timeout; }}
add set inet {table} hardware {{ type ether_addr; flags timeout; }}
add chain inet {table} clients {{ type filter hook prerouting priority {priority}; policy accept; }}
flush chain inet {table} clients
add rule inet {table} clients tcp dport {{ {ports} }} ip saddr @blocked4 drop
add rule inet {table} clients tcp dport {{ {ports} }} ip6 saddr @blocked6 drop
add rule inet {table} clients tcp dport {{ {ports} }} ether saddr @hardware drop
"""

_PLAIN = re.compile(r"[^A-Za-z0-9._@-]")


class NftClientGate:
    """Keeps clients from the file server's ports by a timed kernel set; `flow.clients.ClientGate`.

    Packets are dropped before routing, so a server in a container behind this host is covered.
    The machine's MAC goes with its address when it is on the same link, for it has other
    addresses (IPv6, a second lease). `protect` names addresses, with the reason, that are
    refused on top of the host's own and its gateways. A file server that listens in another
    network namespace (a container) is guarded there: it is found by the client's `server`, or
    told by `include`; `netns` names one for everything.
    """

    def __init__(
        self,
        *,
        netns: str | None = None,
        ports: frozenset[int] = frozenset({445, 139}),
        hours: float = 8.0,
        protect: Callable[[], tuple[tuple[str, str], ...]] = tuple,
    ) -> None:
        self._fixed = Nft(netns=netns) if netns else None
        self._spaces: dict[int, Nft] = {_namespace("self"): self._fixed or Nft()}
        self._ports = ports
        self._seconds = max(1, round(hours * 3600))
        self._protect = protect

    def block(self, client: Client, *, seconds: float = 0.0) -> BlockedClient:
        """Refuse the client's connections, old and new, for the gate's hours or `seconds`, if less.

        Raises: NeverBlockedError, FirewallError.
        """
        nft = self.include(client.server)
        address = refuse_protected(client.address, self._protected(nft))
        hardware = self._hardware(nft, address)
        left = min(max(1, round(seconds)), self._seconds) if seconds else self._seconds
        comment = f"{_plain(client.user)}|{_plain(client.machine)}"
        ports = ", ".join(str(port) for port in sorted(self._ports))
        script = _CLIENTS.format(table=CLIENTS_TABLE, priority=_PRIORITY, ports=ports)
        script += _renewed(f"blocked{address.version}", str(address), comment, left)
        if hardware:
            script += _renewed("hardware", hardware, str(address), left)
        nft.apply(script)
        return BlockedClient(
            address=str(address),
            seconds_left=left,
            user=client.user,
            machine=client.machine,
            hardware=hardware,
        )

    def include(self, server: int) -> Nft:
        """Look after the network in which that process listens, too; 0 is this one's."""
        if self._fixed is not None:
            return self._fixed
        here = _namespace("self")
        space = (_namespace(str(server)) if server else here) or here
        known = self._spaces.get(space)
        if known is None or not known.exists():
            known = self._spaces[space] = Nft(pid=server)
        return known

    def unblock(self, address: str) -> bool:
        """Let the address back; False if it was not blocked.

        Raises: FirewallError.
        """
        wanted = str(unmapped(address))
        done = [self._unblock(nft, wanted) for nft in self._living()]  # all of them, not the first
        return any(done)

    def blocked(self) -> tuple[BlockedClient, ...]:
        """What the kernel refuses now, each address once, in however many networks it is refused.

        Empty sets left by expiry count as nothing.

        Raises: FirewallError.
        """
        found = [held for nft in self._living() for held in _blocked(nft)]
        return tuple({held.address: held for held in found}.values())

    def clear(self) -> None:
        """Let everybody back and leave no table behind.

        Raises: FirewallError.
        """
        for nft in self._living():
            nft.drop_table(CLIENTS_TABLE)

    def _living(self) -> list[Nft]:
        """The networks that still exist: one ends with its last process."""
        return [nft for nft in self._spaces.values() if nft.exists()]

    def _unblock(self, nft: Nft, wanted: str) -> bool:
        held = next((b for b in _blocked(nft) if b.address == wanted), None)
        if held is None:
            return False
        version = unmapped(wanted).version
        script = f"delete element inet {CLIENTS_TABLE} blocked{version} {{ {wanted} }}\n"
        if held.hardware:
            script += f"delete element inet {CLIENTS_TABLE} hardware {{ {held.hardware} }}\n"
        nft.apply(script)
        if not _blocked(nft):
            nft.drop_table(CLIENTS_TABLE)
        return True

    def _protected(self, nft: Nft) -> list[tuple[Address, str]]:
        own = [
            (unmapped(entry["local"]), "it is an address of this host")
            for link in nft.ip("addr")
            for entry in link.get("addr_info", ())
            if "local" in entry
        ]
        routes = [*nft.ip("-4", "route"), *nft.ip("-6", "route")]
        gateways = [
            (unmapped(route["gateway"]), "it is a gateway of this host")
            for route in routes
            if "gateway" in route
        ]
        return [*own, *gateways, *((unmapped(a), why) for a, why in self._protect())]

    def _hardware(self, nft: Nft, address: Address) -> str:
        """The client's MAC, unless a protected machine has it too: a gateway's stands for many."""
        neighbours = [
            (str(row["dst"]), str(row["lladdr"]))
            for row in nft.ip("neigh")
            if "lladdr" in row and "dst" in row
        ]
        mac = next((mac for dst, mac in neighbours if dst == str(address)), "")
        protected = {str(other) for other, _ in self._protected(nft)}
        shared = any(mac == other and dst in protected for dst, other in neighbours)
        return "" if shared else mac


def _renewed(name: str, key: str, comment: str, seconds: int) -> str:
    # Adding what is there keeps the old timeout, and deleting what is not there fails:
    # add, delete, add in one transaction does the same on every kernel.
    where = f"element inet {CLIENTS_TABLE} {name}"
    timed = f'{key} timeout {seconds}s comment "{comment}"'
    return f"add {where} {{ {key} }}\ndelete {where} {{ {key} }}\nadd {where} {{ {timed} }}\n"


def _blocked(nft: Nft) -> list[BlockedClient]:
    objects = nft.table(CLIENTS_TABLE) or []
    hardware = {e.get("comment", ""): str(e["val"]) for e in _elements(objects, "hardware")}
    found = []
    for element in [*_elements(objects, "blocked4"), *_elements(objects, "blocked6")]:
        user, _, machine = element.get("comment", "").partition("|")
        found.append(
            BlockedClient(
                address=str(element["val"]),
                seconds_left=int(element.get("expires", 0)),
                user=user,
                machine=machine,
                hardware=hardware.get(str(element["val"]), ""),
            )
        )
    return found


def _namespace(pid: str) -> int:
    """Which network a process is in; 0 when it is gone."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return 0


def _plain(text: str) -> str:
    """What a client says of itself, made harmless for a comment in the kernel's set."""
    return _PLAIN.sub("_", text)[:40]


# ---- the host ------------------------------------------------------------------------------------

# `armed` holds the two protocol families of the table. While an element lives, the last rule of
# each chain drops its packets; when the elements time out, the kernel lets everything through.
# So the policy is `accept` on purpose: a `drop` policy would outlive its reason.
_ISOLATION = """
add table inet {table}
delete table inet {table}
table inet {table} {{
  set armed {{ type nf_proto; flags timeout; elements = {{ {armed} }} }}
  chain input {{
    type filter hook input priority {priority}; policy accept;
    iif lo accept
    icmp type destination-unreachable icmp code frag-needed accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
    icmpv6 type packet-too-big accept
{inward}
    meta nfproto @armed drop
  }}
  chain output {{
    type filter hook output priority {priority}; policy accept;
    oif lo accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
{outward}
    meta nfproto @armed drop
  }}
  chain forward {{
    type filter hook forward priority {priority}; policy accept;
    meta nfproto @armed drop
  }}
}}
"""


class NftIsolator:
    """Cuts this host from the network, its server excepted; `flow.isolation.Isolator`.

    The kernel itself ends the cut when the time is over (see `_ISOLATION`). Raw packet sockets,
    which need root, pass below any such table.
    """

    def __init__(self, *, netns: str | None = None) -> None:
        self._nft = Nft(netns=netns)

    def isolate(
        self, servers: tuple[Endpoint, ...], *, seconds: int, resolvers: tuple[str, ...] = ()
    ) -> None:
        """Replace the cut, or make it, in one step; nothing changes if it fails.

        Raises: FirewallError.
        """
        self._nft.apply(self.rules(servers, seconds=seconds, resolvers=resolvers))

    def rules(
        self, servers: tuple[Endpoint, ...], *, seconds: int, resolvers: tuple[str, ...] = ()
    ) -> str:
        """What `isolate` would apply."""
        links = [("tcp", server.address, server.port) for server in servers]
        links += [(kind, name, 53) for name in resolvers for kind in ("udp", "tcp")]
        inward = [f"{_ip(a)} saddr {a} {kind} sport {port} accept" for kind, a, port in links]
        outward = [f"{_ip(a)} daddr {a} {kind} dport {port} accept" for kind, a, port in links]
        if resolvers:  # the server is named: names and a lease must be renewable to reach it
            inward += ["udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept"]
            outward += ["udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept"]
        return _ISOLATION.format(
            table=ISOLATION_TABLE,
            priority=_PRIORITY,
            armed=_armed(seconds),
            inward="\n".join(f"    {rule}" for rule in inward),
            outward="\n".join(f"    {rule}" for rule in outward),
        )

    def renew(self, *, seconds: int) -> None:
        """Let the cut run `seconds` from now, without a moment in which it is open.

        Raises: FirewallError.
        """
        self._nft.apply(
            f"flush set inet {ISOLATION_TABLE} armed\n"
            f"add element inet {ISOLATION_TABLE} armed {{ {_armed(seconds)} }}\n"
        )

    def release(self) -> None:
        """Open everything; harmless when nothing is cut.

        Raises: FirewallError.
        """
        self._nft.drop_table(ISOLATION_TABLE)

    def state(self) -> IsolationState:
        """What the kernel does now, whoever asked for it.

        Raises: FirewallError.
        """
        objects = self._nft.table(ISOLATION_TABLE)
        left = [int(e.get("expires", 0)) for e in _elements(objects or [], "armed")]
        return IsolationState(
            is_cut=bool(left), seconds_left=max(left, default=0), has_table=objects is not None
        )


def _armed(seconds: int) -> str:
    return f"ipv4 timeout {seconds}s, ipv6 timeout {seconds}s"


def _ip(address: str) -> str:
    return "ip" if isinstance(ipaddress.ip_address(address), ipaddress.IPv4Address) else "ip6"
