"""Initramfs images: every packing, a microcode archive in front, and damage that is said aloud."""

import bz2
import gzip
import lzma
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from harness.initrd import read_initrd
from harness.tree import Unreadable
from tests.harness.images import cpio

FILES = {
    "usr/lib/modules/6.1/kernel/hv-vmbus.ko.xz": b"module",
    "./conf/arch.conf": b"ARCH=x",
    "../../etc/passwd": b"x",
}
EARLY = cpio({"kernel/x86/microcode/AuthenticAMD.bin": b"code"})


def through(*command: str) -> Callable[[bytes], bytes]:
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


PACKERS = {
    "none": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": through("zstd", "-qc"),
    "lz4": through("lz4", "-lqc"),
}


@pytest.mark.parametrize("early", [b"", EARLY, EARLY + bytes(1000)])
@pytest.mark.parametrize("how", PACKERS)
def test_lists_names_and_keeps_small_files(tmp_path: Path, how: str, early: bytes) -> None:
    if how in ("zstd", "lz4") and not shutil.which(how):
        pytest.skip(f"{how} is not installed")
    image = tmp_path / "initrd"
    image.write_bytes(early + PACKERS[how](cpio(FILES)))
    found = read_initrd(image, keep=("conf/*",))
    assert found.has_module("hv_vmbus") and found.modules == {"hv_vmbus"}
    assert found.files == {"conf/arch.conf": b"ARCH=x"}
    assert "../../etc/passwd" in found.names
    assert found.packed[-1] == how


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no cpio archive"),
        (b"garbage", "unknown way"),
        (cpio(FILES)[:200], "ends in the middle"),
        (gzip.compress(cpio(FILES))[:-40], "unpacked"),
        (gzip.compress(cpio(FILES)[:-124]), "without its trailer"),
        (EARLY + b"\x28\xb5\x2f\xfd garbage", "without its trailer"),
        (b"\x89LZO garbage", "lzo"),
    ],
)
def test_says_what_is_wrong_with_a_damaged_image(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "initrd").write_bytes(content)
    with pytest.raises(Unreadable, match=what):
        read_initrd(tmp_path / "initrd")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.binary(max_size=300), some.integers(0, 400))
def test_survives_garbage(tmp_path: Path, noise: bytes, at: int) -> None:
    whole = cpio(FILES)
    (tmp_path / "initrd").write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    try:
        read_initrd(tmp_path / "initrd")
    except Unreadable as refused:
        assert refused.what
