"""Recipes: that each is whole and consistent, and the few values that Azure or a release decides."""

import re
from datetime import date
from itertools import product

import pytest

from distros import Recipe, all_recipes
from distros.recipe import KINDS, PROVISIONERS, TextFile

RECIPES = list(all_recipes())
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
UNIT = re.compile(r"[A-Za-z0-9@:_.-]+\.(service|timer|socket|path|target)")


def files(recipe: Recipe) -> list[TextFile]:
    parts = [*recipe.provisioning.values(), recipe.specialized]
    return [*recipe.early_files, *recipe.files, *(file for part in parts for file in part.files), recipe.grub_defaults]


def test_no_two_are_called_alike() -> None:
    assert len(BY_NAME) == len(RECIPES)
    assert len({recipe.codename for recipe in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("distro", sorted({recipe.distro for recipe in RECIPES}))
def test_a_distribution_has_one_default(distro: str) -> None:
    assert len([recipe for recipe in RECIPES if recipe.distro == distro and recipe.default]) == 1


@each
def test_covers_every_generation_and_provisioner(recipe: Recipe) -> None:
    assert set(recipe.provisioning) == set(PROVISIONERS)
    assert set(recipe.boot_packages) == {"1", "2", "both"}


@each
def test_names_packages_and_units_as_they_can_be_named(recipe: Recipe) -> None:
    parts = [*recipe.provisioning.values(), recipe.specialized]
    packages = [*recipe.packages, *(name for names in recipe.boot_packages.values() for name in names)]
    packages += [name for part in parts for name in part.packages]
    units = [*recipe.services, *(unit for part in parts for unit in (*part.services, *part.only_generalized))]
    assert [name for name in packages if not PACKAGE.fullmatch(name)] == []
    assert [unit for unit in units if not UNIT.fullmatch(unit)] == []
    assert len(set(recipe.packages)) == len(recipe.packages)


@each
def test_writes_files_that_end_with_a_line_and_can_be_read(recipe: Recipe) -> None:
    for file in files(recipe):
        assert file.path.startswith("/")
        assert "/../" not in file.path
        assert not file.text or file.text.endswith("\n"), file.path
        assert file.mode & 0o400, file.path
        assert file.mode & 0o022 == 0, file.path
        assert "\r" not in file.text
        assert file.text.startswith("#!") == bool(file.mode & 0o111), file.path


@each
def test_enables_only_units_of_its_own_that_it_writes(recipe: Recipe) -> None:
    for provisioner, kind in product(PROVISIONERS, KINDS):
        part = recipe.provisioning[provisioner]
        parts = [part, recipe.specialized] if kind == "specialized" else [part]
        units = [unit for one in parts for unit in one.services]
        units += part.only_generalized if kind == "generalized" else []
        written = {file.path for one in parts for file in one.files}
        ours = [unit for unit in units if unit.startswith("kiln-")]
        assert [unit for unit in ours if f"/etc/systemd/system/{unit}" not in written] == []


@each
def test_believes_signed_archives_alone(recipe: Recipe) -> None:
    for archive in recipe.archives:
        assert archive.keyring.startswith("/usr/share/keyrings/")
        assert archive.suites
        assert not archive.url.endswith("/")


@each
def test_says_until_when_it_is_supported(recipe: Recipe) -> None:
    assert date.fromisoformat(recipe.end_of_support) > date(2026, 1, 1)


@each
def test_shows_the_boot_on_the_serial_console(recipe: Recipe) -> None:
    consoles = [argument for argument in recipe.cmdline if argument.startswith("console=")]
    assert consoles[-1].startswith("console=ttyS0")
    assert "{cmdline}" in recipe.grub_defaults.text


@each
def test_never_waits_for_a_root_disk_by_a_fixed_time(recipe: Recipe) -> None:
    """initramfs-tools sleeps rootdelay out on every boot."""
    assert "rootdelay" not in " ".join(recipe.cmdline) + "".join(file.text for file in files(recipe))


@each
def test_names_the_features_of_its_file_system(recipe: Recipe) -> None:
    """What mke2fs would choose by itself, a later release's GRUB or fsck may not know."""
    features = recipe.ext4_features.split(",")
    assert features[0] == "none"
    assert not {"orphan_file", "metadata_csum_seed"} & set(features)
    assert {"has_journal", "extent", "resize_inode"} <= set(features)


@each
def test_leaves_provisioning_to_one_alone(recipe: Recipe) -> None:
    agents = {name: dict(part.agent_settings).get("Provisioning.Agent") for name, part in recipe.provisioning.items()}
    assert agents == {"cloud-init": "cloud-init", "waagent": "waagent", "none": None}
    assert dict(recipe.specialized.agent_settings)["Provisioning.Agent"] == "disabled"
    assert "cloud-init" not in (*recipe.packages, *recipe.provisioning["waagent"].packages)


@pytest.mark.parametrize(
    ("name", "codename", "present", "absent"),
    [
        ("debian-13", "trixie", {"azure-vm-utils", "libnss-resolve"}, {"isc-dhcp-client"}),
        ("debian-12", "bookworm", {"isc-dhcp-client"}, {"azure-vm-utils", "libnss-resolve"}),
    ],
)
def test_debian_releases_differ_where_they_must(name: str, codename: str, present: set[str], absent: set[str]) -> None:
    recipe = BY_NAME[name]
    assert recipe.codename == codename
    assert present <= set(recipe.packages)
    assert not absent & set(recipe.packages)
    assert [suite for archive in recipe.archives for suite in archive.suites] == [
        codename,
        f"{codename}-updates",
        f"{codename}-security",
    ]


@each
def test_points_the_image_to_its_own_release_and_no_other(recipe: Recipe) -> None:
    others = {one.codename for one in RECIPES} - {recipe.codename}
    texts = "".join(file.text for file in files(recipe) if file.path.startswith("/etc/apt/"))
    assert recipe.codename in texts
    assert not [name for name in others if name in texts]
