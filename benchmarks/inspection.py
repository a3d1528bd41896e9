"""How long an inspection takes, how much memory it needs, and that neither depends on the disk's virtual size.

    .venv-dev/bin/python benchmarks/inspection.py [--folder DIR]

A fixed VHD of 30 GiB whose ext4 holds 1 GiB of data, in a process of its own whose peak memory is taken, that of the
programs it calls included; and two disks alike of 8 GiB and 1 TiB. The initramfs has 64 MiB.
"""

import argparse
import gzip
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from build.command import find
from build.vhd import append_footer
from harness.inspect import inspect
from tests.harness import images

GIB, MIB = 1 << 30, 1 << 20
MOST_SECONDS, MOST_MEMORY, MOST_RATIO = 5, 200, 1.5
"""Of wall time, MiB of memory, the time of the largest disk by that of the smallest."""
TIMES = 3


def main() -> int:
    """Take the figures; 1 where a mark is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path)
    options.add_argument("--disk", type=Path)
    told = options.parse_args()
    if told.disk:
        print(json.dumps(once(told.disk)))
        return 0
    with tempfile.TemporaryDirectory(dir=told.folder) as name:
        folder = Path(name)
        tree = images.good_tree(folder / "tree")
        fill(tree)
        figures = {gib: child(make(folder, tree, gib)) for gib in (8, 30, 1024)}
    return tell(figures)


def fill(tree: Path) -> None:
    """1 GiB of data, a large initramfs among it."""
    firmware = images.cpio({"usr/lib/firmware/large": os.urandom(64 * MIB)})
    (tree / f"boot/initrd.img-{images.VERSION}").write_bytes(images.initrd() + gzip.compress(firmware, 1))
    for number in range(16):
        with (tree / f"srv-{number}").open("wb") as file:
            for _ in range(64):
                file.write(os.urandom(MIB))


def make(folder: Path, tree: Path, gib: int) -> Path:
    """A disk of that size with the tree as its root."""
    root = gib * 1024 - 7
    disk = images.blank_disk(folder, root)
    words = ("-q", "-F", "-t", "ext4", "-U", images.ROOT, "-d", tree, "-E", f"offset={6 * MIB},lazy_itable_init=1")
    subprocess.run([find("mke2fs"), *words, disk, f"{root}M"], check=True, capture_output=True)
    append_footer(disk, uuid.UUID(images.ROOT), 1_700_000_000)
    return disk.rename(folder / f"{gib}.vhd")


def child(disk: Path) -> dict[str, float]:
    """The best of several inspections, each in a process of its own; the disk is gone afterwards."""
    words = [sys.executable, __file__, "--disk", str(disk)]
    done = [json.loads(subprocess.check_output(words, text=True)) for _ in range(TIMES)]
    disk.unlink()
    return {"seconds": min(one["seconds"] for one in done), "memory": max(one["memory"] for one in done)}


def once(disk: Path) -> dict[str, float]:
    """One inspection, without the start of Python."""
    started = time.monotonic()
    report = inspect(disk)
    taken = time.monotonic() - started
    if not report.passed:
        raise SystemExit(f"{disk} has findings: {[one.id for one in report.verdicts if one.status == 'failed']}")
    # Not getrusage of this process: that counts what its parent had when it was forked.
    own = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert own
    peaks = (int(own[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    return {"seconds": taken, "memory": max(peaks) / 1024}


def tell(figures: dict[int, dict[str, float]]) -> int:
    for gib, found in figures.items():
        print(f"{found['seconds']:8.2f} s    {gib} GiB, {found['memory']:.0f} MiB of memory")
    ratio = figures[1024]["seconds"] / figures[8]["seconds"]
    print(f"{ratio:8.2f}      the time of 1 TiB by that of 8 GiB (at most {MOST_RATIO})")
    print(f"{figures[30]['seconds']:8.2f} s    of 30 GiB (at most {MOST_SECONDS})")
    print(f"{figures[30]['memory']:8.0f} MiB  of 30 GiB (at most {MOST_MEMORY})")
    fast = figures[30]["seconds"] <= MOST_SECONDS and ratio <= MOST_RATIO
    return 0 if fast and figures[30]["memory"] <= MOST_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
