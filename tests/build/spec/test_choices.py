"""Specs and flags together, and a recipe with a spec laid on it."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.api import describe_plan
from build.errors import CallerError, MachineError, RecipeError
from build.plan import image_name
from build.request import BuildRequest, choose, completed
from build.spec import NOTHING, Spec, effect, layered, sources
from build.spec.blame import blamed
from build.spec.value import ExtraRepository, User, Wishes, shown
from distros import Recipe, all_recipes
from distros.recipe import Archive, Repository

RECIPES: dict[str, Recipe] = {}
for one in all_recipes():
    RECIPES.setdefault(one.name, one)
DEBIAN = RECIPES["debian-13"]
MADE_OF_PACKAGES = [one for one in all_recipes() if one.archives]
WEB = Spec(name="web", file="web.toml")
KEY = "ssh-ed25519 AAAA me"


def test_takes_the_spec_s_word_where_no_flag_was_given() -> None:
    notes: list[str] = []
    wishes = Wishes(distro="debian", release="12", generation="2", kind="specialized", size=4 << 30)
    request = completed(BuildRequest(None, gen="1"), replace(WEB, wishes=wishes), notes.append)
    assert (request.distro, request.release, request.gen, request.kind) == ("debian", "12", "1", "specialized")
    assert notes == ["--gen 1 wins over 2 in web.toml"]


def test_takes_no_release_of_another_distribution() -> None:
    wishes = Wishes(distro="debian", release="12", kernel="x")
    request = completed(BuildRequest("ubuntu"), replace(WEB, wishes=wishes), lambda note: None)
    assert (request.distro, request.release, request.kernel) == ("ubuntu", None, None)


@pytest.mark.parametrize(
    ("flag", "name"), [(None, "debian-13-web-genboth-x86_64"), ("w2", "debian-13-w2-genboth-x86_64")]
)
def test_names_the_image_after_the_spec_or_the_flag(flag: str | None, name: str) -> None:
    assert image_name(DEBIAN, choose(DEBIAN, BuildRequest("debian", name=flag), WEB)) == name


@pytest.mark.parametrize("name", ["Web", "-a", "a/b", "a b", "x" * 41])
def test_refuses_a_name_that_cannot_be_part_of_one(name: str) -> None:
    with pytest.raises(CallerError, match="cannot be part of an image's name"):
        choose(DEBIAN, BuildRequest("debian", name=name))


def test_refuses_a_name_that_looks_like_a_kernel() -> None:
    recipe = next(one for one in RECIPES.values() if len(one.kernels) > 1)
    kernel = [word for word in recipe.kernels if word][-1]
    with pytest.raises(CallerError, match="looks like one with the kernel"):
        choose(recipe, BuildRequest(recipe.distro, name=f"web-{kernel}"))


def test_makes_a_spec_s_user_the_administrator() -> None:
    spec = replace(WEB, users=(User("bob"), User("ada", sudo=True, ssh_keys=(KEY,))), wishes=Wishes(hostname="web-1"))
    request = completed(BuildRequest("debian", kind="specialized"), spec, lambda note: None)
    found = choose(DEBIAN, request, spec)
    assert (found.hostname, found.admin, found.ssh_key) == ("web-1", "ada", KEY)


@pytest.mark.parametrize("spec", [replace(WEB, users=(User("ada"),)), replace(WEB, wishes=Wishes(hostname="web-1"))])
def test_gives_a_generalized_image_neither_name_nor_user(spec: Spec) -> None:
    with pytest.raises(CallerError, match="belongs to a specialized image"):
        choose(DEBIAN, completed(BuildRequest("debian"), spec, lambda note: None), spec)


@pytest.mark.parametrize(
    ("text", "provisioner", "kind", "message"),
    [
        ("#cloud-config\n", "waagent", "generalized", "waagent does not read it"),
        ("#cloud-config\n", "none", "generalized", "none does not read it"),
        ('{"ignition": {}}', "cloud-init", "generalized", "which this image does not have"),
    ],
)
def test_refuses_first_boot_data_that_nothing_would_read(text: str, provisioner: str, kind: str, message: str) -> None:
    spec = replace(WEB, first_boot=shown(text))
    with pytest.raises(CallerError, match=message):
        choose(DEBIAN, BuildRequest("debian", kind=kind, provisioner=provisioner), spec)


@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
def test_takes_a_script_with_every_provisioner(provisioner: str) -> None:
    spec = replace(WEB, first_boot=shown("#!/bin/sh\n"))
    assert choose(DEBIAN, BuildRequest("debian", provisioner=provisioner), spec).spec == spec


def test_changes_nothing_about_a_recipe_without_a_wish() -> None:
    assert layered(DEBIAN, NOTHING) == DEBIAN
    assert effect(NOTHING) == ()


def test_lays_packages_and_arguments_on_a_recipe() -> None:
    spec = replace(
        WEB,
        packages=("nginx",),
        removed=("nano", "vim-tiny"),
        arguments=("quiet",),
        removed_arguments=("consoleblank", "console=tty1"),
        locale="de_AT.UTF-8",
    )
    found = layered(DEBIAN, spec)
    assert {"nginx", "locales"} <= {*found.packages}
    assert not {"nano", "vim-tiny"} & {*found.packages}
    assert found.removed == ("nano", "vim-tiny")
    assert "quiet" in found.cmdline
    assert "console=ttyS0,115200n8" in found.cmdline
    assert not {"consoleblank=0", "console=tty1"} & {*found.cmdline}


def test_excludes_removed_packages_by_the_rpm_family_s_own_list() -> None:
    recipe = next(one for one in RECIPES.values() if one.rpm)
    found = layered(recipe, replace(WEB, removed=("nano",)))
    assert found.rpm
    assert "nano" in found.rpm.excluded


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (replace(WEB, removed=("linux-image-cloud-amd64",)), "linux-image-cloud-amd64 cannot be removed"),
        (replace(WEB, removed=("cloud-init",)), "cloud-init cannot be removed"),
        (replace(WEB, removed_arguments=("consolblank=0",)), "did you mean 'consoleblank=0'"),
    ],
)
def test_refuses_what_the_recipe_cannot_give(spec: Spec, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        layered(DEBIAN, spec)


APT = ExtraRepository("a", "apt", "https://a.example", "given:0", shown("k"), ("s",), ("main",))
RPM = ExtraRepository("r", "rpm", "https://r.example/$basearch", "given:0", shown("k"))


def test_refuses_repositories_of_another_kind() -> None:
    with pytest.raises(CallerError, match="'r' is a repository of rpm, debian-13 has packages of apt"):
        layered(DEBIAN, replace(WEB, repositories=(RPM,)))


def test_gives_the_families_repositories_that_they_know() -> None:
    apt, rpm = sources((APT, RPM), "aarch64")
    assert apt == Archive("https://a.example", ("s",), ("main",), "given:0")
    assert isinstance(rpm, Repository)
    assert (rpm.url, rpm.keys, rpm.signed_metadata) == ("https://r.example/aarch64", (), True)


def test_blames_the_caller_for_packages_that_only_the_spec_names() -> None:
    spec = replace(WEB, packages=("nginxx",))
    found = blamed(RecipeError("E: Unable to locate package nginxx"), spec, DEBIAN)
    assert isinstance(found, CallerError)
    assert found.what.startswith("web.toml: packages.add: 'nginxx': ")
    assert isinstance(blamed(RecipeError("E: Unable to locate package nginxx-core"), spec, DEBIAN), RecipeError)


SAID = {
    'distro = "debain"': "1: distro: there is no recipe for 'debain'; did you mean 'debian'?",
    'distro = "debian"\nrelease = "11"': "2: release: there is no recipe for debian '11'",
    'distro = "debian"\n\nkernel = "uek"': "3: kernel: debian-13 has no kernel 'uek'",
    'distro = "debian"\n[kernel_arguments]\nremove = ["consolblank=0"]': (
        "3: kernel_arguments.remove[1]: debian-13 has no 'consolblank=0'; did you mean 'consoleblank=0'?"
    ),
    'distro = "debian"\n[packages]\nremove = ["nano",\n"cloud-init"]': (
        "4: packages.remove[2]: cloud-init cannot be removed"
    ),
    'distro = "debian"\ntype = "specialized"\nhostname = "a"\n[first_boot]\nuser_data = "#cloud-config\\n"': (
        "5: first_boot.user_data: this is #cloud-config, and a specialized image is set up by nothing"
    ),
    'distro = "flatcar"\n[[commands]]\nrun = "true"': "3: commands[1].run: no command can be run in it",
    'distro = "flatcar"\nlocale = "de_AT.UTF-8"': "2: locale: it has no other locale",
}


@pytest.mark.parametrize(("text", "message"), SAID.items())
def test_says_where_a_spec_asks_for_what_its_distribution_has_not(tmp_path: Path, text: str, message: str) -> None:
    """Nothing is asked of any archive before."""
    identity = '\n[[users]]\nname = "ada"\nsudo = true\nssh_keys = ["ssh-ed25519 AAAA ada"]\n' * ("specialized" in text)
    (tmp_path / "web.toml").write_text(text + identity)
    with pytest.raises(CallerError) as refusal:
        describe_plan(BuildRequest(None, spec=tmp_path / "web.toml", offline=True))
    assert refusal.value.what.startswith(f"web.toml:{message}")


def test_says_without_a_file_what_a_flag_asks_for(tmp_path: Path) -> None:
    (tmp_path / "web.toml").write_text('distro = "debian"\n')
    with pytest.raises(CallerError, match=r"^there is no recipe for 'ubunto'; did you mean 'ubuntu'"):
        describe_plan(BuildRequest("ubunto", spec=tmp_path / "web.toml", offline=True))


HOST = "https://a.example"


@pytest.mark.parametrize(
    ("repository", "what"),
    [
        (ExtraRepository("a", "apt", HOST, "given:0", shown("k"), ("s",), ("main",)), f"{HOST} s is not signed"),
        (
            ExtraRepository("a", "apt", HOST, "given:0", shown("k"), ("s",), ("main",)),
            f"{HOST}/dists/s/InRelease is out",
        ),
        (
            ExtraRepository("a", "rpm", f"{HOST}/$basearch", "given:0", shown("k")),
            f"{HOST}/x86_64/repodata/repomd.xml is",
        ),
    ],
)
def test_names_the_repository_of_the_spec_that_fails(repository: ExtraRepository, what: str) -> None:
    spec = replace(WEB, repositories=(repository,))
    recipe = DEBIAN if repository.kind == "apt" else RECIPES["almalinux-10"]
    assert blamed(CallerError(what), spec, recipe).what == f"web.toml: repositories: 'a': {what}"
    other = MachineError(what.replace(HOST, "https://b.example").replace(" s ", " sid "))
    assert blamed(other, spec, recipe) is other


def test_blames_no_repository_for_another_suite_of_its_server() -> None:
    spec = replace(WEB, repositories=(ExtraRepository("a", "apt", HOST, "given:0", shown("k"), ("s",), ("main",)),))
    for what in (f"{HOST} stable is not signed", f"{HOST}/dists/stable/InRelease is out of reach"):
        error = MachineError(what)
        assert blamed(error, spec, DEBIAN) is error


def test_blames_the_caller_for_a_locale_that_no_package_has() -> None:
    failure = RecipeError("installing the packages failed: No match for argument: glibc-langpack-xx")
    recipe = RECIPES["almalinux-10"]
    found = blamed(failure, replace(WEB, locale="xx_YY.UTF-8"), recipe)
    assert isinstance(found, CallerError)
    assert found.what.startswith("web.toml: locale: almalinux-10 has no glibc-langpack-xx, which 'xx_YY.UTF-8' needs")
    assert blamed(failure, replace(WEB, locale="de_AT.UTF-8"), recipe) is failure


@pytest.mark.parametrize("recipe", MADE_OF_PACKAGES, ids=lambda one: f"{one.name}-{one.arch}")
def test_takes_the_packages_along_that_a_locale_and_a_time_zone_need(recipe: Recipe) -> None:
    expected = {
        "apt": {"locales", "tzdata"},
        "dnf": {"glibc-langpack-de", "tzdata"},
        "zypper": {"glibc-locale", "timezone"},
    }
    wanted = layered(recipe, replace(WEB, locale="de_AT.UTF-8", timezone="Europe/Vienna"))
    assert expected[recipe.family] <= {*wanted.packages}
    assert layered(recipe, replace(WEB, locale="C.UTF-8")).packages == recipe.packages
