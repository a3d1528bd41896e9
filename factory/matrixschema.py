"""What a matrix's TOML may say: every key and the kind of its value."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from build.spec.complaint import Complaint, complaint
from build.spec.document import Node
from build.spec.kinds import Flag, Kind, ListOf, OneOf, Size, Table, Text, described

GENERATIONS = ("1", "2", "both")
KINDS = ("generalized", "specialized")
NAME = Text(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?", "small letters, digits, dots and dashes")
SOME = Text(r"[\s\S]*\S[\s\S]*", "it is empty")
WORDS = ListOf(SOME, 1)


@dataclass(frozen=True)
class Number:
    """A number between two others, whole or not."""

    least: float
    most: float
    whole: bool = True

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is one, and in between."""
        if type(node.value) is not int and (self.whole or type(node.value) is not float):
            yield complaint(node.place, f"this is {described(node.value)}, it takes a number")
        elif not self.least <= node.value <= self.most:
            yield complaint(node.place, f"{node.value} will not do: from {self.least:g} to {self.most:g}")


@dataclass(frozen=True)
class Day:
    """A date, as TOML writes it."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is one."""
        if not isinstance(node.value, date) or isinstance(node.value, datetime):
            yield complaint(node.place, "this is no date: write it without quotes, as 2030-06-30")


def _axes() -> dict[str, Kind]:
    return {
        "distros": WORDS,
        "releases": WORDS,
        "generations": ListOf(OneOf(GENERATIONS), 1),
        "kinds": ListOf(OneOf(KINDS), 1),
        "provisioners": WORDS,
        "arch": ListOf(OneOf(("x86_64", "aarch64")), 1),
    }


EXCEPT = Table(_axes())
IMAGES = Table(
    {
        **_axes(),
        "except": ListOf(EXCEPT, 1),
        "scenarios": WORDS,
        "faults": WORDS,
        "machines": WORDS,
        "size": Size(),
        "spec": SOME,
        "mirror": SOME,
        "mirror_key": SOME,
        "hostname": SOME,
        "admin": SOME,
        "ssh_key": SOME,
        "private_key": SOME,
    },
    ("distros",),
)
MATRIX = Table(
    {
        "name": NAME,
        "store": SOME,
        "locks": SOME,
        "attempts": Number(1, 3),
        "images": ListOf(IMAGES, 1),
        "known_failure": ListOf(
            Table(
                {"check": SOME, "image": SOME, "reason": SOME, "tracker": SOME, "expires": Day()},
                ("check", "reason", "tracker", "expires"),
            ),
            1,
        ),
        "publish": ListOf(Table({"to": SOME, "promote": Flag(), "images": SOME}, ("to",)), 1),
        "retention": Table({"nights": Number(1, 10000), "weeks": Number(0, 10000)}),
        "budget": Table({"boot": Number(1, 100, whole=False), "build": Number(1, 100, whole=False)}),
    },
    ("name", "images"),
)
