"""cloud-init's configuration as far as checks ask for it: read line by line, so that each answer knows its line.

Not a YAML reader: what cloud-init's documents and distributions' own files look like is understood.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.etc import configuration
from harness.tree import Tree

CONFIGURATION = ("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg")
"""In the order in which they are read: later ones win."""
VERSIONS = (
    "/usr/lib/python3*/dist-packages/cloudinit/version.py",
    "/usr/lib/python3*/site-packages/cloudinit/version.py",
)
_MOUNT = re.compile(r"-\s*\[\s*['\"]?(?:/dev/)?ephemeral0[\w.]*['\"]?\s*(?:,\s*['\"]?([^'\",\]\s]*)|\])")


@dataclass(frozen=True)
class Module:
    """A module in one of the lists of modules; `indent` counts the white space before its dash."""

    path: str
    number: int
    name: str
    indent: int


@dataclass(frozen=True)
class EphemeralMount:
    """A line of `mounts` for ephemeral0, cloud-init's word for the temporary disk; `point` is "" where it has none."""

    path: str
    number: int
    line: str
    point: str


def left_alone(tree: Tree) -> tuple[tuple[str, int, str], ...]:
    """The lines that tell it to leave the network to others: path, number, text."""
    off = re.compile(r"network:\s*\{\s*config:\s*disabled|config:\s*disabled")
    return tuple(one for one in configuration(tree, *CONFIGURATION) if off.match(one[2]))


def applies(tree: Tree) -> tuple[bool, tuple[str, int, str] | None]:
    """Whether it takes the network from the metadata service, as it does unless told otherwise, and the line that says
    so, if one does."""
    told = [one for one in configuration(tree, *CONFIGURATION) if one[2].startswith("apply_network_config:")]
    if not told:
        return True, None
    return re.search(r":\s*(false|no|off)\b", told[-1][2], re.IGNORECASE) is None, told[-1]


def version(tree: Tree) -> tuple[int, ...]:
    """The installed cloud-init's own version (24.4 is (24, 4)), () where it has none that is known."""
    for path in (path for pattern in VERSIONS for path in tree.glob(pattern)):
        if found := re.search(r"^__VERSION__ = ['\"]([\d.]+)", tree.read_text(path), re.MULTILINE):
            return tuple(int(number) for number in re.findall(r"\d+", found[1]))
    return ()


def modules(tree: Tree, stage: str) -> tuple[Module, ...]:
    """The modules of a stage (`cloud_init_modules`, `cloud_config_modules`), of the last file that lists them."""
    found: tuple[Module, ...] = ()
    for path in (path for pattern in CONFIGURATION for path in tree.glob(pattern)):
        found = tuple(_listed(path, tree.read_text(path), stage)) or found
    return found


def _listed(path: str, text: str, key: str) -> Iterator[Module]:
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = re.match(r"(\s*)-\s*\[?\s*['\"]?([\w-]+)", line)
        if inside and item:
            yield Module(path, number, item[2], len(item[1]))
        elif not line[0].isspace():
            inside = line.partition(":")[0] == key


def ephemeral_mounts(tree: Tree) -> tuple[EphemeralMount, ...]:
    """What is to be mounted of the temporary disk."""
    lines = configuration(tree, *CONFIGURATION)
    found = ((path, number, line, _MOUNT.match(line)) for path, number, line in lines)
    return tuple(EphemeralMount(path, number, line, match[1] or "") for path, number, line, match in found if match)


def swap_files(tree: Tree) -> Iterator[tuple[str, int, str]]:
    """The files that cloud-init is to make for swap: path and line of the setting, and the file's name."""
    for path in (path for pattern in CONFIGURATION for path in tree.glob(pattern)):
        inside = False
        for number, line in enumerate(tree.read_text(path).splitlines(), 1):
            if line and not line[0].isspace():
                inside = line.startswith("swap:")
            if inside and (found := re.match(r"(?:swap:\s*\{)?\s*filename:\s*['\"]?([^'\",}\s]+)", line)):
                yield path, number, found[1]
