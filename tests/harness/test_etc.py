"""Readers of configuration files: each says what the program that owns the file would read in it."""

from pathlib import Path

import pytest

from harness.etc import (
    Mount,
    is_enabled,
    is_masked,
    read_accounts,
    read_dpkg,
    read_fstab,
    read_settings,
    read_sshd,
)
from harness.tree import FolderTree
from tests.harness.images import put


def test_reads_fstab_with_short_lines() -> None:
    text = "# comment\nUUID=1 / ext4 rw,discard 0 1\n/dev/sdb1 /data\n\nbroken\n"
    assert read_fstab(text) == (
        Mount(2, "UUID=1", "/", "ext4", ("rw", "discard")),
        Mount(3, "/dev/sdb1", "/data", "auto", ("defaults",)),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A.B=y\n", {"A.B": "y"}),
        ("A.B=y # comment\n", {"A.B": "y"}),
        ("A.B=y\nA.B=n\n", {"A.B": "n"}),
        ("  A.B=y\n#A.C=n\nnothing\n", {}),
        ("A.B=None\n", {}),
        ('NAME="Some Linux"\n', {"NAME": "Some Linux"}),
    ],
)
def test_reads_settings_as_waagent_does(text: str, found: dict[str, str]) -> None:
    assert read_settings(text) == found


def test_reads_sshd_as_sshd_does(tmp_path: Path) -> None:
    main = "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\nX11Forwarding=yes\nMatch User bob\nClientAliveInterval 5\n"
    put(tmp_path, "etc/ssh/sshd_config", main)
    put(tmp_path, "etc/ssh/sshd_config.d/10-a.conf", "Port 2222\n")
    put(tmp_path, "etc/ssh/sshd_config.d/20-b.conf", "Port 3333\n# Protocol 1\n")
    assert read_sshd(FolderTree(tmp_path)) == {
        "port": ("2222", "/etc/ssh/sshd_config.d/10-a.conf"),
        "x11forwarding": ("yes", "/etc/ssh/sshd_config"),
    }


@pytest.mark.parametrize(("field", "locked"), [("!", True), ("*", True), ("!$6$x", True), ("", False), ("$6$x", False)])
def test_knows_a_locked_account(tmp_path: Path, field: str, locked: bool) -> None:
    put(tmp_path, "etc/passwd", "root:x:0:0::/root:/bin/bash\nbroken\n")
    put(tmp_path, "etc/shadow", f"root:{field}:1::::::\nbroken\n")
    (root,) = read_accounts(FolderTree(tmp_path))
    assert root.locked is locked


def test_reads_installed_packages_only(tmp_path: Path) -> None:
    assert read_dpkg(FolderTree(tmp_path)) is None
    gone = "Package: b\nStatus: deinstall ok config-files\nVersion: 1\n"
    put(tmp_path, "var/lib/dpkg/status", f"Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\n{gone}")
    assert read_dpkg(FolderTree(tmp_path)) == {"a": "1:2-3"}


def test_tells_enabled_masked_and_missing_units_apart(tmp_path: Path) -> None:
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in ("on", "masked", "gone"):
        (wants / f"{unit}.service").symlink_to(f"/usr/lib/systemd/system/{unit}.service")
    for unit in ("on", "off", "masked"):
        put(tmp_path, f"usr/lib/systemd/system/{unit}.service")
    (tmp_path / "etc/systemd/system/masked.service").symlink_to("/dev/null")
    tree = FolderTree(tmp_path)
    enabled = [unit for unit in ("on", "off", "masked", "gone") if is_enabled(tree, f"{unit}.service")]
    assert enabled == ["on"]
    assert is_masked(tree, "masked.service") and not is_masked(tree, "on.service")
