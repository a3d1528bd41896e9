"""One trial of `tests.build.families.tiny`, called as the root of its own view."""

from pathlib import Path
from typing import Any

from build import confined
from build.privileges import entry

NAMES = ("tiny-top",)
WITHOUT_MOUNTS = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")


def trial(
    tmp_path: Path,
    family: str,
    name: str,
    names: tuple[str, ...] = NAMES,
    before: tuple[str, ...] = (),
    module: str = "tiny",
    **more: Any,
) -> list[str]:
    """What the trial of this name tells of each run; its log is `log` in the folder. Raises what the family raises."""
    files = {"log": str(tmp_path / "log"), "result": str(tmp_path / "result")}
    request = {"trial": name, "names": names, "family": family, **files, **more}
    status = confined.call(before or entry(), f"tests.build.families.{module}", request)
    assert status == 0, (tmp_path / "log").read_text()[-4000:]
    return (tmp_path / "result").read_text().splitlines()
