"""Defects planted in images of other kinds: each is caught by the check that is for that kind, and by no other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.inspect import inspect
from tests.defects.kinds import KEY, KINDS, PL011
from tests.harness.images import VERSION, put
from tests.harness.planted import Change, add, failed, link, ramdisk, remove, swap, write

WANTS = "etc/systemd/system/multi-user.target.wants"
AGENT = "etc/waagent.conf"
RootMaker = Callable[[str], Path]
"""Gives a copy of the good tree of that kind."""


def _cloud_init_as_well(root: Path) -> None:
    put(root, "usr/bin/cloud-init")
    link(f"{WANTS}/cloud-init-local.service", "/usr/lib/systemd/system/cloud-init-local.service")(root)


def _nobody(root: Path) -> None:
    remove("home/ada/.ssh/authorized_keys")(root)


DEFECTS: list[tuple[str, str, Change]] = [
    ("waagent", "acct.azure-ready", remove("usr/sbin/usermod")),
    ("waagent", "acct.no-keys", write("root/.ssh/authorized_keys", KEY)),
    ("waagent", "agent.bool-syntax", add(AGENT, "Provisioning.DecodeCustomData=yes\n")),
    ("waagent", "agent.needed", remove(f"{WANTS}/walinuxagent.service")),
    ("waagent", "agent.needed", link("etc/systemd/system/walinuxagent.service", "/dev/null")),
    ("waagent", "agent.not-both", _cloud_init_as_well),
    ("waagent", "agent.provisioner", swap(AGENT, "Agent=waagent", "Agent=disabled")),
    ("waagent", "agent.resource", swap(AGENT, "ResourceDisk.EnableSwap=n", "ResourceDisk.EnableSwap=y")),
    ("waagent", "agent.root-pw", swap(AGENT, "DeleteRootPassword=y", "DeleteRootPassword=n")),
    ("waagent", "clean.agent-lib", write("var/lib/waagent/provisioned", "1111")),
    ("waagent", "clean.hostkeys", write("etc/ssh/ssh_host_ecdsa_key")),
    ("waagent", "clean.machine-id", write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")),
    ("waagent", "kernel.fs-udf", swap(f"usr/lib/modules/{VERSION}/modules.dep", "udf", "other")),
    ("specialized", "acct.spec-login", _nobody),
    ("specialized", "acct.spec-login", swap("etc/passwd", "/home/ada:/bin/bash", "/home/ada:/usr/sbin/nologin")),
    ("specialized", "agent.provisioner", swap(AGENT, "Agent=disabled", "Agent=cloud-init")),
    ("specialized", "clean.history", write("home/ada/.bash_history", "mysql -psecret\n")),
    ("specialized", "clean.secrets", write("root/.azure/accessTokens.json", "[]")),
    ("specialized", "initrd.nvme", ramdisk("hv_vmbus hv_storvsc hv_netvsc nvme")),
    ("specialized", "spec.agent", remove("etc/cloud/cloud-init.disabled")),
    ("specialized", "ssh.enabled", remove("usr/sbin/sshd")),
    ("aarch64", "cmdline.console", swap("boot/grub/grub.cfg", "console=ttyAMA0", "console=ttyS0")),
    ("aarch64", "cmdline.earlycon", swap("boot/grub/grub.cfg", PL011, PL011.partition(" ")[0])),
    ("aarch64", "console.getty", link("etc/systemd/system/serial-getty@ttyAMA0.service", "/dev/null")),
    ("aarch64", "console.kernel-conf", swap(f"boot/config-{VERSION}", "PL011_CONSOLE=y", "PL011_CONSOLE=m")),
    ("aarch64", "grub.serial", swap("boot/grub/grub.cfg", "serial console", "serial")),
]
COMPANIONS = {("waagent", "agent.needed"): {"agent.present"}, ("aarch64", "cmdline.console"): {"console.getty"}}
"""Defects that break two requirements at once by their nature."""


@pytest.fixture(scope="session")
def good_kinds(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> RootMaker:
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = Path(shutil.copytree(tree, tmp_path_factory.mktemp(kind) / "root", symlinks=True))
            KINDS[kind].make(made[kind])
        return made[kind]

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_finds_nothing_in_a_good_tree_of_each_kind(good_kinds: RootMaker, kind: str) -> None:
    assert failed(inspect(good_kinds(kind), **KINDS[kind].told)) == set()


@pytest.mark.parametrize(
    ("kind", "id", "change"), DEFECTS, ids=[f"{kind}-{id}-{n}" for n, (kind, id, _) in enumerate(DEFECTS)]
)
def test_catches_a_defect_by_the_check_of_its_kind_alone(
    good_kinds: RootMaker, tmp_path: Path, kind: str, id: str, change: Change
) -> None:
    root = Path(shutil.copytree(good_kinds(kind), tmp_path / "root", symlinks=True))
    change(root)
    assert failed(inspect(root, **KINDS[kind].told)) == {id} | COMPANIONS.get((kind, id), set())
