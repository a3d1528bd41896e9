"""The locks: they hold what pyproject.toml asks for, with hashes, and nothing of the machine that made them."""

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
RUNTIME, DEV = PROJECT / "requirements.lock", PROJECT / "requirements-dev.lock"
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()  # type: ignore[index]


def pins(lock: Path) -> dict[str, str]:
    """Version by name."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def asked_for(lock: Path) -> set[str]:
    """The names that the lock itself says pyproject.toml asked for."""
    blocks = re.split(r"^(?=[a-z0-9-]+==)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {block.split("==")[0] for block in blocks if "kiln (pyproject.toml)" in block}


def test_the_runtime_lock_answers_pyproject() -> None:
    assert asked_for(RUNTIME) == set(map(normalized, DECLARED["dependencies"]))


def test_the_dev_lock_answers_pyproject() -> None:
    wanted = DECLARED["dependencies"] + DECLARED["optional-dependencies"]["dev"]
    assert asked_for(DEV) == set(map(normalized, wanted))


def test_tests_run_on_the_versions_that_users_get() -> None:
    assert pins(RUNTIME).items() <= pins(DEV).items()


def test_users_get_nothing_that_only_tests_need() -> None:
    assert not pins(RUNTIME).keys() & set(map(normalized, DECLARED["optional-dependencies"]["dev"]))


def test_no_package_shadows_one_of_ours() -> None:
    assert not pins(DEV).keys() & {"build", "distros", "harness", "publish", "factory", "tasks"}


@pytest.mark.parametrize("lock", [RUNTIME, DEV], ids=lambda lock: str(lock.name))
def test_a_lock_pins_by_hash_and_tells_nothing_of_its_maker(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|^-|^--|(?<!\w)/\w+/", text, re.MULTILINE)
    for block in re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE):
        assert "--hash=sha256:" in block or not block.strip()
