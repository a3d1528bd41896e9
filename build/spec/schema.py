"""What a spec may say: every key, and the kind of its value."""

from collections.abc import Callable, Iterator

from build.names import ACCOUNT, ACCOUNT_HINT, HOSTNAME, HOSTNAME_HINT, IMAGE, IMAGE_HINT, PUBLIC_KEY
from build.spec.complaint import Complaint, complaint, nearest
from build.spec.document import Node, spelled
from build.spec.kinds import Either, Flag, Kind, ListOf, OneOf, Reference, Size, Table, Text, Values, exactly_one
from build.spec.paths import Inside
from distros.recipe import ARCHITECTURES, KINDS, PROVISIONERS


def _file(node: Node) -> Iterator[Complaint]:
    yield from exactly_one(node, "content", "source")


def _repository(node: Node) -> Iterator[Complaint]:
    kind = node.value.get("type")
    if not kind or kind.value not in ("apt", "rpm"):
        return
    for key in ("suites", "components"):
        if (key in node.value) != (kind.value == "apt"):
            place = node.value[key].place if key in node.value else node.place
            yield complaint(place, "an rpm repository has none" if key in node.value else f"the key {key!r} is missing")
    if "signed_metadata" in node.value and kind.value == "apt":
        yield complaint(node.value["signed_metadata"].place, "an apt repository's metadata is always signed")


def _opposites(*keys: str) -> Callable[[Node], Iterator[Complaint]]:
    """A rule: no word in two of these lists of one table."""

    def rule(node: Node) -> Iterator[Complaint]:
        seen: dict[str, str] = {}
        lists = [(key, node.value[key]) for key in keys if key in node.value]
        for key, one in lists:
            for word in one.value if isinstance(one.value, list) else ():
                if isinstance(word.value, str) and seen.setdefault(word.value, key) != key:
                    yield complaint(word.place, f"{word.value!r} stands in {seen[word.value]!r} as well")

    return rule


PACKAGE = Text(r"[A-Za-z0-9][A-Za-z0-9+._:-]*[A-Za-z0-9+._]|[A-Za-z0-9]", "a package's name alone, without a version")
UNIT = Text(r"[A-Za-z0-9:_.\\@-]+", "a unit's name, as 'nginx' or 'backup.timer'")
ARGUMENT = Text(r"(?!root=)[A-Za-z0-9][A-Za-z0-9_.,:=/@+%-]*", "one kernel argument without spaces or quotes; no root=")
NAME_OR_ID = Text(r"[a-z_][a-z0-9_.-]*\$?|[0-9]+", "a name or a number")
ACCOUNT_NAME = Text(f"(?!root$){ACCOUNT.pattern}", ACCOUNT_HINT)
KEY_LINE = Text(PUBLIC_KEY.pattern, "one line of the OpenSSH form, as ~/.ssh/id_ed25519.pub has it")
MODE = Text(r"[0-7]{3,4}", 'permission bits in octal, as "0644"')
URL = Text(
    r"https?://[^\s\[\]'\"|@]+", "a URL that begins with http:// or https:// and holds no user and no password", False
)
WORD = Text(r"[A-Za-z0-9][A-Za-z0-9+._/-]*", "letters, digits, +, ., _, / and -")
LOCALE = Text(r"C|POSIX|C\.UTF-8|[a-z]{2,3}(_[A-Z]{2})?(\.[A-Za-z0-9-]+)?(@[a-z]+)?", "a locale, as 'de_AT.UTF-8'")
ZONE = Text(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a time zone, as 'Europe/Vienna'")
VARIABLE = (r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name has letters, digits and _ alone")
PROGRAM = Text(r"[^\0]*\S[^\0]*", "it is empty")
RELATIVE = Text(r"[^\0]+", "it is empty")
PLAIN_WORD = Text(r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, ., _ and -")

SPEC_KEYS: dict[str, Kind] = {
    "name": Text(IMAGE.pattern, IMAGE_HINT),
    "extends": Either(RELATIVE, ListOf(RELATIVE, 1)),
    "replace": ListOf(Text()),
    "distro": PLAIN_WORD,
    "release": PLAIN_WORD,
    "arch": OneOf(ARCHITECTURES),
    "kernel": PLAIN_WORD,
    "generation": OneOf(("1", "2", "both")),
    "type": OneOf(KINDS),
    "provisioner": OneOf(PROVISIONERS),
    "size": Size(),
    "hostname": Text(HOSTNAME.pattern, HOSTNAME_HINT),
    "locale": LOCALE,
    "timezone": ZONE,
    "packages": Table({"add": ListOf(PACKAGE), "remove": ListOf(PACKAGE)}, rule=_opposites("add", "remove")),
    "repositories": ListOf(
        Table(
            {
                "name": PLAIN_WORD,
                "type": OneOf(("apt", "rpm")),
                "url": URL,
                "key": RELATIVE,
                "suites": ListOf(WORD, 1),
                "components": ListOf(WORD, 1),
                "signed_metadata": Flag(),
                "keep": Flag(),
            },
            ("name", "type", "url", "key"),
            _repository,
        )
    ),
    "files": ListOf(
        Table(
            {
                "path": Inside(),
                "content": Reference(or_text=Text()),
                "source": RELATIVE,
                "mode": MODE,
                "owner": NAME_OR_ID,
                "group": NAME_OR_ID,
            },
            ("path",),
            _file,
        )
    ),
    "commands": ListOf(
        Table(
            {
                "run": Either(PROGRAM, ListOf(Text(r"[^\0]*", "it holds a zero byte"), 1)),
                "network": Flag(),
                "environment": Values(*VARIABLE, Reference(or_text=Text(r"[^\0]*", "it holds a zero byte"))),
            },
            ("run",),
        )
    ),
    "services": Table(
        {"enable": ListOf(UNIT), "disable": ListOf(UNIT), "mask": ListOf(UNIT)},
        rule=_opposites("enable", "disable", "mask"),
    ),
    "kernel_arguments": Table({"add": ListOf(ARGUMENT), "remove": ListOf(ARGUMENT)}, rule=_opposites("add", "remove")),
    "users": ListOf(
        Table(
            {
                "name": ACCOUNT_NAME,
                "groups": ListOf(NAME_OR_ID),
                "ssh_keys": ListOf(Reference(or_text=KEY_LINE)),
                "sudo": Flag(),
                "shell": Inside(),
                "password_hash": Reference(),
            },
            ("name",),
        )
    ),
    "first_boot": Table({"user_data": Reference(or_text=Text(r"[\s\S]*\S[\s\S]*", "it is empty"))}, ("user_data",)),
}
"""Every key of a spec."""


def replaceable() -> tuple[str, ...]:
    """What `replace` may name: every list, and the tables that hold some."""
    tables = {name: kind for name, kind in SPEC_KEYS.items() if isinstance(kind, Table)}
    lists = [
        name for name, kind in SPEC_KEYS.items() if isinstance(kind, ListOf) and name not in ("replace", "extends")
    ]
    return (*lists, *tables, *(spelled((name, key)) for name, table in tables.items() for key in table.keys))


def _whole(node: Node) -> Iterator[Complaint]:
    replaced = node.value.get("replace")
    if not replaced:
        return
    if "extends" not in node.value:
        yield complaint(replaced.place, "there is nothing to replace without 'extends'")
    for one in replaced.value if isinstance(replaced.value, list) else ():
        if isinstance(one.value, str) and one.value not in replaceable():
            yield complaint(one.place, f"{one.value!r} is no key of lists{nearest(one.value, replaceable())}")


SPEC = Table(SPEC_KEYS, rule=_whole)
