"""Judging an image by its files: the good one has no finding at all, and a report says what it was judged as."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from build.errors import CallerError
from build.manifest import Manifest, Package
from harness.inspect import inspect
from harness.render_text import print_report, summary
from harness.report import Status
from tests.harness.images import put
from tests.harness.planted import failed, remove, swap


def test_finds_nothing_on_a_good_disk(good: Path) -> None:
    report = inspect(good)
    assert failed(report) == set()
    assert report.passed
    assert report.machine["profile"] == "generation 1 and 2, generalized, provisioner cloud-init, x86_64"
    skipped = {verdict.id for verdict in report.verdicts if verdict.status is Status.SKIPPED}
    assert skipped == {
        "acct.spec-login",
        "agent.needed",
        "agent.not-both",
        "agent.root-pw",
        "cmdline.earlycon",
        "ign.disk-id",
        "ign.first-boot",
        "ign.root-last",
        "kernel.blacklist-extra",
        *("net.el7", "net.el8", "net.nm-cloud-setup", "net.suse", "net.ubuntu", "net.unmanaged-vf"),
        *("repo.el", "repo.ol", "repo.opensuse", "repo.ubuntu"),
        "spec.agent",
        "spec.no-deprovision",
    }


def test_finds_nothing_in_a_good_tree(tree: Path) -> None:
    assert failed(inspect(tree)) == set()


def test_judges_waagent_and_specialized_images_by_their_own_rules(root: Path) -> None:
    assert "agent.not-both" in failed(inspect(root, provisioner="waagent"))
    specialized = failed(inspect(root, kind="specialized"))
    assert {"acct.spec-login", "agent.provisioner", "spec.agent", "spec.no-deprovision"} <= specialized
    put(root, "root/.ssh/authorized_keys", "ssh-ed25519 AAAA me\n")
    put(root, "etc/ssh/ssh_host_ed25519_key")
    put(root, "etc/cloud/cloud-init.disabled")
    swap("etc/waagent.conf", "Agent=auto", "Agent=disabled")(root)
    assert failed(inspect(root)) == set()
    assert "specialized" in inspect(root).machine["profile"]


def test_takes_what_an_image_is_from_its_manifest(good: Path, tmp_path: Path) -> None:
    (tmp_path / "disk.vhd").symlink_to(good)
    manifest = Manifest(
        name="debian-12-gen2-x86_64",
        distro="debian",
        release="12",
        arch="x86_64",
        generations=(2,),
        kind="generalized",
        provisioner="waagent",
        digest="sha256:1",
        **dict.fromkeys(("hostname", "admin", "plan_id", "kernel", "root_uuid", "cmdline"), ""),
        **{name: {} for name in ("sizes", "recipe", "durations", "tools")},
        source_date_epoch=0,
        archives=(),
        packages=(),
    )
    manifest.save(tmp_path)
    report = inspect(tmp_path)
    assert report.digest == "sha256:1"
    assert report.machine["profile"] == "generation 2, generalized, provisioner waagent, x86_64"
    assert not any("inferred" in note or "manifest" in note for note in report.notes)
    assert failed(report) == {"agent.not-both"}
    replace(manifest, packages=(Package("base-files", "13.8+standin", "amd64"),)).save(tmp_path)
    assert any("made from a stand-in mirror" in note for note in inspect(tmp_path).notes)


def test_says_what_was_inferred(tree: Path) -> None:
    notes = inspect(tree).notes
    assert "inferred: provisioner cloud-init (it is installed)" in notes
    assert "inferred: generalized (nothing disables provisioning)" in notes


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(4096), b"\x7f" * 100_000])
def test_refuses_what_is_not_a_disk(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CallerError, match="is not a disk"):
        inspect(file)


def test_refuses_a_folder_that_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="is not an image"):
        inspect(tmp_path)


def test_refuses_an_id_that_no_check_has(tree: Path) -> None:
    with pytest.raises(CallerError, match=r"no offline check is called no\.such"):
        inspect(tree, only=("no.such",))


def test_runs_only_the_checks_asked_for(tree: Path) -> None:
    assert [verdict.id for verdict in inspect(tree, only=("ssh.alive",)).verdicts] == ["ssh.alive"]


def test_prints_what_failed_first_and_a_count(root: Path) -> None:
    remove("etc/ssh/sshd_config.d/50-azure.conf", "usr/bin/growpart")(root)
    text = io.StringIO()
    report = inspect(root)
    print_report(report, Console(file=text, width=100))
    lines = text.getvalue()
    assert lines.index("ssh.alive") < lines.index("growpart")
    assert "Set ClientAliveInterval 180" in lines
    assert lines.splitlines()[-1].startswith("failed: 1 required and 1 recommended findings")
    assert summary(report) in lines.replace("\n", " ")
