"""Firewall rules in the words of iptables-save(8), which ufw writes as well."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.packetfilter import (
    Base,
    Rule,
    Rules,
    Test,
    among,
    by_interface,
    in_state,
    negated,
    of_protocol,
    to_port,
    unknown,
)

HOOKS = {"INPUT": "input", "OUTPUT": "output"}
TABLES = ("filter", "security", "raw", "mangle")
"""The tables that may drop a packet."""
ENDS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return"}
TARGETS = ("-j", "--jump", "-g", "--goto")
SILENT = ("--comment", "--reject-with", "--log-prefix", "--log-level", "-m", "--match", "-c", "--set-counters")
"""Options that decide nothing."""


@dataclass(frozen=True)
class _Words:
    """An option with its values, and whether an exclamation mark stands before it."""

    option: str
    values: tuple[str, ...] = ()
    inverted: bool = False


@dataclass
class _Reader:
    """What was read so far, table by table."""

    table: str = "filter"
    chains: dict[str, list[Rule]] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)


def read(lines: Iterable[tuple[str, int, str]]) -> Rules:
    """The rules of lines with their paths and numbers; lines that make no sense are passed over."""
    reader = _Reader()
    for path, number, line in lines:
        where = f"{path}:{number}: {line}"
        if line.startswith("*"):
            reader.table = line[1:].strip()
        elif line.startswith(":"):
            _policy(reader, line, where)
        elif line.startswith(("-A", "-I", "--append", "--insert")):
            _rule(reader, line, where)
    chains = {name: tuple(rules) for name, rules in reader.chains.items()}
    return Rules(chains, tuple(reader.bases.values()))


def with_bases(rules: Rules, bases: Mapping[str, Base]) -> Rules:
    """The rules with other beginnings: by chain, which is one of the table filter."""
    return replace(rules, bases=tuple(replace(base, chain=f"filter {chain}") for chain, base in bases.items()))


def _policy(reader: _Reader, line: str, where: str) -> None:
    words = line[1:].split()
    if len(words) > 1 and words[0] in HOOKS and reader.table in TABLES:
        name = f"{reader.table} {words[0]}"
        reader.bases[name] = Base(name, HOOKS[words[0]], words[1] == "DROP", where)


def _rule(reader: _Reader, line: str, where: str) -> None:
    try:
        first, chain, *words = shlex.split(line)
    except ValueError:
        return
    name = f"{reader.table} {chain}"
    if reader.table in TABLES and chain in HOOKS:
        reader.bases.setdefault(name, Base(name, HOOKS[chain], False, where))
    options = list(_options(words))
    target = next((one for one in options if one.option in TARGETS), _Words(""))
    to = target.values[0] if target.values else ""
    leads = "goto" if target.option in ("-g", "--goto") else "jump"
    tests = tuple(_test(one) for one in options if one is not target and one.option not in SILENT)
    rules = reader.chains.setdefault(name, [])
    place = 0 if first in ("-I", "--insert") else len(rules)
    rules.insert(place, Rule(where, tests, ENDS.get(to) or (leads if to else ""), f"{reader.table} {to}"))


def _options(words: list[str]) -> Iterator[_Words]:
    """An option is a word with a dash; what follows until the next one are its values."""
    found = _Words("")
    for word in words:
        if word == "!" or word.startswith("-"):
            if found.option:
                yield found
            before = found.inverted and not found.option
            found = _Words("", inverted=True) if word == "!" else _Words(word, inverted=before)
        else:
            found = replace(found, values=(*found.values, word))
    if found.option:
        yield found


def _test(one: _Words) -> Test:
    values = [value for word in one.values for value in word.split(",")]
    match one.option:
        case "-p" | "--protocol":
            test = of_protocol(values)
        case "--dport" | "--dports" | "--destination-port" | "--destination-ports":
            test = to_port(values)
        case "-s" | "--source" | "--src":
            test = among(values, source=True)
        case "-d" | "--destination" | "--dst":
            test = among(values, source=False)
        case "-i" | "--in-interface" | "-o" | "--out-interface":
            test = by_interface(values)
        case "--state" | "--ctstate":
            test = in_state(values)
        case "--syn":
            test = of_protocol(["tcp"])
        case _:
            return unknown
    return negated(test) if one.inverted else test
