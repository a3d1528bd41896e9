import pytest

from distros import all_recipes
from tests.standin import carve, dpkg, flavour, kernel, loaders, pool, rpm, selinux
from tests.standin.carve import Entry
from tests.standin.dpkg import Deb
from tests.standin.el import FLAVOUR as EL
from tests.standin.rpm import Package
from tests.standin.suse import FLAVOUR as SUSE

RECIPES = {one.name: one for one in all_recipes() if one.arch == "x86_64" and one.family in ("dnf", "zypper")}


@pytest.mark.parametrize(
    ("debian", "expected"),
    [
        ("1:2.4-3+b1", ("2.4", "3+b1.standin")),
        ("2026c-0+deb13u1", ("2026c", "0+deb13u1.standin")),
        ("4.16.0-2+really2.41-5", ("4.16.0_2+really2.41", "5.standin")),
        ("13.8", ("13.8", "1.standin")),
    ],
)
def test_splits_a_debian_version(debian: str, expected: tuple[str, str]) -> None:
    assert rpm.split_version(debian) == expected


def test_writes_a_spec_with_a_section_for_each_package() -> None:
    entries = (Entry("/usr/bin/a", "file", 0o755),)
    text = rpm.spec((Package("a", "2", "3", ("b",), ("c",), entries, (("posttrans", "true"),)), Package("b")), "/lists")
    assert "%package -n a\nVersion: 2\nRelease: 3\n" in text
    assert "Requires: b\nProvides: c\n" in text and "%posttrans -n a\ntrue\n" in text
    assert "%files -n a -f /lists/a\n" in text and text.endswith("%files -n b\n")


def test_lists_folders_links_and_odd_names() -> None:
    entries = (
        Entry("/usr", "folder", 0o755),
        Entry("/usr/bin/[", "file", 0o755),
        Entry("/usr/link", "link", 0o777),
        Entry("/usr/a%b", "file", 0o4755, "root", "mail"),
    )
    assert rpm.file_list(entries).splitlines() == [
        "%attr(755,root,root) %dir /usr",
        '%attr(755,root,root) "/usr/bin/["',
        "/usr/link",
        "%attr(4755,root,mail) /usr/a%%b",
    ]


def test_takes_the_first_alternative_that_the_pool_has() -> None:
    found = {
        "a": Deb("a", "1", (("x", "b"), ("mail",), ("a",)), (), False),
        "b": Deb("b", "1", (), (), False),
        "postfix": Deb("postfix", "1", (), ("mail",), False),
    }
    assert pool.needs(found["a"], found) == ("b", "postfix")


@pytest.mark.parametrize(
    ("path", "expected"), [("/bin/sh", "/usr/bin/sh"), ("/etc/bin/x", "/etc/bin/x"), ("/usr/lib/y/", "/usr/lib/y")]
)
def test_knows_where_a_merged_tree_has_a_path(path: str, expected: str) -> None:
    assert dpkg.merged(path) == expected


def test_gives_compiled_code_to_the_package_of_its_source() -> None:
    entry = Entry("/usr/lib/python3/dist-packages/x/__pycache__/y.cpython-313.pyc", "file", 0o644)
    assert carve.home(entry, {"/usr/lib/python3/dist-packages/x/y.py": "python3-x"}) == "python3-x"
    assert carve.home(Entry("/etc/alternatives/vi", "link", 0o777), {}) == carve.SETTINGS


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ((), "6.12.9+deb13-cloud-amd64"),
        (("-cloud",), "6.12.9+deb13-cloud-amd64"),
        (("-default",), "6.12.9-1-default"),
        ((".el9uek",), "6.12.9-1.el9uek.x86_64"),
        ((".el9.", ".el9_"), "6.12.9-1.el9.x86_64"),
    ],
)
def test_calls_a_kernel_as_the_recipe_knows_it(marks: tuple[str, ...], expected: str) -> None:
    assert kernel.name_for("6.12.9+deb13-cloud-amd64", marks) == expected


@pytest.mark.parametrize("name", RECIPES)
def test_gives_every_kernel_a_version_with_its_mark(name: str) -> None:
    for one in RECIPES[name].kernels.values():
        version = kernel.name_for("6.12.9+deb13-cloud-amd64", one.marks)
        assert not one.marks or any(mark in version for mark in one.marks)


def test_changes_a_kernels_release_alone() -> None:
    def field(text: str) -> bytes:
        return text.encode().ljust(kernel.FIELD, b"\0")

    program = b"x" + field("Linux") + field("(none)") + field("6.12.9+deb13") + field("#1 SMP") + b"6.12.9+deb13 mod"
    changed = kernel.with_release(program, "6.12.9+deb13", "6.12.9-1-default")
    assert changed == program.replace(field("6.12.9+deb13"), field("6.12.9-1-default"))


@pytest.mark.parametrize("name", RECIPES)
def test_marks_os_release_as_a_stand_in(name: str) -> None:
    recipe = RECIPES[name]
    text = flavour.os_release(recipe, EL if recipe.family == "dnf" else SUSE)
    assert f'ID="{recipe.os_ids[0] if recipe.os_ids else recipe.distro}"\n' in text
    assert f'PRETTY_NAME="{recipe.title} stand-in' in text


def test_builds_the_folder_of_the_only_stub_into_grub() -> None:
    recipe = RECIPES["almalinux-10"]
    assert recipe.grub and loaders.prefix(recipe.grub) == "/EFI/almalinux"


def test_has_grub_look_where_it_starts_where_there_are_several_stubs() -> None:
    recipe = RECIPES["opensuse-16.0"]
    assert recipe.grub and loaders.prefix(recipe.grub) == ""
    assert loaders.second_stage(recipe.grub) == "grub.efi"


def test_adds_groups_that_are_missing() -> None:
    text = flavour.with_groups("root:x:0:\nadm:x:4:\n", ("wheel", "adm"), "x:{id}:")
    assert text == "root:x:0:\nadm:x:4:\nwheel:x:890:\n"


def test_asks_for_the_names_of_every_variant() -> None:
    recipe = RECIPES["oracle-9"]
    names = flavour.wanted(recipe)
    assert {"kernel", "kernel-uek-core", "grub2-pc", "shim-x64", "cloud-init", "WALinuxAgent"} <= set(names)
    assert len(names) == len(set(names))


def test_finds_the_domains_that_a_policy_surely_has() -> None:
    modules = (
        "(type sshd_t)\n(type sshd_exec_t)\n(typeattributeset domain (sshd_t ssh_t ))\n",
        "(type ssh_t)\n(optional ssh_optional_3\n    (type gone_t)\n    (typeattributeset domain (gone_t ))\n)\n",
    )
    assert selinux.domains(modules) == ("ssh_t", "sshd_t")
