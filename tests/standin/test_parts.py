"""The parts of a stand-in that need neither network nor rights."""

import hashlib
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from build import keys
from build.errors import CallerError
from build.progress import Progress
from build.request import find_recipe
from tests.standin import FIRST, KINDS, Standin, command
from tests.standin.apt import SHAPES, sets_of, write_release
from tests.standin.command import StandinRequest
from tests.standin.debs import renamed
from tests.standin.key import SigningKey
from tests.standin.report import Invented
from tests.standin.serve import served

CONTROL = """\
Package: waagent
Version: 2.12.0.4-1
Architecture: all
Depends: python3
Conflicts: network-manager, walinuxagent
Provides: walinuxagent
Description: the agent
 Package: is a word here, too
"""


def request(kind: str, distro: str | None = None, output: Path | None = None) -> StandinRequest:
    return StandinRequest(kind, distro, None, "x86_64", output, 8765)


def test_renames_a_package_and_drops_what_it_said_of_its_new_name() -> None:
    control = renamed(CONTROL, "walinuxagent")
    assert control.startswith("Package: walinuxagent\nVersion: 2.12.0.4-1+standin\n")
    assert "Conflicts" not in control
    assert "Provides" not in control
    assert "Depends: python3\n" in control
    assert control.endswith(" Package: is a word here, too\n")


def test_leaves_a_package_that_keeps_its_name_its_relations() -> None:
    assert renamed(CONTROL, "waagent") == CONTROL.replace("0.4-1", "0.4-1+standin")


def test_asks_for_the_packages_of_every_image_of_a_recipe() -> None:
    recipe = find_recipe("ubuntu", "24.04", "x86_64")
    sets = list(sets_of(recipe))
    assert len(sets) == len(recipe.kernels) * len(recipe.boot_packages) * len(recipe.provisioning)
    assert not [one for one in sets if {"grub-pc", "grub-efi-amd64"} <= set(one)]
    assert {"linux-azure", "linux-azure-lts-24.04"} <= {name for one in sets for name in one}


@pytest.mark.parametrize("release", ["22.04", "24.04", "26.04"])
@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_has_something_for_each_name_that_only_the_distribution_has(release: str, arch: str) -> None:
    """What it asks of Debian in a name's place, it offers under that name."""
    recipe = find_recipe("ubuntu", release, arch)
    shape = SHAPES["ubuntu"]
    offered = {deb.name for deb in (*shape.made(recipe, b""), *shape.repacked(recipe))}
    assert set(shape.stands_for(recipe)) <= offered
    assert all("stand-in" in label or "standin" in label for label in shape.labels(recipe))


def test_a_release_file_names_the_lists_by_their_digests(tmp_path: Path) -> None:
    lists = tmp_path / "noble/main/binary-amd64/Packages"
    lists.parent.mkdir(parents=True)
    lists.write_text("Package: a\n")
    write_release(find_recipe("ubuntu", "24.04", "x86_64"), tmp_path / "noble", 1795227046, {"Valid-Until": "never"})
    text = (tmp_path / "noble/Release").read_text()
    assert {"Suite: noble", "Codename: noble", "Origin: Ubuntu", "Valid-Until: never"} <= set(text.splitlines())
    assert "Date: Sat, 21 Nov 2026 02:10:46 GMT\n" in text
    digest = hashlib.sha256(b"Package: a\n").hexdigest()
    assert text.endswith(f"SHA256:\n {digest} 11 main/binary-amd64/Packages\n")


def test_signs_so_that_only_its_own_key_confirms_it(tmp_path: Path) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    own, other = (SigningKey.make(tmp_path / name) for name in ("own", "other"))
    (tmp_path / "text").write_text("words\n")
    with own.opened() as opened:
        opened.clear_sign(tmp_path / "text", tmp_path / "signed")
    (tmp_path / "ring").write_bytes(own.binary())
    (tmp_path / "foreign").write_bytes(other.binary())
    told = {
        ring: subprocess.run(
            ["gpgv", "--status-fd", "1", "--keyring", tmp_path / ring, tmp_path / "signed"],
            capture_output=True,
            text=True,
            check=False,
        )
        for ring in ("ring", "foreign")
    }
    assert keys.signers(told["ring"].stdout) == {own.fingerprint}
    assert (told["ring"].returncode, told["foreign"].returncode) == (0, 2)
    assert own.secret.stat().st_mode & 0o077 == 0


def test_serves_a_folder_and_notes_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with served(tmp_path) as here, urllib.request.urlopen(f"{here.url}/file") as answer:
        assert answer.read() == b"content"
    assert here.asked == ["/file"]


def test_serves_a_folder_at_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with served(tmp_path, at="/place") as here:
        with urllib.request.urlopen(f"{here.url}/place/file") as answer:
            assert answer.read() == b"content"
        for elsewhere in ("/file", "/placefile", "/"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(here.url + elsewhere)


def test_two_of_the_same_recipe_have_different_places(tmp_path: Path) -> None:
    recipe = find_recipe("rocky", "10", "x86_64")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key.asc").write_text(name)
        made.append(Standin(recipe, tmp_path / name, Invented(recipe.name, "Debian 13", (), (), ()), "/mirror"))
    assert len({one.url("http://127.0.0.1:1") for one in made}) == 2
    assert made[0].url("http://127.0.0.1:1") == f"http://127.0.0.1:1{made[0].place}/mirror"


def test_keeps_what_it_invented_in_a_report(tmp_path: Path) -> None:
    invented = Invented("ubuntu-24.04", "Debian 13", ("a label",), (("base-files", "the name"),), ("linux-tools",))
    invented.save(tmp_path)
    assert Invented.load(tmp_path) == invented
    assert any("linux-tools" in line for line in invented.lines())


def test_every_kind_has_a_distribution_to_begin_with() -> None:
    assert set(FIRST) == set(KINDS.values())
    assert KINDS[find_recipe(FIRST["apt"], None, "x86_64").family] == "apt"


@pytest.mark.parametrize(
    ("asked", "message"),
    [(request("deb"), "no stand-in of the kind 'deb'"), (request("el", "ubuntu"), "ubuntu-24.04 is of the kind apt")],
)
def test_makes_none_of_a_kind_that_does_not_fit(asked: StandinRequest, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        command.make(asked, Progress())


def test_takes_no_folder_that_holds_something_else(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no stand-in is in it"):
        command.make(request("apt", output=tmp_path), Progress())


def test_tells_the_command_that_builds_from_it(tmp_path: Path) -> None:
    Invented("ubuntu-24.04", "Debian 13", (), (), ()).save(tmp_path)
    (tmp_path / "key.asc").write_text("a key")
    asked = request("apt", output=tmp_path)
    made = command.make(asked, Progress())
    *_, serve, _, build = command.lines(made, asked)
    assert serve.strip() == f"./kiln standin apt --arch x86_64 --output {tmp_path} --port 8765 --serve"
    assert f"--mirror http://127.0.0.1:8765{made.place}/mirror" in build
    assert f"--mirror-key {tmp_path}/key.asc" in build
