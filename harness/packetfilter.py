"""What a firewall's rules do with a packet, whichever program reads them: values, and the walk through their chains.

A rule may depend on what files do not tell (an interface's name, a set that is filled later). One that might let the
packet pass is taken to do so, one that might stop it is not: what is found is certain.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

PORTS = {"ssh": 22, "domain": 53, "bootps": 67, "bootpc": 68, "http": 80, "https": 443}
"""Names of ports that rules use; what is not here is left open."""
HIGHEST = 65535


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection: `hook` is "input" or "output", `port` the one that it goes to.

    `peer` is the other machine's IPv4 address, "" where it may be anybody's.
    """

    hook: str
    port: int
    peer: str = ""
    protocol: str = "tcp"


Test = Callable[[Packet], bool | None]
"""Whether a condition holds of a packet; None where nobody can tell here."""


@dataclass(frozen=True)
class Rule:
    """All `tests` must hold. `verdict` is "accept", "drop", "jump", "goto", "return" or "" (none), `chain` where it
    leads; `where` is path, line and text."""

    where: str
    tests: tuple[Test, ...]
    verdict: str
    chain: str = ""


@dataclass(frozen=True)
class Base:
    """Where packets begin: a chain at a hook, and whether it `drops` what no rule decided."""

    chain: str
    hook: str
    drops: bool
    where: str


@dataclass(frozen=True)
class Rules:
    """A set of rules: chains by name, and where packets begin. A packet must pass every base of its hook."""

    chains: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    bases: tuple[Base, ...] = ()


def blocking(rules: Rules, packet: Packet) -> str:
    """What certainly stops the packet: path, line and text of a rule or of a chain's policy; "" where nothing does."""
    for base in (one for one in rules.bases if one.hook == packet.hook):
        decided, where = _walk(rules, base.chain, packet, ())
        if decided == "drop" or (not decided and base.drops):
            return where or base.where
    return ""


def _walk(rules: Rules, chain: str, packet: Packet, above: tuple[str, ...]) -> tuple[str, str]:
    """What a chain decides ("accept", "drop", "" for nothing), and the rule that drops."""
    for rule in rules.chains.get(chain, ()):
        held = [test(packet) for test in rule.tests]
        if False in held:
            continue
        certain = None not in held
        decided, where = rule.verdict, rule.where
        if rule.verdict in ("jump", "goto"):
            below = (*above, chain)
            decided, where = _walk(rules, rule.chain, packet, below) if rule.chain not in below else ("", "")
            if rule.verdict == "goto" and not decided and certain:
                return "", ""
        if decided == "accept" or (decided == "drop" and certain):
            return decided, where
        if decided == "return" and certain:
            return "", ""
    return "", ""


def unknown(packet: Packet) -> bool | None:
    """A condition that files cannot decide."""
    return None


def never(packet: Packet) -> bool | None:
    """A condition of other packets: IPv6's, ICMP's."""
    return False


def negated(test: Test) -> Test:
    """The opposite."""

    def opposite(packet: Packet) -> bool | None:
        held = test(packet)
        return None if held is None else not held

    return opposite


def of_protocol(names: Iterable[str]) -> Test:
    """One of these protocols, by name or number."""
    known = {"6": "tcp", "17": "udp", "0": "all"}
    wanted = {known.get(name, name) for name in names}
    return lambda packet: bool(wanted & {"all", packet.protocol})


def to_port(words: Iterable[str]) -> Test:
    """One of these ports: numbers, names, ranges with a colon or dash, which may lack an end."""
    ranges = []
    for word in words:
        low, dash, high = word.replace(":", "-").partition("-")
        ends = _port(low, 0), _port(high, HIGHEST) if dash else _port(low, 0)
        if ends[0] is None or ends[1] is None:
            return unknown
        ranges.append((ends[0], ends[1]))
    return lambda packet: any(low <= packet.port <= high for low, high in ranges)


def _port(word: str, otherwise: int) -> int | None:
    if not word:
        return otherwise
    return int(word) if word.isdecimal() else PORTS.get(word)


def among(words: Iterable[str], source: bool) -> Test:
    """Sender (`source`) or receiver in one of these networks. Which address the machine itself has nobody knows."""
    try:
        networks = [ipaddress.ip_network(word, strict=False) for word in words]
    except ValueError:
        return unknown
    if any(not one.prefixlen for one in networks):
        return lambda packet: True

    def test(packet: Packet) -> bool | None:
        if source != (packet.hook == "input") or not packet.peer:
            return None
        return any(ipaddress.ip_address(packet.peer) in one for one in networks)

    return test


def by_interface(names: Iterable[str]) -> Test:
    """One of these interfaces: the packet comes by the first network card, whose name begins so."""
    wanted = tuple(names)
    if all(name == "lo" for name in wanted):
        return never
    return (lambda packet: True) if any(name.startswith(("eth", "en")) for name in wanted) else unknown


def in_state(words: Iterable[str]) -> Test:
    """One of these states of the connection: the packet's is new."""
    new = "new" in {word.lower() for word in words}
    return lambda packet: new
