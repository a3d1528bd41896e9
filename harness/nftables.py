"""Firewall rules in the words of nft(8): tables with their chains, as /etc/nftables.conf has them.

Scripts that add chains and rules one by one are not understood, nor maps of verdicts: of those nothing is said.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.packetfilter import (
    Base,
    Rule,
    Rules,
    Test,
    among,
    by_interface,
    in_state,
    negated,
    never,
    of_protocol,
    to_port,
    unknown,
)
from harness.tree import Tree

FAMILIES = ("inet", "ip")
"""The families of tables that see IPv4."""
VERDICTS = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return"}
JUMPS = ("jump", "goto")
BLOCKS = ("table", "chain", "set", "map", "flowtable", "counter", "quota", "limit", "secmark", "synproxy", "ct")
_TOKEN = re.compile(r'"[^"]*"|[{};\n]|[^\s{};"]+')
_MOST_INCLUDES = 8


class Unclear(ValueError):
    """The file does what is not understood here."""


@dataclass
class _Statement:
    """Words until a line's end or a semicolon; what stands in braces is one word, and a block has its statements."""

    path: str
    line: int
    words: list[str] = field(default_factory=list)
    block: "list[_Statement]" = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.words)}"


def read(tree: Tree, path: str) -> Rules:
    """The rules of a file and of those that it includes. Raises Unclear where something in it is not understood."""
    chains: dict[str, tuple[Rule, ...]] = {}
    bases: list[Base] = []
    try:
        statements = list(_statements(tree, path, 0))
    except RecursionError:
        raise Unclear(f"{path}: braces within braces") from None
    for table in statements:
        if table.words[0] in ("add", "insert", "create"):
            raise Unclear(table.where)
        if table.words[0] != "table" or (len(table.words) > 2 and table.words[1] not in FAMILIES):
            continue
        for chain in (one for one in table.block if one.words[0] == "chain"):
            name = f"{table.words[-1]} {chain.words[-1]}"
            bases += _base(name, chain)
            rules = (one for one in chain.block if one.words[0] not in ("type", "policy", "comment"))
            chains[name] = (*chains.get(name, ()), *(_rule(one, table.words[-1]) for one in rules))
    return Rules(chains, tuple(bases))


def _base(name: str, chain: _Statement) -> Iterator[Base]:
    told = next((one for one in chain.block if one.words[0] == "type" and "hook" in one.words[:-1]), None)
    if told:
        hook = told.words[told.words.index("hook") + 1]
        drops = any(one.words == ["policy", "drop"] for one in chain.block)
        yield Base(name, hook, drops, told.where)


def _statements(tree: Tree, path: str, depth: int) -> Iterator[_Statement]:
    if depth > _MOST_INCLUDES:
        raise Unclear(f"{path} includes itself")
    for one in _parse(_tokens(path, tree.read_text(path))):
        if one.words[0] == "include" and len(one.words) > 1:
            for included in tree.glob(posixpath.join("/etc", one.words[1].strip('"'))):
                yield from _statements(tree, included, depth + 1)
        else:
            yield one


def _tokens(path: str, text: str) -> Iterator[tuple[str, int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r'("[^"]*")|#.*', lambda found: found[1] or "", line)
        continued = plain.endswith("\\")
        for token in (*_TOKEN.findall(plain.removesuffix("\\")), *(() if continued else "\n")):
            yield path, number, token


def _parse(tokens: Iterator[tuple[str, int, str]]) -> list[_Statement]:
    """The statements until the block's end."""
    found: list[_Statement] = []
    current: _Statement | None = None
    for path, number, token in tokens:
        if token in ("\n", ";", "}"):
            current = None
            if token == "}":
                break
            continue
        if current is None:
            current = _Statement(path, number)
            found.append(current)
        if token == "{" and current.words and current.words[0] in BLOCKS:
            current.block = _parse(tokens)
            current = None
        else:
            current.words.append(_in_braces(tokens) if token == "{" else token)
    return [one for one in found if one.words]


def _in_braces(tokens: Iterator[tuple[str, int, str]]) -> str:
    """What stands between braces, as one word."""
    words = []
    for _, _, token in tokens:
        if token == "}":
            break
        words.append(_in_braces(tokens) if token == "{" else token.strip())
    return "{" + " ".join(filter(None, words)) + "}"


def _rule(one: _Statement, table: str) -> Rule:
    if "vmap" in one.words:
        return _by_map(one)
    tests: list[Test] = []
    words = list(one.words)
    while words:
        word = words.pop(0)
        if word in VERDICTS:
            return Rule(one.where, tuple(tests), VERDICTS[word])
        if word in JUMPS and words:
            return Rule(one.where, tuple(tests), word, f"{table} {words[0]}")
        tests += _test(word, words)
    return Rule(one.where, tuple(tests), "")


def _by_map(one: _Statement) -> Rule:
    """A map of states without a word of new connections decides nothing of those; any other decides what is not known
    here."""
    at = one.words.index("vmap")
    if one.words[max(0, at - 2) : at] == ["ct", "state"] and not re.search(r"\bnew\b|@", " ".join(one.words[at:])):
        return Rule(one.where, (), "")
    raise Unclear(one.where)


def _test(word: str, words: list[str]) -> Iterator[Test]:
    """What a condition asks; takes its words from those that follow."""
    if word == "meta" and words:
        word = words.pop(0)
    match word, words[:1]:
        case ("tcp" | "udp", ["dport"]):
            words.pop(0)
            yield of_protocol([word])
            yield _valued(words, to_port)
        case ("tcp" | "udp", _):
            yield of_protocol([word])
            yield unknown
        case ("th", ["dport"]):
            words.pop(0)
            yield _valued(words, to_port)
        case ("ip", ["saddr" | "daddr" as side]):
            words.pop(0)
            yield _valued(words, lambda found: among(found, source=side == "saddr"))
        case ("ip", ["protocol"]):
            words.pop(0)
            yield _valued(words, of_protocol)
        case ("l4proto", _):
            yield _valued(words, of_protocol)
        case ("nfproto", _):
            yield _valued(words, lambda found: lambda packet: "ipv4" in found)
        case ("iif" | "iifname" | "oif" | "oifname", _):
            yield _valued(words, by_interface)
        case ("ct", ["state"]):
            words.pop(0)
            yield _valued(words, in_state)
        case ("ip6" | "icmp" | "icmpv6" | "igmp" | "arp", _):
            yield never
        case ("counter" | "notrack" | "log", _):
            return
        case ("comment" | "prefix" | "level" | "packets" | "bytes", _):
            del words[:1]
        case _:
            yield unknown


def _valued(words: list[str], test: Callable[[list[str]], Test]) -> Test:
    """A test of the next word, or of those in braces, or of all but these; a set's name or a variable is not known."""
    inverted = words[:1] == ["!="]
    if words[:1] in (["!="], ["=="]):
        words.pop(0)
    value = words.pop(0) if words else ""
    while words and value.endswith(","):  # a list without braces
        value += words.pop(0)
    found = [one.strip('"') for one in re.split(r"[\s,]+", value.strip("{}")) if one]
    if not found or any(one.startswith(("@", "$")) for one in found):
        return unknown
    return negated(test(found)) if inverted else test(found)
