"""Kernels: which of a tree's is the image's, and where its files go."""

import io
from pathlib import Path

import pytest

from build.errors import RecipeError
from build.initramfs import MakeInitramfs, chosen_kernel, version_order
from build.workspace import Workspace
from distros.recipe import Initramfs


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "tools", "image", tmp_path / "cache", io.StringIO(), 0)


def kernel(work: Workspace, version: str, *more: str) -> None:
    for name in ("vmlinuz", *more):
        work.write(f"/usr/lib/modules/{version}/{name}", f"{name} of {version}")


def test_takes_the_newest_of_the_flavour(work: Workspace) -> None:
    for version in ("6.12.0-100.el10uek.x86_64", "6.12.0-99.el10uek.x86_64", "6.12.0-211.el10_1.x86_64"):
        kernel(work, version)
    assert chosen_kernel(work, (".el10uek",)) == "6.12.0-100.el10uek.x86_64"
    assert chosen_kernel(work, (".el10.", ".el10_")) == "6.12.0-211.el10_1.x86_64"
    assert chosen_kernel(work, ()) == "6.12.0-211.el10_1.x86_64"
    with pytest.raises(RecipeError, match="-azure"):
        chosen_kernel(work, ("-azure",))


def test_counts_numbers_as_numbers() -> None:
    versions = ["6.12.0-55.9.1.el10", "6.12.0-55.10.1.el10", "6.9.0-1"]
    assert max(versions, key=version_order) == "6.12.0-55.10.1.el10"


def test_finds_a_kernel_that_its_package_put_into_boot(work: Workspace) -> None:
    work.write("/boot/vmlinuz-6.1.0-56-cloud-amd64", "x")
    assert chosen_kernel(work, ()) == "6.1.0-56-cloud-amd64"


def test_puts_a_kernels_files_into_boot_and_replaces_none(work: Workspace) -> None:
    kernel(work, "6.1", "System.map", "config", ".vmlinuz.hmac", "modules.dep")
    work.write("/boot/config-6.1", "the package's own")
    for _ in range(2):
        MakeInitramfs(Initramfs("dracut", "/boot/initramfs-{kernel}.img"), ())._place_kernel(work, "6.1")
    found = {path.rpartition("/")[2]: work.path(path).read_text() for path in work.glob("/boot/*")}
    assert found == {
        "vmlinuz-6.1": "vmlinuz of 6.1",
        "System.map-6.1": "System.map of 6.1",
        "config-6.1": "the package's own",
        ".vmlinuz-6.1.hmac": ".vmlinuz.hmac of 6.1",
    }
