"""Repairs of cloud-init's settings: where the machine's settings come from, and who names it."""

import re

from harness.checks.provisioning import INSTALLERS, datasources
from harness.cloudinit import CONFIGURATION
from harness.fix.repair import Edits, Unsafe, removed, repair
from harness.fix.texts import rewritten, text_of
from harness.tree import Tree

OWN = "/etc/cloud/cloud.cfg.d/91-azure_datasource.cfg"
"""Where Debian's Azure images have it, too."""
LIST = "datasource_list: [ Azure ]\n"
INLINE = re.compile(r"^datasource_list:\s*\[[^\]]*\][^\n]*\n?", re.MULTILINE)
BLOCK = re.compile(r"^datasource_list:[ \t]*\n(?:[ \t]*-[ \t]*\S+[ \t]*\n?)+", re.MULTILINE)
PRESERVED = re.compile(r"^(preserve_hostname:)[ \t]*(true|yes|on)\b", re.MULTILINE | re.IGNORECASE)


def _files(tree: Tree) -> list[str]:
    """cloud-init's files, in the order in which it reads them: what comes later wins."""
    return [path for pattern in CONFIGURATION for path in tree.glob(pattern)]


@repair("ci.datasource")
def ask_azure_alone(tree: Tree) -> Edits:
    """Correct the list that wins; where there is none, add one in a file of its own."""
    if tree.exists("/etc/cloud/ds-identify.cfg"):
        raise Unsafe("/etc/cloud/ds-identify.cfg decides about sources as well")
    lists = [path for path in _files(tree) if datasources(tree.read_text(path))]
    if not lists:
        yield rewritten(OWN, LIST, LIST.strip())
        return
    text = text_of(tree, lists[-1])
    changed = (INLINE if INLINE.search(text) else BLOCK).sub(LIST, text)
    yield rewritten(lists[-1], changed, f"{LIST.strip()} (was {', '.join(datasources(text))})")


@repair("net.preserve-hostname")
def let_cloud_init_set_the_name(tree: Tree) -> Edits:
    """Switch it off wherever it is on, outside of other settings."""
    for path in _files(tree):
        text = text_of(tree, path)
        if PRESERVED.search(text):
            yield rewritten(path, PRESERVED.sub(r"\1 false", text), "preserve_hostname: false")


@repair("ci.installer-leftovers")
def forget_the_installer(tree: Tree) -> Edits:
    """Remove what an installer wrote for the machine that it installed."""
    for name in INSTALLERS:
        if tree.lstat(f"/etc/cloud/cloud.cfg.d/{name}"):
            yield removed(f"/etc/cloud/cloud.cfg.d/{name}")
