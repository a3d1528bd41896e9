"""A spec's own repository: its packages come with the distribution's, by its own key and no other."""

from pathlib import Path

import pytest

from build import confined
from build.errors import CallerError, KilnError, MachineError
from build.privileges import entry
from tests.conftest import offline

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(offline(), reason="a repository of this run alone is in no cache"),
]

MODULE = "tests.build.families.extra"
VENDOR = r"web.toml:4: repositories\[1\].name: 'vendor': "


def trial(tmp_path: Path, name: str, family: str) -> list[str]:
    request = {"trial": name, "family": family, "log": str(tmp_path / "log"), "result": str(tmp_path / "result")}
    assert confined.call(entry(), MODULE, request) == 0, (tmp_path / "log").read_text()[-4000:]
    return (tmp_path / "result").read_text().splitlines()


@pytest.mark.parametrize("family", ["dnf", "zypper"])
def test_installs_rpms_from_it_and_leaves_it_in_the_image(tmp_path: Path, family: str) -> None:
    names, *kept = trial(tmp_path, "good", family)
    assert names == "tiny-base tiny-extra tiny-top"
    key = "/etc/pki/rpm-gpg/RPM-GPG-KEY-vendor"
    assert kept[:2] == ["/etc/yum.repos.d/vendor.repo", key]
    assert {"[vendor]", "enabled=1", "gpgcheck=1", "repo_gpgcheck=1", f"gpgkey=file://{key}"} <= {*kept}
    assert "-----BEGIN PGP PUBLIC KEY BLOCK-----" in kept


FAULTS: tuple[tuple[str, type[KilnError], str], ...] = (
    ("wrong_key", CallerError, "the signature of .* does not hold against the key that was given"),
    ("unreachable", MachineError, "http://127.0.0.1:9/.* is out of reach"),
)


@pytest.mark.parametrize("family", ["apt", "dnf", "zypper"])
@pytest.mark.parametrize(("fault", "error", "message"), FAULTS, ids=[one[0] for one in FAULTS])
def test_refuses(tmp_path: Path, family: str, fault: str, error: type[KilnError], message: str) -> None:
    with pytest.raises(error, match=VENDOR + message) as refusal:
        trial(tmp_path, fault, family)
    assert refusal.value.hint
    assert "\n" not in refusal.value.what


def test_refuses_an_archive_that_nobody_signed(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=rf"{VENDOR}http://127.0.0.1:[0-9]+ stable is not signed"):
        trial(tmp_path, "unsigned", "apt")
