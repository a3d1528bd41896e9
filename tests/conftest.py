"""What tests of several packages share: real images, built once."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from build import api, cache
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from distros.debian import TOOLS
from tests.resume import pytest_addoption, pytest_collection_modifyitems, pytest_configure
from tests.standin.trial import mirrored

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure"]

# How long an example takes says something of the machine, not of the code.
settings.register_profile("kiln", deadline=None)
settings.load_profile("kiln")

HOSTNAME = "kiln-spec"
ADMIN = "azureadmin"

ImageMaker = Callable[..., Path]
"""`image(distro_release="debian-13", gen="both", kind="generalized", provisioner="cloud-init", arch="x86_64")`.

It gives the image's folder; `kernel` is another than the recipe's first."""


@pytest.fixture(scope="session")
def shelf() -> Path:
    """The folder of the images that tests share, in the cache: what is unchanged is not built again."""
    path = cache.folder() / "test-images"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def admin_key(shelf: Path) -> Path:
    """The private key of ADMIN in specialized images; the public one lies beside it."""
    path = shelf / "admin-key"
    with cache.locked("test-admin-key"):
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", path], check=True)
    return path


@pytest.fixture(scope="session")
def image(shelf: Path, admin_key: Path) -> ImageMaker:
    """Gives the folder of an image, built when it is first asked for. Whoever changes one works on a copy.

    A recipe of another archive than the tools tree's, the one that is surely in reach, is built from its stand-in.
    """

    def make(
        distro_release: str = "debian-13",
        gen: str = "both",
        kind: str = "generalized",
        provisioner: str = "cloud-init",
        arch: str = "x86_64",
        kernel: str | None = None,
    ) -> Path:
        distro, _, release = distro_release.partition("-")
        request = BuildRequest(
            *(distro, release or None, gen, kind, provisioner),
            output=shelf,
            offline=offline(),
            arch=arch,
            kernel=kernel,
        )
        if kind == "specialized":
            request = replace(request, hostname=HOSTNAME, admin=ADMIN, ssh_key=admin_key.with_suffix(".pub"))
        recipe = find_recipe(distro, request.release, request.arch)
        if any(one.url == TOOLS.url for one in recipe.archives):
            return api.build(request, Progress()).folder
        with mirrored(recipe, Progress(), offline=offline()) as mirror:
            return api.build(replace(request, **mirror), Progress()).folder

    return make


def offline() -> bool:
    """Whether tests must do with what the cache holds."""
    return os.environ.get("KILN_TEST_OFFLINE") == "1"
