"""dnf: what it is told, and who is blamed for what it says."""

import configparser
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from build import keys
from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
from build.families import dnf
from build.families.rpm.settings import POLICY, write_settings
from build.families.rpm.state import Metadata
from build.families.rpm.step import blamed, remote
from build.workspace import Workspace
from distros import all_recipes
from tests.build.archives import Signer

RECIPE = next(one for one in all_recipes() if one.family == "dnf")
STATE = Metadata("base", "a" * 64, 1, "/keyring", ("A" * 40,), True, url="https://one", ways=("https://two",))


def step(state: Metadata = STATE) -> dnf.DnfPackages:
    return dnf.packages(RECIPE, ("kernel",), (state,))


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("Error: Unable to find a match: nosuch\nNo match for argument: nosuch", RecipeError),
        ("  - nothing provides libx needed by y-1-1.noarch from base", RecipeError),
        ("Error: Package x-1-1.noarch.rpm is not signed", MachineError),
        ("Public key for x-1-1.noarch.rpm is not installed. Failing package is: x-1-1.noarch", MachineError),
        ("Error: GPG check FAILED", MachineError),
        ("  package x-1-1.noarch does not verify: Header V4 RSA/SHA256 Signature: BAD", MachineError),
        ("[MIRROR] x.rpm: Curl error (7): Couldn't connect to server for http://m/x.rpm", MachineError),
        ("[MIRROR] x.rpm: Status code: 404 for http://m/x.rpm", MachineError),
        ("Error: Disk Requirements:\n   At least 5MB more space needed on the / filesystem.", MachineError),
        ("error: unpacking of archive failed: cpio: write failed - No space left on device", MachineError),
        ("Error in POSTIN scriptlet in rpm package x", RecipeError),
    ],
)
def test_says_who_must_act(output: str, error: type[KilnError]) -> None:
    found = blamed(CommandFailed(("dnf",), 1, output), dnf.BLAME)
    assert type(found) is error
    assert found.hint
    assert "\n" not in found.what


def test_leaves_the_unknown_as_it_is() -> None:
    failure = CommandFailed(("dnf",), 1, "never seen before")
    assert blamed(failure, dnf.BLAME) is failure


def test_gives_a_tree_the_same_name_wherever_its_packages_come_from() -> None:
    elsewhere = replace(STATE, url="https://three", ways=(), signature="b" * 64)
    assert step().key == step(elsewhere).key
    assert step().key != step(replace(STATE, sha256="b" * 64)).key


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    made = Signer(tmp_path / "gnupg")
    yield made
    made.end()


@pytest.mark.parametrize("signed", [True, False])
def test_has_every_package_checked_and_all_metadata_that_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer, signed: bool
) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    work = Workspace(tmp_path, "image", tmp_path / "cache", io.StringIO(), 0)
    state = replace(STATE, keyring=keys.take(signer.keyring()), signed_metadata=signed)
    environment = write_settings(work, replace(step(state).rpm, excluded=("iwl*", "plymouth")), (state,))
    (tmp_path / "etc/ssl/certs").mkdir(parents=True)
    (tmp_path / "etc/ssl/certs/ca-certificates.crt").touch()
    told = configparser.ConfigParser(interpolation=None)
    told.read_string(step(state)._configuration(work, (remote(state),)))
    main, repository = told["main"], told["base"]
    assert (main["gpgcheck"], main["localpkg_gpgcheck"], main["sslverify"]) == ("1", "1", "1")
    assert (main["install_weak_deps"], main["plugins"]) == ("0", "0")
    assert (repository["gpgcheck"], repository["repo_gpgcheck"]) == ("1", str(int(signed)))
    assert repository["baseurl"] == "https://one https://two"
    key = tmp_path / repository["gpgkey"].removeprefix("file:///")
    assert key.read_text().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert environment == {"XDG_CONFIG_HOME": "/work/image/rpm-settings"}


def test_allows_sha1_where_a_key_needs_it_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer
) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    work = Workspace(tmp_path, "image", tmp_path / "cache", io.StringIO(), 0)
    old = replace(STATE, keyring=keys.take(signer.keyring()), sha1_key=True)
    environment = write_settings(work, step().rpm, (old,))
    policy = tmp_path / environment["RPM_SEQUOIA_CRYPTO_POLICY"].lstrip("/")
    assert policy.read_text() == POLICY
