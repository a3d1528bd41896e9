"""What a caller may ask for: refusals name what is wrong and what exists instead."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError
from build.request import BuildRequest, choose, find_recipe

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGYpXk2Vd9m8k0 someone@somewhere"
PLAIN = BuildRequest("debian")
RECIPE = find_recipe("debian", None, "x86_64")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(KEY + "\n")
    return path


@pytest.fixture
def specialized(key: Path) -> BuildRequest:
    return replace(PLAIN, kind="specialized", hostname="web-1", admin="operator", ssh_key=key)


@pytest.mark.parametrize(
    ("release", "name"), [(None, "debian-13"), ("13", "debian-13"), ("trixie", "debian-13"), ("bookworm", "debian-12")]
)
def test_finds_a_release_by_number_or_name_and_the_newest_without(release: str | None, name: str) -> None:
    assert find_recipe("debian", release, "x86_64").name == name


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        (("plan9", None, "x86_64"), "no recipe for 'plan9'; there is: .*debian, ", "distros"),
        (("debian", "7", "x86_64"), "no recipe for debian '7'", "12, 13"),
        (("debian", "", "x86_64"), "no recipe for debian ''", "12, 13"),
        (("debian", "13", "riscv64"), "no recipe for riscv64", "x86_64"),
        (("almalinux", "", "x86_64"), "no recipe for almalinux ''", "9, 10"),
        (("almalinux", "8", "x86_64"), "almalinux 8 is not offered: its package database is Berkeley DB", "9, 10"),
        (("rhel", "8.10", "aarch64"), "rhel 8.10 is not offered", "9, 10"),
    ],
)
def test_names_what_exists_instead(wanted: tuple[str, str | None, str], message: str, hint: str) -> None:
    with pytest.raises(CallerError, match=message) as refusal:
        find_recipe(*wanted)
    assert hint in refusal.value.hint


@pytest.mark.parametrize(
    ("distro", "release", "name"),
    [
        ("sles", "15.7", "sles-15.7"),
        ("sles", "15-SP7", "sles-15.7"),
        ("sles", "15-sp7", "sles-15.7"),
        ("opensuse", None, "opensuse-16.0"),
        ("opensuse", "leap-16.0", "opensuse-16.0"),
        ("opensuse", "Tumbleweed", "opensuse-tumbleweed"),
        ("centos", "9-stream", "centos-9"),
    ],
)
def test_finds_a_release_by_every_word_for_it(distro: str, release: str | None, name: str) -> None:
    assert find_recipe(distro, release, "aarch64").name == name


def test_takes_the_recipes_size_unless_another_is_given() -> None:
    assert choose(RECIPE, PLAIN).size == RECIPE.size
    assert choose(RECIPE, replace(PLAIN, size=3 << 30)).size == 3 << 30
    assert choose(RECIPE, replace(PLAIN, size=0)).size == 0


def test_passes_name_administrator_and_key_to_a_specialized_image(specialized: BuildRequest) -> None:
    chosen = choose(RECIPE, specialized)
    assert (chosen.hostname, chosen.admin, chosen.ssh_key) == ("web-1", "operator", KEY)


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"gen": "3"}, "--gen '3'", "1, 2, both"),
        ({"kind": "golden"}, "--type 'golden'", "generalized, specialized"),
        ({"provisioner": "ignition"}, "debian-13 has no --provisioner ignition", "cloud-init, waagent, none"),
        ({"hostname": "web-1"}, "--hostname belong", "Azure names"),
        ({"admin": "a", "ssh_key": Path("k")}, "--admin, --ssh-key belong", "Azure names"),
        ({"mirror": "ftp://archive"}, "is no mirror", "http"),
        ({"mirror": "file:///srv"}, "is no mirror", "http"),
        ({"mirror": "http://a b"}, "is no mirror", "http"),
        ({"mirror": "http://a] b [c"}, "is no mirror", "http"),
        ({"mirror": ""}, "is no mirror", "http"),
    ],
)
def test_refuses_what_does_not_exist(changes: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(CallerError, match=message) as refusal:
        choose(RECIPE, replace(PLAIN, **changes))
    assert hint in refusal.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hostname": None}, "needs a name and an administrator"),
        ({"ssh_key": None}, "needs a name and an administrator"),
        ({"hostname": "Web_1"}, "is no host name"),
        ({"hostname": "-web"}, "is no host name"),
        ({"hostname": "w" * 64}, "is no host name"),
        ({"hostname": "web\n"}, "is no host name"),
        ({"admin": "root"}, "is no name for an administrator"),
        ({"admin": "Op erator"}, "is no name for an administrator"),
        ({"ssh_key": Path("/nowhere/key.pub")}, "cannot be read: No such file"),
        ({"ssh_key": Path("/")}, "cannot be read: Is a directory"),
    ],
)
def test_refuses_an_identity_that_cannot_be(specialized: BuildRequest, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CallerError, match=message):
        choose(RECIPE, replace(specialized, **changes))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "holds no public key"),
        (KEY.encode() + b"\n" + KEY.encode(), "holds no public key"),
        (b"ssh-dss AAAA old", "holds no public key"),
        (b"\xff\xfe\x00", "cannot be read: it is no text"),
    ],
)
def test_refuses_a_file_that_is_no_public_key(
    specialized: BuildRequest, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "other.pub"
    file.write_bytes(content)
    with pytest.raises(CallerError, match=message) as refusal:
        choose(RECIPE, replace(specialized, ssh_key=file))
    assert "PRIVATE" not in refusal.value.what + refusal.value.hint
