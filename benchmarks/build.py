"""How long a build takes, beside what cannot be had for less: mmdebstrap alone, and Python starting.

    .venv/bin/python benchmarks/build.py [--release 13]

Works in a cache of its own, which takes its packages from the usual one where that has some. Run it on a quiet machine.
Prints one line a figure; those that have something to compare with follow as ratios.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from build import cache
from build.manifest import Manifest
from build.request import find_recipe

PROJECT = Path(__file__).resolve().parents[1]
BUILDER = PROJECT / "tests/build/builder.py"
SMALL = 3 << 30


def main() -> int:
    """Take the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--release", default="13")
    release = options.parse_args().release
    usual = cache.folder()
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=usual))
    own = os.environ["KILN_CACHE"] = str(folder / "cache")
    try:
        if (usual / "packages").is_dir():
            shutil.copytree(usual / "packages", f"{own}/packages", copy_function=os.link)
        measure(release, folder / "images")
    finally:
        cache.remove(folder)
    return 0


def measure(release: str, folder: Path) -> None:
    build(release, folder)  # makes the tools tree, fetches what is missing
    shutil.rmtree(cache.folder() / "trees")
    whole = build(release, folder, rebuild=True)
    durations = Manifest.load(next(folder.glob("debian-*"))).durations
    cached = build(release, folder, rebuild=True)
    unchanged = min(build(release, folder).seconds for _ in range(3))
    start = min(seconds([sys.executable, "-c", "import build.api, build.confined"]) for _ in range(3))
    bare = mmdebstrap(release, folder)
    line("packages in the cache, tree made anew", whole.seconds, "s")
    line("mmdebstrap alone, the same packages", bare, "s")
    line("tree in the cache", cached.seconds, "s")
    line("nothing changed", unchanged, "s")
    line("Python and imports alone", start, "s")
    line("peak memory of Kiln's own processes", max(cached.mib, whole.mib), "MiB")
    line("tree made anew / mmdebstrap alone", whole.seconds / bare, "x")
    line("nothing changed / Python and imports alone", unchanged / start, "x")
    for title, taken in durations.items():
        line(f"  {title}", taken, "s")


def line(what: str, value: float, unit: str) -> None:
    print(f"{what:80} {value:8.2f} {unit}")


class Taken:
    """What one build took: seconds, and MiB of memory of the largest of Kiln's own processes."""

    def __init__(self, seconds: float, mib: float) -> None:
        self.seconds, self.mib = seconds, mib


def build(release: str, folder: Path, **more: object) -> Taken:
    request = {"distro": "debian", "release": release, "size": SMALL, "output": str(folder), **more}
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, BUILDER, json.dumps(request)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = Watch(process.pid)
        watch.start()
        assert process.stderr
        said = process.stderr.read()
    watch.join()
    if process.returncode:
        raise SystemExit(f"the build failed:\n{said}")
    return Taken(time.monotonic() - started, watch.peak / 1024)


class Watch(threading.Thread):
    """Adds up the largest resident sizes, in KiB, of the Python processes of a build: the front and its worker."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peaks = root, {root: 0}

    @property
    def peak(self) -> int:
        return sum(self.peaks.values())

    def run(self) -> None:
        while Path(f"/proc/{self.root}").exists():
            for process in descendants(self.root):
                with contextlib.suppress(OSError, KeyError):
                    words = Path(f"/proc/{process}/cmdline").read_bytes()
                    if process == self.root or (b"\0build.confined\0" in words and not words.startswith(b"unshare")):
                        fields = dict(
                            one.split(":", 1) for one in Path(f"/proc/{process}/status").read_text().splitlines()
                        )
                        self.peaks[process] = max(self.peaks.get(process, 0), int(fields["VmHWM"].split()[0]))
            time.sleep(0.1)


def descendants(root: int) -> Iterator[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for process in found:
        yield process
        found += parents.get(process, [])


def mmdebstrap(release: str, folder: Path) -> float:
    """The same packages from the cache by mmdebstrap as anybody would call it, into a tar that zstd packs."""
    recipe = find_recipe("debian", release, "x86_64")
    packages = (*recipe.packages, *recipe.boot_packages["both"], *recipe.provisioning["cloud-init"].packages)
    kept = cache.folder() / "packages" / recipe.codename
    hand_over = f'mkdir -p "$1/var/cache/apt/archives"; cp -l {kept}/*.deb "$1/var/cache/apt/archives/"'
    sources = [
        f"deb {archive.url} {suite} {' '.join(archive.components)}"
        for archive in recipe.archives
        for suite in archive.suites
    ]
    mode = "root" if os.geteuid() == 0 else "unshare"
    words = ["mmdebstrap", "--quiet", f"--mode={mode}", "--variant=minbase", f"--include={','.join(packages)}"]
    words += ['--aptopt=APT::Install-Recommends "false"', f"--setup-hook={hand_over}", "--skip=essential/unlink"]
    return seconds([*words, recipe.codename, str(folder / "tree.tar.zst"), *sources], TMPDIR=str(folder))


def seconds(words: list[str], **env: str) -> float:
    started = time.monotonic()
    subprocess.run(words, check=True, capture_output=True, cwd=PROJECT, env={**os.environ, **env})
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
