"""Recipes: that each is whole and consistent, and the few values that Azure or a release decides."""

import re
from datetime import date
from itertools import permutations, product

import pytest

from distros import Recipe, all_recipes, withheld
from distros.proof import SEEN, WORDS, proven
from distros.recipe import ARCHITECTURES, KINDS, PROVISIONERS, Archive, Repository, TextFile

RECIPES = list(all_recipes())
BY_NAME = {recipe.name: recipe for recipe in RECIPES if recipe.arch == "x86_64"}
each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.name}-{recipe.arch}")
of_packages = pytest.mark.parametrize(
    "recipe",
    [recipe for recipe in RECIPES if recipe.archives],
    ids=lambda recipe: f"{recipe.name}-{recipe.arch}",
)
FAMILIES = ("apt", "dnf", "zypper", "flatcar")
FINGERPRINT = re.compile(r"[0-9A-F]{40}")
PACKAGES = {"apt": re.compile(r"[a-z0-9][a-z0-9+.-]+"), "rpm": re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]+")}
UNIT = re.compile(r"[A-Za-z0-9@:_.-]+\.(service|timer|socket|path|target)")


def files(recipe: Recipe) -> list[TextFile]:
    parts = [*recipe.provisioning.values(), recipe.specialized]
    settings = [recipe.grub_defaults] if recipe.grub_defaults else []
    return [*recipe.early_files, *recipe.files, *(file for part in parts for file in part.files), *settings]


def test_no_two_are_called_alike() -> None:
    assert len({(recipe.name, recipe.arch) for recipe in RECIPES}) == len(RECIPES)
    words = [(one.distro, one.arch, word) for one in RECIPES for word in {one.release, one.codename} - {""}]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("distro", "arch"), sorted({(recipe.distro, recipe.arch) for recipe in RECIPES}), ids=lambda word: word
)
def test_a_distribution_has_one_default(distro: str, arch: str) -> None:
    same = [recipe for recipe in RECIPES if (recipe.distro, recipe.arch) == (distro, arch)]
    assert len([recipe for recipe in same if recipe.default]) == 1


@pytest.mark.parametrize("distro", sorted({recipe.distro for recipe in RECIPES}))
def test_means_the_same_release_by_a_bare_name_whatever_the_processor(distro: str) -> None:
    assert len({recipe.release for recipe in RECIPES if recipe.distro == distro and recipe.default}) == 1


@each
def test_is_of_a_family_and_an_architecture_that_there_are(recipe: Recipe) -> None:
    assert recipe.family in FAMILIES
    assert recipe.arch in ARCHITECTURES
    assert proven(recipe) in WORDS


@each
def test_numbers_its_versions_by_its_release(recipe: Recipe) -> None:
    """A gallery takes the highest version for the latest, so the numbers must follow the releases."""
    numbers = [int(part) for part in recipe.release.split(".") if part.isdigit()]
    assert recipe.major == (numbers[0] * 100 + numbers[1] if len(numbers) > 1 else sum(numbers))


@of_packages
def test_covers_every_generation_and_provisioner(recipe: Recipe) -> None:
    """Azure's machines with ARM processors are of generation 2 alone."""
    assert list(recipe.provisioning) == list(PROVISIONERS)
    assert list(recipe.boot_packages) == (["1", "2", "both"] if recipe.arch == "x86_64" else ["2"])


@of_packages
def test_takes_boot_loaders_of_its_own_processor(recipe: Recipe) -> None:
    assert recipe.grub
    names = {name for packages in recipe.boot_packages.values() for name in packages}
    targets = [target for _, target in recipe.grub.loaders]
    foreign = ("aarch64", "arm64", "aa64") if recipe.arch == "x86_64" else ("x86_64", "amd64", "x64", "i386", "-pc")
    assert [name for name in names if name.removesuffix("-signed").endswith(foreign)] == []
    assert ("EFI/BOOT/BOOTX64.EFI" if recipe.arch == "x86_64" else "EFI/BOOT/BOOTAA64.EFI") in targets
    assert not [target for target in targets if "fbx64" in target or "fbaa64" in target]
    assert len(targets) == len(set(targets))


@of_packages
def test_leads_every_signed_grub_to_its_configuration(recipe: Recipe) -> None:
    assert recipe.grub
    vendors = {target.split("/")[1] for _, target in recipe.grub.loaders} - {"BOOT"}
    folders = {stub.split("/")[1] for stub in recipe.grub.stubs}
    assert vendors <= folders <= {*vendors, "BOOT"}


@each
def test_names_packages_and_units_as_they_can_be_named(recipe: Recipe) -> None:
    parts = [*recipe.provisioning.values(), recipe.specialized]
    packages = [*recipe.packages, *(name for names in recipe.boot_packages.values() for name in names)]
    packages += [name for part in parts for name in part.packages]
    units = [*recipe.services, *(unit for part in parts for unit in (*part.services, *part.only_generalized))]
    packages += [name for kernel in recipe.kernels.values() for name in kernel.packages]
    good = PACKAGES["apt" if recipe.family == "apt" else "rpm"]
    assert [name for name in packages if not good.fullmatch(name)] == []
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


@of_packages
def test_enables_only_units_of_its_own_that_it_writes(recipe: Recipe) -> None:
    for provisioner, kind in product(PROVISIONERS, KINDS):
        part = recipe.provisioning[provisioner]
        parts = [part, recipe.specialized] if kind == "specialized" else [part]
        units = [unit for one in parts for unit in one.services]
        units += part.only_generalized if kind == "generalized" else []
        written = {file.path for one in parts for file in one.files}
        ours = [unit for unit in units if unit.startswith("kiln-")]
        assert [unit for unit in ours if f"/etc/systemd/system/{unit}" not in written] == []


@of_packages
def test_believes_signed_archives_alone(recipe: Recipe) -> None:
    for archive in recipe.archives:
        assert not archive.url.endswith("/")
        assert archive.keys
        assert [key for key in archive.keys if not FINGERPRINT.fullmatch(key)] == []
        assert all(keyring.startswith("/usr/share/") for keyring in archive.keyring.split(":"))
        if isinstance(archive, Archive):
            assert archive.suites
            assert archive.keyring.startswith("/usr/share/keyrings/")


@of_packages
def test_says_of_every_repository_how_it_is_guarded(recipe: Recipe) -> None:
    """Where nobody signs the lists of packages, they come by TLS; what was only inferred says so."""
    repositories = [one for one in recipe.archives if isinstance(one, Repository)]
    assert len({one.name for one in repositories}) == len(repositories)
    for one in repositories:
        assert one.source
        assert one.access in ("", "entitlement", "scc")
        assert one.url.endswith(one.path)
        assert one.url.startswith("https://")
        assert not one.metalink or one.metalink.startswith("https://")


@each
def test_says_until_when_it_is_supported(recipe: Recipe) -> None:
    """What rolls has no end; each distribution that has one has a release that is not past it."""
    if recipe.end_of_support:
        assert date.fromisoformat(recipe.end_of_support) > date(2026, 1, 1)
    if recipe.default and recipe.end_of_support:
        assert date.fromisoformat(recipe.end_of_support) > date(2027, 1, 1)


@of_packages
def test_shows_the_boot_on_the_serial_console(recipe: Recipe) -> None:
    consoles = [argument for argument in recipe.cmdline if argument.startswith("console=")]
    assert consoles[-1].startswith("console=ttyS0" if recipe.arch == "x86_64" else "console=ttyAMA0")
    assert recipe.grub_defaults
    assert "{cmdline}" in recipe.grub_defaults.text
    assert not {"quiet", "rhgb", "splash"} & set(recipe.cmdline)


@of_packages
def test_has_the_drivers_of_azure_in_every_initramfs(recipe: Recipe) -> None:
    """dracut gets them by name, for the build and, by a file, for the kernels of later updates.

    Ubuntu's kernel for Azure has them built in.
    """
    assert recipe.initramfs
    assert "{kernel}" in recipe.initramfs.name
    drivers = {"hv_vmbus", "hv_storvsc", "hv_netvsc", "nvme"}
    if recipe.initramfs.tool == "dracut":
        assert drivers <= set(recipe.initramfs.drivers)
        assert recipe.family == "apt" or _kept_drivers(recipe, drivers)


def _kept_drivers(recipe: Recipe, drivers: set[str]) -> bool:
    kept = [file.text for file in files(recipe) if file.path.startswith("/etc/dracut.conf.d/")]
    return any(all(driver in text for driver in drivers) for text in kept)


@of_packages
def test_tells_its_kernels_apart(recipe: Recipe) -> None:
    """A version of one kernel must not pass for one of another."""
    marks = {name: kernel.marks for name, kernel in recipe.kernels.items()}
    assert all(marks.values()) or not any(marks.values())
    assert not [
        one for one, two in permutations(marks, 2) for mark in marks[one] if any(mark in other for other in marks[two])
    ]


@of_packages
def test_keeps_a_database_of_packages_where_its_release_looks_for_it(recipe: Recipe) -> None:
    if recipe.family == "apt":
        assert recipe.rpm is None
        return
    assert recipe.rpm
    databases = {"dnf": "sqlite", "zypper": "ndb"}
    assert recipe.rpm.database == databases[recipe.family]
    assert recipe.rpm.database_path == ("/var/lib/rpm" if recipe.rpm.release == "9" else "/usr/lib/sysimage/rpm")
    assert not set(recipe.packages) & set(recipe.rpm.excluded)


@pytest.mark.parametrize("distro", ["almalinux", "centos", "oracle", "rhel", "rocky"])
def test_says_why_release_8_is_not_offered(distro: str) -> None:
    assert "Berkeley DB" in withheld(distro, "8")
    assert withheld(distro, "8.10") == withheld(distro, "8")
    assert withheld(distro, "7") == withheld("debian", "8") == ""


@of_packages
def test_never_waits_for_a_root_disk_by_a_fixed_time(recipe: Recipe) -> None:
    """initramfs-tools sleeps rootdelay out on every boot."""
    assert "rootdelay" not in " ".join(recipe.cmdline) + "".join(file.text for file in files(recipe))


@of_packages
def test_names_the_features_of_its_file_system(recipe: Recipe) -> None:
    """What mke2fs would choose by itself, a later release's GRUB or fsck may not know."""
    features = recipe.ext4_features.split(",")
    assert features[0] == "none"
    assert not {"orphan_file", "metadata_csum_seed"} & set(features)
    assert {"has_journal", "extent", "resize_inode"} <= set(features)


@of_packages
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


@pytest.mark.parametrize("recipe", [recipe for recipe in BY_NAME.values() if recipe.family == "apt"])
def test_points_the_image_to_its_own_release_and_no_other(recipe: Recipe) -> None:
    others = {one.codename for one in RECIPES} - {recipe.codename, ""}
    texts = "".join(file.text for file in files(recipe) if file.path.startswith("/etc/apt/"))
    assert recipe.codename in texts
    assert not [name for name in others if name in texts]


def test_whatever_was_seen_is_of_a_recipe_that_there_is() -> None:
    assert set(SEEN) <= {(recipe.name, recipe.arch) for recipe in all_recipes()}
    assert set(SEEN.values()) <= set(WORDS)
