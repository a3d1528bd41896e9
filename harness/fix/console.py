"""Repairs of the kernel's command line: in GRUB's menu, in its entries' files, and in what makes these anew."""

import re
from collections.abc import Callable

from harness.fix.repair import Edits, Unsafe, repair
from harness.fix.texts import lines_of, relined, text_of
from harness.grub import Entry, Menu
from harness.profile import Profile
from harness.tree import Tree

MENU_LINE = re.compile(r"(\s*linux(?:16|efi)?\s+[^;\s]*vmlinu[^;\s]*)((?:\s+[^;\s]+)*)\s*")
ENTRY_LINE = re.compile(r"(options)((?:\s+\S+)*)\s*")
DEFAULT = re.compile(r"((?:export\s+)?GRUB_CMDLINE_LINUX=)([\"']?)([^\"']*)\2\s*")
ANY_DEFAULT = re.compile(r"((?:export\s+)?GRUB_CMDLINE_LINUX(?:_DEFAULT)?=)([\"']?)([^\"']*)\2\s*")
WORD = re.compile(r"[^\s\"']+")
DEFAULTS = ("/etc/default/grub", "/etc/default/grub.d/*.cfg")
ENTRIES = "/boot/loader/entries/*.conf"
KERNEL_INSTALL = "/etc/kernel/cmdline"
Words = Callable[[list[str]], list[str]]
"""The words of a command line as they should be."""


def _adding(*more: str) -> Words:
    return lambda words: [*words, *(word for word in more if word not in words)]


def _dropping(unwanted: Callable[[str], bool]) -> Words:
    return lambda words: [word for word in words if not unwanted(word)]


def _only_dropping(change: Words) -> Words:
    return lambda words: [word for word in change(words) if word in words]


@repair("cmdline.console")
def speak_on_the_serial_port(tree: Tree, grub: Menu, entry: Entry, profile: Profile) -> Edits:
    """Add the port as the last console, which becomes /dev/console."""
    port = "console=ttyAMA0" if profile.arch == "aarch64" else "console=ttyS0,115200n8"
    yield from _everywhere(tree, grub, _adding(port))


@repair("cmdline.earlyprintk")
def speak_early(tree: Tree, grub: Menu, entry: Entry) -> Edits:
    """Add what lets the kernel speak before its console driver starts."""
    yield from _everywhere(tree, grub, _adding("earlyprintk=ttyS0,115200"))


@repair("cmdline.earlycon")
def speak_early_on_aarch64(tree: Tree, grub: Menu, entry: Entry) -> Edits:
    """The same at the address of Azure's port."""
    yield from _everywhere(tree, grub, _adding("earlycon=pl011,0xeffec000"))


@repair("cmdline.nvme-timeout")
def give_nvme_disks_time(tree: Tree, grub: Menu, entry: Entry) -> Edits:
    """Add the time that Azure documents, in seconds; another one goes."""
    old = _dropping(lambda word: word.startswith("nvme_core.io_timeout="))
    new = "nvme_core.io_timeout=240"
    yield from _everywhere(tree, grub, lambda words: [*old(words), new])


@repair("cmdline.no-quiet")
def do_not_hush_the_kernel(tree: Tree, grub: Menu, entry: Entry) -> Edits:
    """Drop the words that hush it."""
    unwanted = ("quiet", "rhgb", "splash", "splash=silent")
    yield from _everywhere(tree, grub, _dropping(lambda word: word in unwanted))


@repair("cmdline.rootdelay")
def do_not_sleep_at_boot(tree: Tree, grub: Menu, entry: Entry) -> Edits:
    """Drop the delay."""
    yield from _everywhere(tree, grub, _dropping(lambda word: word.startswith("rootdelay=")))


@repair("cmdline.forbidden")
def leave_the_disc_drive_on(tree: Tree, grub: Menu, entry: Entry) -> Edits:
    """Drop what switches the IDE controller or its drive off."""
    unwanted = ("libata.atapi_enabled=0", "reserve=0x1f0,0x8")
    yield from _everywhere(tree, grub, _dropping(lambda word: word in unwanted))


def _everywhere(tree: Tree, grub: Menu, change: Words) -> Edits:
    """The change in the menu that boots now, and in what the next menu is made of."""
    booting = list(_in_file(tree, grub.path, MENU_LINE, change))
    for path in tree.glob(ENTRIES):
        booting += _in_file(tree, path, ENTRY_LINE, change)
    if not booting:
        raise Unsafe(f"no command line that can be changed stands in {grub.path} or {ENTRIES}")
    yield from booting
    yield from _in_defaults(tree, change)
    words = text_of(tree, KERNEL_INSTALL).split()
    if words and change(words) != words:
        yield relined(KERNEL_INSTALL, [" ".join(change(words))], _said(words, change(words)))


def _said(before: list[str], after: list[str]) -> str:
    """Which words came and which went."""
    old, new = (dict.fromkeys(WORD.findall(" ".join(lines))) for lines in (before, after))
    came, went = [word for word in new if word not in old], [word for word in old if word not in new]
    said = filter(None, (" ".join(came), f"without {' '.join(went)}" if went else ""))
    return "; ".join(said) or "as its other lines have it"


def _in_file(tree: Tree, path: str, line: re.Pattern[str], change: Words) -> Edits:
    before = lines_of(tree, path)
    after = [_changed(text, line, change) for text in before]
    if after != before:
        yield relined(path, after, _said(before, after))


def _changed(text: str, line: re.Pattern[str], change: Words) -> str:
    found = line.fullmatch(text)
    if not found:
        return text
    words = found[2].split()
    return text if change(words) == words else " ".join([found[1], *change(words)])


def _in_defaults(tree: Tree, change: Words) -> Edits:
    """What the change drops goes from wherever it stands; what it adds comes where the last file has every entry's."""
    before = {path: lines_of(tree, path) for pattern in DEFAULTS for path in tree.glob(pattern)}
    drop = _only_dropping(change)
    after = {path: [_with(text, drop, ANY_DEFAULT) for text in lines] for path, lines in before.items()}
    if added := change([]):
        _add(after, added)
    for path, lines in after.items():
        if lines != before[path]:
            yield relined(path, lines, _said(before[path], lines))


def _add(files: dict[str, list[str]], added: list[str]) -> None:
    setting = [path for path, lines in files.items() if any(DEFAULT.fullmatch(text) for text in lines)]
    if setting:
        lines = files[setting[-1]]
        last = max(number for number, text in enumerate(lines) if DEFAULT.fullmatch(text))
        lines[last] = _with(lines[last], _adding(*added), DEFAULT)
    elif DEFAULTS[0] in files:
        files[DEFAULTS[0]].append(f'GRUB_CMDLINE_LINUX="{" ".join(added)}"')


def _with(text: str, change: Words, line: re.Pattern[str]) -> str:
    """A line of GRUB_CMDLINE_LINUX or its like, changed; other lines are as they were."""
    found = line.fullmatch(text)
    words = found[3].split() if found else []
    if not found or change(words) == words:
        return text
    quote = found[2] or '"'
    return f"{found[1]}{quote}{' '.join(change(words))}{quote}"
