"""A tiny repository for subscribers behind a registration server, and zypper that installs from it: one trial."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from build import cache, keys
from build.families import zypper
from build.families.source import Sources
from build.families.zypper import ZypperPackages
from build.scc import ACCESS
from build.workspace import Workspace
from distros.recipe import Repository
from tests.build.centre import PASSWORD, SECRETS, USERNAME, Centre, centre
from tests.build.families import tiny
from tests.build.leaks import find_words

PLACE = "/SUSE/Products/tiny"


def main(letter: Mapping[str, Any]) -> int:
    """Install by a registration; writes to `result` what was installed, then each file that holds a secret."""
    os.umask(0o022)
    with cache.faults_explained(), Path(letter["log"]).open("a") as log:
        with tiny.bench("subscribed", "zypper", log) as bench, centre(PLACE) as server:
            tiny.good(bench)
            server.served = contents(bench.repository)
            work = replace(bench.work, name=f"{bench.work.name}-tree", credentials=credentials(bench.work, server))
            try:
                step = packages(work, server, keys.take(bench.key.public))
                told = install(work, step)
                leaks = [f"{path} holds a secret" for path, _ in found(work, step)]
            finally:
                cache.remove(work.folder)
        Path(letter["result"]).write_text("\n".join([told, *leaks]))
    return 0


def contents(repository: Path) -> dict[str, bytes]:
    """What the server offers, by path."""
    files = (path for path in sorted(repository.rglob("*")) if path.is_file())
    return {f"{PLACE}/{path.relative_to(repository)}": path.read_bytes() for path in files}


def credentials(work: Workspace, server: Centre) -> str:
    """The file of a registered machine."""
    file = work.file("SCCcredentials")
    file.write_text(f"username={USERNAME}\npassword={PASSWORD}\nurl={server.url}\n")
    return str(file)


def packages(work: Workspace, server: Centre, keyring: str) -> ZypperPackages:
    """The step that installs from the server, whose lists were verified."""
    place = Repository("tiny", f"{server.url}{PLACE}", PLACE, keyring, (), True, "test", access=ACCESS)
    recipe = replace(tiny.tiny_recipe("zypper"), archives=(place,))
    states = zypper.states(recipe, Sources(credentials=work.credentials), lambda text: None)
    for state in states:
        zypper.verify(state, work.tools, mirror=False)
    return zypper.packages(recipe, ("tiny-top",), states)


def install(work: Workspace, step: ZypperPackages) -> str:
    """Run it; returns the names of the packages that are installed then."""
    step.run(work)
    (work.cache / "trees" / f"{step.key}.tar.zst").unlink()
    return " ".join(name for name, _, _ in zypper.installed(tiny.tiny_recipe("zypper"), work))


def found(work: Workspace, step: ZypperPackages) -> Iterator[tuple[str, bytes]]:
    """Where a secret is left: in the tree, beside it, or in what the cache keeps of states and lists."""
    words = [word.encode() for word in SECRETS]
    for folder in (work.folder, work.cache / "releases", work.cache / "lists" / step._state):
        assert folder.is_dir()
        yield from find_words(folder, words)
