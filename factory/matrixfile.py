"""Reading a matrix: every fault with its line, then the values of `factory.matrix`."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from build.errors import CallerError
from build.request import find_recipe
from build.spec.complaint import Complaint, complaint
from build.spec.document import Malformed, Node, parse
from distros.recipe import KINDS, Recipe
from factory.matrix import AXES, Budget, Cell, KnownFailure, Matrix, Publication, Retention
from factory.matrixschema import MATRIX
from harness.faults import choose_all
from harness.machines import find_machine
from harness.scenario import find_scenario

STORE = "output/factory"
LISTS = dict(zip(AXES, ("distros", "releases", "generations", "kinds", "provisioners", "arch"), strict=True))
"""The key of a matrix that holds the values of each axis."""
PATHS = ("spec", "mirror_key", "ssh_key", "private_key")


def load(file: Path) -> Matrix:
    """The matrix that a file describes. Raises CallerError that names every fault with file and line."""
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CallerError(f"{file} is no text", "a matrix is described in TOML (docs/factory.md)") from None
    except OSError as refusal:
        raise CallerError(
            f"{file} cannot be read: {refusal.strerror}", "docs/factory.md and examples/nightly.toml show one"
        ) from None
    try:
        whole = parse(text, str(file), file.expanduser().absolute().parent)
    except Malformed as damage:
        raise CallerError(f"{damage.place}: {damage.what}", "this is no TOML: mend that line") from None
    _refuse([*MATRIX.check(whole)])
    _refuse([one for group in whole.value["images"].value for one in _in_group(group)])
    return _matrix(whole, str(file))


def _refuse(faults: list[Complaint]) -> None:
    if faults:
        raise CallerError(
            "\n".join(str(one) for one in sorted(set(faults))), "docs/factory.md explains every key of a matrix"
        )


def _in_group(group: Node) -> Iterator[Complaint]:
    """What can only be asked once every value is of its kind."""
    for key, known in (("scenarios", find_scenario), ("machines", find_machine), ("faults", choose_all)):
        for word in group.value[key].value if key in group.value else ():
            yield from _asked(word, lambda word=word, known=known: known(word.value))
    for key in PATHS:
        if key in group.value and not _path(group.value[key]).is_file():
            yield complaint(group.value[key].place, f"there is no file {_path(group.value[key])}")
    for distro in group.value["distros"].value:
        yield from _asked(distro, lambda distro=distro: find_recipe(distro.value, None, None))
    if "specialized" in _words(group, "kinds") and "admin" in group.value and "ssh_key" not in group.value:
        yield complaint(group.value["admin"].place, "a specialized image's administrator needs ssh_key")


def _asked(node: Node, ask: Any) -> Iterator[Complaint]:
    try:
        ask()
    except CallerError as refusal:
        yield complaint(node.place, refusal.what)


def store_of(matrix: str, store: str) -> Path:
    """The store that a command line means: its folder, or a matrix that names it. Raises CallerError as `load` does."""
    return load(Path(matrix)).store if matrix else Path(store or STORE)


def _matrix(whole: Node, name: str) -> Matrix:
    held = whole.value
    cells = tuple(dict.fromkeys(cell for group in held["images"].value for cell in _cells(group)))
    if not cells:
        raise CallerError(f"{name} leaves no image", "its exceptions take out all that its lists name")
    return Matrix(
        file=name,
        name=held["name"].value,
        cells=cells,
        store=_path(held["store"]) if "store" in held else Path(STORE).absolute(),
        locks=_path(held["locks"]) if "locks" in held else None,
        attempts=held["attempts"].value if "attempts" in held else Matrix.attempts,
        known=tuple(
            KnownFailure(**{"image": "*", **{key: node.value for key, node in one.value.items()}})
            for one in _list(held.get("known_failure"))
        ),
        publications=tuple(_publication(one) for one in _list(held.get("publish"))),
        retention=Retention(**_plain(held.get("retention"))),
        budget=Budget(**_plain(held.get("budget"))),
    )


def _cells(group: Node) -> Iterator[Cell]:
    """The images of one [[images]] table: every combination that a recipe offers and no exception takes out."""
    said: dict[str, Any] = {
        key: node.value for key, node in group.value.items() if key in ("size", "mirror", "hostname", "admin")
    }
    said |= {key: _path(group.value[key]) for key in PATHS if key in group.value}
    said |= {key: tuple(_words(group, key)) for key in ("scenarios", "faults", "machines") if key in group.value}
    taken_out = [_lists(one) for one in _list(group.value.get("except"))]
    for distro in _words(group, "distros"):
        for recipe in _recipes(distro, group):
            for values in product(*_offered(recipe, group)):
                axes: dict[str, Any] = dict(
                    zip(AXES, (recipe.distro, recipe.release, *values, recipe.arch), strict=True)
                )
                if not any(all(axes[axis] in lists[axis] for axis in lists) for lists in taken_out):
                    yield Cell(**axes, **said)


def _recipes(distro: str, group: Node) -> Iterator[Recipe]:
    """The recipes of a distribution that a table means. Raises CallerError, with the line, where there is none."""
    for arch in _words(group, "arch") or ["x86_64"]:
        nodes: list[Node | None] = [*_list(group.value.get("releases"))] or [None]
        for node in nodes:
            try:
                yield find_recipe(distro, node.value if node else None, arch)
            except CallerError as refusal:
                place = (node or group).place
                raise CallerError(f"{place}: {refusal.what}", refusal.hint) from None


def _offered(recipe: Recipe, group: Node) -> tuple[list[str], list[str], list[str]]:
    """Generations, kinds and provisioners: what the table names, or the recipe's first."""
    gens = [one for one in _words(group, "generations") or ["both"] if one in recipe.boot_packages]
    wanted = _words(group, "provisioners") or [next(iter(recipe.provisioning))]
    return gens, _words(group, "kinds") or [KINDS[0]], [one for one in wanted if one in recipe.provisioning]


def _lists(node: Node) -> Mapping[str, list[str]]:
    return {axis: _words(node, key) for axis, key in LISTS.items() if key in node.value}


def _words(node: Node, key: str) -> list[str]:
    return [one.value for one in node.value[key].value] if key in node.value else []


def _publication(node: Node) -> Publication:
    told = {key: one.value for key, one in node.value.items()}
    return Publication(**{**told, "to": _path(node.value["to"])})


def _list(node: Node | None) -> list[Node]:
    return list(node.value) if node else []


def _plain(node: Node | None) -> dict[str, Any]:
    return {key: one.value for key, one in node.value.items()} if node else {}


def _path(node: Node) -> Path:
    """A path as the matrix has it, which counts from its own folder."""
    return (node.folder / Path(node.value).expanduser()).absolute()
