"""What each family's network has to be like, and its repositories: sound files pass, one wrong line is found."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from distros import debian
from harness.checks import all_checks
from harness.checks.check import judge
from harness.profile import Profile
from harness.report import Status
from harness.tree import FolderTree
from tests.harness.images import put

GENERALIZED = ("generalized", "none")
EL7 = Profile((1,), *GENERALIZED, "rhel", distro="centos", version="7.9")
EL9 = Profile((1, 2), *GENERALIZED, "rhel", distro="almalinux", version="9.5")
EL9_CLOUD = replace(EL9, provisioner="cloud-init")
FEDORA = replace(EL9, family="fedora", distro="fedora", version="42")
ORACLE = Profile((1, 2), *GENERALIZED, "fedora", distro="ol", version="9.5")
UBUNTU = Profile((1, 2), *GENERALIZED, "debian", distro="ubuntu", version="24.04")
SLES = Profile((1, 2), *GENERALIZED, "suse", distro="sles", version="15.7")
LEAP = Profile((1, 2), *GENERALIZED, "suse", distro="opensuse-leap", version="16.0")
DEBIAN = Profile((1, 2), *GENERALIZED, "debian", distro="debian", version="13")
WANTS = "etc/systemd/system/multi-user.target.wants"


def unit(name: str) -> dict[str, str]:
    """A unit that is enabled: its file, and one where its link would be."""
    return {f"usr/lib/systemd/system/{name}": "[Unit]\n", f"{WANTS}/{name}": "[Unit]\n"}


NETWORK_SCRIPTS = {
    "etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=localhost.localdomain\n",
    "etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nONBOOT=yes\nBOOTPROTO=dhcp\n",
}
NM = unit("NetworkManager.service")
SETUP = {
    **unit("nm-cloud-setup.timer"),
    "etc/systemd/system/nm-cloud-setup.service.d/azure.conf": "[Service]\nEnvironment=NM_CLOUD_SETUP_AZURE=yes\n",
}
WICKED = {**unit("wicked.service"), "etc/sysconfig/network/dhcp": 'DHCLIENT_SET_HOSTNAME="no"\n'}
MANAGER = {"usr/sbin/NetworkManager": "#!"}
LEFT_ALONE = {
    "etc/cloud/cloud.cfg.d/91.cfg": "datasource:\n  Azure:\n    apply_network_config: False\n",
}
UNMANAGED = {
    "etc/NetworkManager/conf.d/99-azure.conf": "[keyfile]\nunmanaged-devices=driver:mlx4_core;driver:mlx5_core\n"
}
NETPLAN = {"usr/sbin/netplan": "#!"}
ALMA = {"etc/yum.repos.d/a.repo": "[baseos]\nmirrorlist=https://mirrors.almalinux.org/x\nenabled=1\n"}
LATEST = {"etc/yum.repos.d/o.repo": "[ol9_baseos_latest]\nbaseurl=https://yum.oracle.com/x\n"}
OSS = {
    "etc/zypp/repos.d/a.repo": "[repo-oss]\nbaseurl=https://download.opensuse.org/x\n[repo-update]\nbaseurl=https://x\n"
}
APT = {
    "etc/apt/sources.list.d/u.sources": "Types: deb\nURIs: http://azure.archive.ubuntu.com/ubuntu\n"
    "Suites: noble noble-updates noble-security\n"
}
LISTED = {
    "etc/apt/sources.list": "deb mirror+file:/etc/apt/mirrors/d.list trixie main\n",
    "etc/apt/mirrors/d.list": f"{debian.HOST}/debian\n",
}


def verdict(id: str, root: Path, profile: Profile, files: Mapping[str, str]) -> tuple[Status, str]:
    for path, text in files.items():
        put(root, path, text)
    (one,) = judge([one for one in all_checks() if one.id == id], {"tree": FolderTree(root), "profile": profile})
    return one.status, one.reason


@pytest.mark.parametrize(
    ("id", "profile", "files"),
    [
        ("net.el7", EL7, NETWORK_SCRIPTS),
        ("net.el7", EL9, {}),
        ("net.el8", EL9, NM),
        ("net.el8", EL7, {}),
        ("net.nm-cloud-setup", EL9, SETUP),
        ("net.nm-cloud-setup", EL9_CLOUD, {}),
        ("net.nm-cloud-setup", EL9_CLOUD, {**SETUP, **LEFT_ALONE}),
        ("net.nm-cloud-setup", EL7, {}),
        ("net.ubuntu", UBUNTU, NETPLAN),
        ("net.suse", SLES, WICKED),
        ("net.suse", SLES, {**WICKED, "etc/sysconfig/network/dhcp": "DHCLIENT_SET_HOSTNAME='no'\n"}),
        ("net.suse", SLES, {**WICKED, "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp+autoip'\n"}),
        ("net.suse", LEAP, NM),
        ("net.unmanaged-vf", EL9, {**MANAGER, **UNMANAGED}),
        ("net.unmanaged-vf", DEBIAN, {**NETPLAN, "usr/lib/udev/rules.d/10-azure-unmanaged-sriov.rules": "#"}),
        ("net.unmanaged-vf", SLES, WICKED),
        ("repo.el", EL9, ALMA),
        ("repo.el", EL9, {"etc/yum.repos.d/a.repo": "[el9_BaseOS]\nbaseurl=https://a\nenabled = True\n"}),
        ("repo.el", FEDORA, {"etc/yum.repos.d/a.repo": "[fedora]\nmetalink=https://a\n[x]\nenabled=0\n"}),
        ("repo.ol", ORACLE, LATEST),
        ("repo.opensuse", LEAP, OSS),
        ("repo.ubuntu", UBUNTU, APT),
        ("repo.debian", DEBIAN, LISTED),
    ],
)
def test_likes_what_is_right(id: str, profile: Profile, files: Mapping[str, str], tmp_path: Path) -> None:
    assert verdict(id, tmp_path, profile, files) == (Status.PASSED, "")


@pytest.mark.parametrize(
    ("id", "profile", "files", "complaint"),
    [
        ("net.el7", EL7, {**NETWORK_SCRIPTS, "etc/sysconfig/network": ""}, "does not say NETWORKING=yes"),
        ("net.el7", EL7, {"etc/sysconfig/network": "NETWORKING=yes\n"}, "does not say ONBOOT=yes"),
        ("net.el8", EL9, {}, "NetworkManager.service is not enabled"),
        (
            "net.el8",
            EL9,
            {**NM, "etc/NetworkManager/system-connections/a.nmconnection": "[connection]\nuuid=1\n"},
            "is a profile of the machine",
        ),
        ("net.nm-cloud-setup", EL9, {}, "neither nm-cloud-setup.timer nor"),
        ("net.nm-cloud-setup", EL9, unit("nm-cloud-setup.timer"), "is not told NM_CLOUD_SETUP_AZURE=yes"),
        ("net.ubuntu", UBUNTU, {}, "netplan is missing"),
        ("net.ubuntu", UBUNTU, {**NETPLAN, "etc/netplan/00-installer-config.yaml": "network:\n"}, "is the installer's"),
        ("net.suse", SLES, {**WICKED, "etc/sysconfig/network/dhcp": ""}, "does not say DHCLIENT_SET_HOSTNAME"),
        ("net.suse", SLES, {**WICKED, "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='static'\n"}, "is not for DHCP"),
        ("net.nm-cloud-setup", EL9_CLOUD, LEFT_ALONE, "neither nm-cloud-setup.timer nor"),
        ("net.unmanaged-vf", EL9, MANAGER, "nothing says"),
        ("net.unmanaged-vf", replace(EL9_CLOUD, kind="specialized"), MANAGER, "nothing says"),
        (
            "repo.el",
            EL9,
            {"etc/yum.repos.d/a.repo": ALMA["etc/yum.repos.d/a.repo"].replace("=1", "=0")},
            "no repository",
        ),
        ("repo.ol", ORACLE, ALMA, "has the word latest"),
        ("repo.opensuse", LEAP, {}, "is one of oss"),
        (
            "repo.ubuntu",
            UBUNTU,
            {"etc/apt/sources.list": "deb http://archive.ubuntu.com/ubuntu noble main\n"},
            "-updates",
        ),
        ("repo.debian", DEBIAN, {"etc/apt/sources.list": "deb http://mirror.example.org trixie main\n"}, "none of 1"),
    ],
)
def test_finds_what_is_wrong(
    id: str, profile: Profile, files: Mapping[str, str], complaint: str, tmp_path: Path
) -> None:
    status, reason = verdict(id, tmp_path, profile, files)
    assert status is Status.FAILED
    assert complaint in reason
