"""A small disk in Flatcar's shape: believed only as it was published, and what the OEM partition made anew holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from build import confined
from build.errors import CallerError, MachineError
from build.privileges import entry
from tests.build.flatcar_disk import LINK, VENDORS, VERSION

pytestmark = pytest.mark.real

BASE = '{"ignition": {"version": "3.3.0"}, "storage": {}}'


def trial(folder: Path, name: str, **more: Any) -> Any:
    """What came of the trial, as `tests.build.flatcar_disk` tells it."""
    letter = {"trial": name, "log": str(folder / "log"), "result": str(folder / "result"), **more}
    status = confined.call(entry(), "tests.build.flatcar_disk", letter)
    assert status == 0, (folder / "log").read_text()[-4000:]
    return json.loads((folder / "result").read_text())


def test_reads_of_the_system_what_the_manifest_tells(tmp_path: Path) -> None:
    assert trial(tmp_path, "check") == ["/usr/lib/modules", "/usr/lib/modules/6.6.1", "/usr/lib/os-release"]


def test_refuses_an_image_without_its_first_boot_flag(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="first-boot flag"):
        trial(tmp_path, "check", flagged=False)


def test_refuses_an_image_of_another_version(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=f"flatcar 0.9.0, and flatcar {VERSION} was announced"):
        trial(tmp_path, "check", version="0.9.0")


def test_makes_the_oem_partition_anew_with_all_that_was_there(tmp_path: Path) -> None:
    told = trial(tmp_path, "oem", base=BASE, arguments=["quiet"])
    assert told["digests"][0] == told["digests"][1]
    files = told["files"]
    assert files[LINK[0]] == f"-> {LINK[1]}"
    assert files["grub.cfg"] == VENDORS["grub.cfg"] + 'set linux_append="$linux_append quiet"\n'
    assert files["sysext/a.raw"] == VENDORS["sysext/a.raw"]
    (below,) = json.loads(files["base/base.ign"])["ignition"]["config"]["merge"]
    assert below["source"].startswith("data:;base64,")
    assert "config.ign" not in files


def test_writes_a_config_in_place_of_custom_data_where_it_is_asked_for(tmp_path: Path) -> None:
    files = trial(tmp_path, "oem", user=BASE)["files"]
    assert (files["config.ign"], files["base/base.ign"]) == (BASE, VENDORS["base/base.ign"])


def test_refuses_what_does_not_fit_into_the_oem_partition(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="takes more than the OEM partition's") as refusal:
        trial(tmp_path, "oem", too_large=True)
    assert "Ignition takes URLs" in refusal.value.hint
