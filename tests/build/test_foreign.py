"""Building for another processor: who runs its programs, and that only the build has them run."""

import io
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from build import cache, foreign
from build.archive import Release
from build.errors import MachineError
from build.privileges import entry

PROJECT = Path(__file__).parents[2]
OTHER = next(arch for arch in foreign.PROCESSORS if arch != platform.machine())
TOOLS = Release("http://archive", "trixie", ("main",), "/keyring", "f" * 64, 0)
REGISTERED = """\
import sys
from pathlib import Path
from build import foreign
from build.command import run
run("mount", "-t", "binfmt_misc", "binfmt_misc", foreign.REGISTER)
foreign.register(sys.argv[1], Path(sys.argv[2]))
print(foreign.runs(sys.argv[1]), Path("/proc/self/uid_map").read_text().split())
"""


def test_makes_a_program_that_this_machine_runs() -> None:
    assert foreign.runs(platform.machine())


@pytest.mark.parametrize("arch", foreign.PROCESSORS)
def test_makes_programs_that_the_register_knows(arch: str) -> None:
    program = foreign.smallest_program(arch)
    known = foreign.MAGIC + foreign.PROCESSORS[arch].elf.to_bytes(2, "little")
    assert len(foreign.MASK) == len(known)
    assert bytes(a & b for a, b in zip(program, foreign.MASK, strict=False)) == bytes(
        a & b for a, b in zip(known, foreign.MASK, strict=True)
    )


def test_needs_nothing_for_its_own_processor() -> None:
    assert not foreign.needs_register(platform.machine())


def test_says_what_to_do_where_such_programs_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path))
    monkeypatch.setattr(foreign, "REGISTER", tmp_path / "no such folder")
    monkeypatch.setattr(foreign, "needs_register", lambda arch: True)
    (cache.folder() / "emulator" / f"{OTHER}-{TOOLS.sha256[:16]}").mkdir(parents=True)
    with pytest.raises(MachineError, match=f"cannot run programs for {OTHER}") as refused:
        foreign.prepare(OTHER, TOOLS, io.StringIO(), mirror=False, offline=True)
    assert "qemu-user-static" in refused.value.hint


def test_fetches_nothing_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path))
    monkeypatch.setattr(foreign, "needs_register", lambda arch: True)
    with pytest.raises(MachineError, match="never been fetched"):
        foreign.prepare(OTHER, TOOLS, io.StringIO(), mirror=False, offline=True)


@pytest.mark.real
@pytest.mark.skipif(foreign.runs(OTHER), reason=f"this machine runs programs of {OTHER} by itself")
def test_registers_an_emulator_for_the_build_alone(tmp_path: Path) -> None:
    emulator = tmp_path / "emulator"
    emulator.write_bytes(foreign.smallest_program(platform.machine()))  # it ends as the program would
    emulator.chmod(0o755)
    words = (*entry(own_register=True), sys.executable, "-c", REGISTERED, OTHER, str(emulator))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    assert done.stdout.startswith("True "), done.stderr
    if os.geteuid() == 0:
        outside = Path("/proc/self/uid_map").read_text().split()
        assert done.stdout == f"True {[outside[0], outside[0], *outside[2:]]}\n"
    assert not foreign.runs(OTHER)
