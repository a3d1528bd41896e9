"""The plan of the house: who may import whom. Read from the sources, nothing is imported."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("distros", "build", "harness", "publish", "factory")
KNOWN_TO_HARNESS = {
    *("build", "build.manifest", "build.vhd", "build.gpt", "build.gptgrow", "build.digest"),
    *("build.command", "build.confined", "build.diskfile", "build.errors", "build.progress"),
    # Mending a disk's partition table.
    "build.gptgrow",
    # Reading TOML so that each fault is told with its line.
    *("build.wholefile", "build.spec.complaint", "build.spec.document", "build.spec.kinds"),
}
SHARED = {
    # Tasks are declared in one place and run from another.
    "invoke": {"commandline", "tasks"},
    # Keys, envelopes and signatures are different matters of one library.
    "cryptography": {
        "harness.azure.attested",
        "harness.azure.certificates",
        "harness.azure.envelope",
        "harness.pesign",
        "harness.sshkey",
        "publish.playground.certificates",
    },
    # Each of Azure's libraries is known to one module, and the words that all of them share to whoever reads refusals.
    "azure": {
        *("publish.arm", "publish.shares", "publish.credentials", "publish.pageblob", "publish.refusals"),
        *(
            "publish.transfer",
            "publish.staging",
            "publish.lease",
            "publish.bases",
            "publish.address",
            "publish.pulling",
        ),
        "publish.playground.blobs",
    },
    # The pretend host, and the playground, which shares nothing with it.
    "aiohttp": {"harness.azure.server", *(f"publish.playground.{name}" for name in ("serving", "strict", "double"))},
    # What moves while one waits, and what is read afterwards.
    "rich": {"build.progress", "harness.render_text", "harness.render_screen"},
}
"""Libraries that more than one module knows, and which."""
LIBRARIES = (
    "invoke",
    "rich",
    "pycdlib",
    "paramiko",
    "aiohttp",
    "qemu",
    "cryptography",
    "jinja2",
    "cyclonedx",
    "packageurl",
    "azure",
    "jsonschema",
    "yarl",
)
TOP = ("tasks.py", "commandline.py", "options.py")
MODULES = sorted(
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
    for path in (
        *(PROJECT / name for name in TOP),
        *(file for room in PACKAGES for file in (PROJECT / room).rglob("*.py")),
    )
)


@cache
def source(module: str) -> ast.Module:
    path = PROJECT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def nodes(tree: ast.AST, everywhere: bool) -> Iterator[ast.AST]:
    """The tree's nodes; unless `everywhere`, only what runs when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not everywhere and (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(node)):
            continue
        yield node
        yield from nodes(node, everywhere)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(module: str, everywhere: bool = True) -> Iterator[str]:
    """What a module imports, as the names of modules where these are ours."""
    for node in nodes(source(module), everywhere):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{module} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def room(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "distros"])
def test_distros_imports_only_itself_and_the_standard_library(module: str) -> None:
    import sys

    rooms = {room(name) for name in imported(module)} - {"distros"}
    assert rooms <= sys.stdlib_module_names


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "build"])
def test_build_knows_no_room_above_it(module: str) -> None:
    assert not {room(name) for name in imported(module)} & {"harness", "publish", "factory", "tasks"}


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "harness"])
def test_harness_knows_an_image_by_its_file_and_manifest(module: str) -> None:
    names = set(imported(module))
    assert not {room(name) for name in names} & {"publish", "factory", "tasks"}
    assert {name for name in names if room(name) == "build"} <= KNOWN_TO_HARNESS


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "publish"])
def test_publish_knows_an_image_by_its_file_and_manifest(module: str) -> None:
    names = set(imported(module))
    assert not {room(name) for name in names} & {"harness", "factory", "tasks", "tests"}
    if not module.startswith("publish.playground"):
        assert not [name for name in names if name.startswith("publish.playground")]


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "factory"])
def test_factory_knows_nothing_of_who_calls_it_or_of_pretend_azure(module: str) -> None:
    names = set(imported(module))
    assert not {room(name) for name in names} & {"tasks", "tests"}
    assert not [name for name in names if name.startswith("publish.playground")]


def test_no_module_needs_itself_to_be_imported() -> None:
    graph = {module: {name for name in imported(module, everywhere=False) if name in MODULES} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(" -> ".join(cycle.args[1]))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_known_to_one_module(library: str) -> None:
    users = {module for module in MODULES if library in {room(name) for name in imported(module)}}
    assert len(users) <= 1 or users <= SHARED.get(library, set()), f"{library} is imported by {', '.join(users)}"


def test_every_library_is_listed() -> None:
    import sys

    rooms = {room(name) for module in MODULES for name in imported(module)}
    assert rooms - sys.stdlib_module_names - {*PACKAGES, *(Path(name).stem for name in TOP), "tests"} <= set(LIBRARIES)


def test_only_the_command_line_knows_what_makes_stand_ins() -> None:
    """Stand-in mirrors are made by what tests have; whoever wants to try one asks for it by a task."""
    assert [module for module in MODULES if "tests" in {room(name) for name in imported(module)}] == ["tasks"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(source(module))
