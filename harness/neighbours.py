"""Two machines of one network: what the guest of each finds of the other, by name and by address."""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.guest import Guest

MARK = "==kiln=="
PATIENCE = 60
"""Seconds that the other machine's SSH server has for its first word."""


@dataclass(frozen=True)
class Seen:
    """What the guest of the machine `asker` found of the one called `name` at `address`, each as one line or "".

    `full` and `short` are what its resolver makes of the name with the network's `domain` and without, `back` what it
    makes of the address, `banner` the first word of the SSH server there.
    """

    asker: str
    name: str
    domain: str
    address: str
    full: str = ""
    short: str = ""
    back: str = ""
    banner: str = ""

    @property
    def full_name(self) -> str:
        """The name that Azure's DNS has."""
        return f"{self.name}.{self.domain}"

    def is_it(self, answer: str) -> bool:
        """Whether an answer is the other machine's address and full name."""
        address, *names = answer.split() or [""]
        return address == self.address and self.full_name in names


def look(guest: Guest, asker: str, name: str, domain: str, address: str) -> Seen:
    """What a guest that answers SSH finds of another machine. Raises Gone or TooLate."""
    questions = (
        f"getent hosts {name}.{domain}",
        f"getent hosts {name}",
        f"getent hosts {address}",
        f"timeout {PATIENCE} bash -c 'exec 3<>/dev/tcp/{address}/22; head -n 1 <&3'",
    )
    script = f"; echo {MARK}; ".join(f"{one} 2>/dev/null" for one in questions)
    printed = guest.run(script, timeout=2 * PATIENCE, fresh=True).stdout
    return Seen(asker, name, domain, address, *answers(printed))


def unfound(meeting: Iterable[Seen]) -> list[str]:
    """Notes on guests that do not find another by its short name: whether they search the domain of their lease is
    their own choice, and Azure's DNS knows full names alone."""
    return [
        f"{seen.asker} does not find {seen.name} by its short name ({seen.short or 'no answer'}): it does not search "
        "the domain that its lease tells."
        for seen in meeting
        if not seen.is_it(seen.short)
    ]


def answers(printed: str) -> tuple[str, str, str, str]:
    """The first line of each answer."""
    lines = [(part.strip().splitlines() or [""])[0] for part in printed.split(MARK)]
    full, short, back, banner = [*lines, "", "", "", ""][:4]
    return full, short, back, banner
