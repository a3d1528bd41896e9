"""What a matrix's TOML may say: every key and the kind of its value."""

from build.plan import GENERATIONS
from build.spec.kinds import Day, Flag, Kind, ListOf, Number, OneOf, Size, Table, Text
from distros.recipe import ARCHITECTURES, KINDS

NAME = Text(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?", "small letters, digits, dots and dashes")
SOME = Text(r"[\s\S]*\S[\s\S]*", "it is empty")
WORDS = ListOf(SOME, 1)


def _axes() -> dict[str, Kind]:
    return {
        "distros": WORDS,
        "releases": WORDS,
        "generations": ListOf(OneOf(tuple(GENERATIONS)), 1),
        "kinds": ListOf(OneOf(KINDS), 1),
        "provisioners": WORDS,
        "arch": ListOf(OneOf(ARCHITECTURES), 1),
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
