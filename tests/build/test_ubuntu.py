"""Ubuntu from its stand-in: whole images by every generation's packages, and mirrors that must not be believed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from build import api, cache
from build.errors import CallerError, KilnError, MachineError, RecipeError
from build.manifest import DISK, Manifest
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from harness.inspect import inspect
from tests.build.leaks import unpack_root
from tests.conftest import ImageMaker
from tests.standin import Standin, standin
from tests.standin.apt import write_release
from tests.standin.key import SigningKey
from tests.standin.serve import served

pytestmark = pytest.mark.real

RECIPE = find_recipe("ubuntu", "24.04", "x86_64")
SUITES = ("noble", "noble-updates", "noble-security")


@dataclass(frozen=True)
class Mirror:
    """A copy of the stand-in's archive that a test may spoil, and the key that signs it then."""

    folder: Path
    key: SigningKey
    date: int

    @property
    def packages(self) -> Path:
        """The list of all packages but the invented ones."""
        return self.folder / "mirror/dists/noble/main/binary-amd64/Packages"

    def put(self, path: Path, content: bytes) -> None:
        """Change a file here alone: the copies are links to the stand-in's own."""
        path.unlink()
        path.write_bytes(content)

    def release(self, **more: str) -> None:
        """Write and sign the release files anew, with these fields besides."""
        fields = {name.replace("_", "-"): value for name, value in more.items()}
        with self.key.opened() as opened:
            for suite in SUITES:
                folder = self.folder / "mirror/dists" / suite
                for name in ("Release", "InRelease", "Release.gpg"):
                    (folder / name).unlink()
                write_release(RECIPE, folder, self.date, fields)
                opened.clear_sign(folder / "Release", folder / "InRelease")
                opened.detach_sign(folder / "Release", folder / "Release.gpg")

    def build(self, output: Path, key: SigningKey | None = None) -> Path:
        """Build from it, believing `key` or its own."""
        with served(self.folder) as here:
            request = BuildRequest(
                *("ubuntu", "24.04"),
                size=3 << 30,
                output=output,
                mirror=f"{here.url}/mirror",
                mirror_key=(key or self.key).public,
            )
            return api.build(request, Progress()).folder

    def refused(self, output: Path, kind: type[KilnError], key: SigningKey | None = None) -> KilnError:
        """The error of that very class with which a build from it ends; nothing is left in `output`."""
        with pytest.raises(KilnError) as refusal:
            self.build(output, key)
        assert type(refusal.value) is kind, refusal.value
        assert refusal.value.hint
        assert not any(output.iterdir())
        return refusal.value


@pytest.fixture(scope="module")
def made() -> Standin:
    return standin(RECIPE, Progress())


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder beside the cache, where links to what lies in it can be made."""
    folder = Path(tempfile.mkdtemp(prefix="ubuntu-", dir=cache.folder()))
    yield folder
    cache.remove(folder)


@pytest.fixture
def output(room: Path) -> Path:
    (room / "output").mkdir()
    return room / "output"


@pytest.fixture
def mirror(made: Standin, room: Path) -> Mirror:
    folder = room / "served"
    shutil.copytree(made.served, folder, copy_function=os.link)
    (room / "key").mkdir()
    return Mirror(folder, SigningKey.make(room / "key"), signed_at(folder / "mirror/dists/noble/Release"))


def signed_at(release: Path) -> int:
    """The date of a release file, in seconds."""
    line = next(line for line in release.read_text().splitlines() if line.startswith("Date: "))
    return int(parsedate_to_datetime(line.removeprefix("Date: ")).timestamp())


def names(folder: Path) -> set[str]:
    return {package.name for package in Manifest.load(folder).packages}


def test_installs_in_full_for_both_generations(image: ImageMaker) -> None:
    """The signed GRUB takes grub-pc or grub-efi-amd64: only the first leaves BIOS its modules."""
    folder = image("ubuntu-24.04")
    asked = {*RECIPE.packages, *RECIPE.kernels[""].packages, *RECIPE.boot_packages["both"]}
    assert asked | {"cloud-init", "walinuxagent"} <= names(folder)
    assert not {"grub-efi-amd64", "waagent", "dracut"} & names(folder)
    assert [one["suite"] for one in Manifest.load(folder).archives] == list(SUITES)
    assert inspect(folder).passed


def test_is_labelled_and_knows_ubuntus_own_archives_alone(image: ImageMaker, room: Path) -> None:
    tree = unpack_root(image("ubuntu-24.04") / DISK, room)
    assert "stand-in" in (tree / "usr/lib/os-release").read_text().splitlines()[0]
    assert not (tree / "etc/apt/sources.list").exists()
    lists = [file.read_text() for file in (tree / "etc/apt/mirrors").iterdir()]
    assert all(text.startswith("http://azure.archive.ubuntu.com/ubuntu/\t") for text in lists)
    assert "127.0.0.1" not in "".join([*lists, (tree / "etc/apt/sources.list.d/ubuntu.sources").read_text()])
    assert "GRUB_RECORDFAIL_TIMEOUT=1" in (tree / "etc/default/grub.d/50-azure.cfg").read_text()


@pytest.mark.combination
@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
@pytest.mark.parametrize("gen", ["1", "2", "both"])
@pytest.mark.parametrize("release", ["22.04", "24.04", "26.04"])
def test_every_choice_installs_in_full(image: ImageMaker, release: str, gen: str, provisioner: str) -> None:
    folder = image(f"ubuntu-{release}", gen, provisioner=provisioner)
    recipe = find_recipe("ubuntu", release, "x86_64")
    asked = {*recipe.packages, *recipe.boot_packages[gen], *recipe.provisioning[provisioner].packages}
    assert asked <= names(folder)
    assert inspect(folder).passed


def test_believes_the_key_that_the_caller_names_and_no_other(mirror: Mirror, output: Path, made: Standin) -> None:
    mirror.release()
    error = mirror.refused(output, CallerError, made.key)
    assert "the signature of" in error.what


def test_builds_from_no_unsigned_mirror(mirror: Mirror, output: Path) -> None:
    mirror.release()
    folder = mirror.folder / "mirror/dists/noble-security"
    mirror.put(folder / "InRelease", (folder / "Release").read_bytes())
    assert "noble-security is not signed" in mirror.refused(output, CallerError).what


def test_takes_no_package_that_was_altered(mirror: Mirror, output: Path) -> None:
    """Its list still holds: only the package's own digest tells."""
    mirror.release()
    (package,) = (mirror.folder / "mirror/pool/main").glob("netbase_*.deb")
    content = bytearray(package.read_bytes())
    content[-1] ^= 0xFF
    mirror.put(package, bytes(content))
    assert "Hash Sum mismatch" in mirror.refused(output, MachineError).what


def test_takes_no_list_that_was_altered(mirror: Mirror, output: Path) -> None:
    mirror.release()
    mirror.put(mirror.packages, mirror.packages.read_bytes().replace(b"Priority: optional", b"Priority: required", 1))
    mirror.refused(output, MachineError)


def test_names_a_package_that_the_mirror_lacks(mirror: Mirror, output: Path) -> None:
    kept = [part for part in mirror.packages.read_text().split("\n\n") if not part.startswith("Package: chrony\n")]
    mirror.put(mirror.packages, "\n\n".join(kept).encode())
    mirror.release()
    error = mirror.refused(output, RecipeError)
    assert "chrony" in error.what


def test_takes_no_release_that_has_expired(mirror: Mirror, output: Path) -> None:
    mirror.release(Valid_Until="Thu, 01 Oct 2026 00:00:00 GMT")
    error = mirror.refused(output, MachineError)
    assert "expired" in error.what
