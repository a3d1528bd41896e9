"""Reading a matrix: every fault at its line, every combination once."""

from pathlib import Path

import pytest

from build.errors import CallerError
from factory.matrixfile import load

PROJECT = Path(__file__).resolve().parents[2]
HEAD = 'name = "n"\n[[images]]\ndistros = ["debian"]\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "m.toml"
    file.write_text(text)
    return file


def test_combines_what_a_table_lists(tmp_path: Path) -> None:
    text = HEAD + 'releases = ["12", "13"]\ngenerations = ["1", "2"]\nprovisioners = ["cloud-init", "waagent"]\n'
    cells = load(written(tmp_path, text)).cells
    assert len(cells) == len(set(cells)) == 8
    assert {(one.distro, one.kind, one.arch) for one in cells} == {("debian", "generalized", "x86_64")}


def test_takes_out_what_is_excepted(tmp_path: Path) -> None:
    text = HEAD + 'releases = ["12", "13"]\ngenerations = ["1", "2"]\n'
    text += '[[images.except]]\nreleases = ["12"]\ngenerations = ["1"]\n'
    cells = load(written(tmp_path, text)).cells
    assert [(one.release, one.generation) for one in cells] == [("12", "2"), ("13", "1"), ("13", "2")]


def test_leaves_out_what_a_recipe_does_not_offer(tmp_path: Path) -> None:
    text = HEAD + 'generations = ["1", "2"]\narch = ["aarch64"]\n'
    assert [one.generation for one in load(written(tmp_path, text)).cells] == ["2"]


def test_counts_paths_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "web.toml").write_text("")
    text = 'name = "n"\nstore = "s"\nlocks = "l"\n[[images]]\ndistros = ["debian"]\nspec = "web.toml"\n'
    found = load(written(tmp_path, text))
    assert (found.store, found.locks) == (tmp_path / "s", tmp_path / "l")
    assert found.cells[0].spec == tmp_path / "web.toml"


def test_reads_the_example() -> None:
    found = load(PROJECT / "examples" / "nightly.toml")
    assert len(found.cells) == 7
    assert found.known[0].covers("debian-12-gen1-x86_64", found.known[0].expires)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "n"\n', "the key 'images' is missing"),
        (HEAD + 'scenarios = ["frist-boot"]\n', "m.toml:4: "),
        (HEAD + 'machines = ["gen3"]\n', "m.toml:4: images[1].machines[1]: there is no machine 'gen3'"),
        (HEAD + 'faults = ["imds-5000"]\n', "m.toml:4: "),
        (HEAD + 'releases = ["99"]\n', "m.toml:4: there is no recipe for debian '99'"),
        (HEAD.replace("debian", "debain"), "m.toml:3: images[1].distros[1]: there is no recipe for 'debain'"),
        (HEAD + 'generation = ["1"]\n', "did you mean"),
        (HEAD + 'spec = "none.toml"\n', "m.toml:4: images[1].spec: there is no file"),
        (HEAD + "[budget]\nboot = 0.5\n", "m.toml:5: budget.boot: 0.5 will not do"),
        (HEAD + '[[known_failure]]\ncheck = "x"\nreason = "r"\ntracker = "t"\nexpires = "2027"\n', "this is no date"),
        (HEAD + '[[images.except]]\ndistros = ["debian"]\n', "leaves no image"),
        ("name = \n", "m.toml:1: "),
    ],
)
def test_says_what_is_wrong_and_where(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(CallerError) as caught:
        load(written(tmp_path, text))
    assert said in caught.value.what
