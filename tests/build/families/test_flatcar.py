"""Flatcar's channels: asked for their newest version, believed when its digests are signed."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

import distros
from build import keys
from build.errors import CallerError, KilnError, MachineError
from build.families import Sources, flatcar
from build.published import FetchImage
from tests.build.flatcar_release import FILE, RECIPE, VERSION, asked, folder_of, publish, recipe_of, workspace
from tests.build.publisher import Publisher
from tests.standin.key import SigningKey


@pytest.fixture(autouse=True)
def release(publisher: Publisher) -> None:
    publish(publisher, b"an image")


def test_resolves_the_newest_version_and_knows_when_it_was_signed(publisher: Publisher) -> None:
    state = asked(publisher)
    assert (state.version, state.suite, state.url) == (VERSION, "stable", f"{publisher.url}/amd64-usr")
    assert state.date > 1_700_000_000
    assert asked(publisher, offline=True) == state
    flatcar.verify(state, Path("/"), mirror=True)
    assert flatcar.read_state(json.loads(json.dumps(vars(state)))) == state


def test_asks_nobody_offline(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="never been asked for"):
        asked(publisher, offline=True)
    state = asked(publisher)
    with pytest.raises(MachineError, match="cache does not hold"):
        FetchImage(state).run(workspace(tmp_path, offline=True))
    FetchImage(state).run(workspace(tmp_path))
    FetchImage(state).run(workspace(tmp_path, offline=True))


@pytest.mark.parametrize("text", ["", "FLATCAR_VERSION=../../etc", "<html>", "FLATCAR_VERSION=\n"])
def test_takes_no_version_that_could_lead_elsewhere(text: str) -> None:
    with pytest.raises(MachineError, match="names no version"):
        flatcar.version_of(text, "https://example.invalid/version.txt")


def test_refuses_a_list_that_was_altered(publisher: Publisher) -> None:
    listing = folder_of(publisher) / f"{FILE}.DIGESTS.asc"
    listing.write_text(listing.read_text().replace(FILE, FILE.upper()))
    with pytest.raises(CallerError, match="does not hold"):
        asked(publisher)


def test_refuses_a_list_that_somebody_else_signed(
    publisher: Publisher, made_keys: tuple[SigningKey, SigningKey]
) -> None:
    publish(publisher, b"an image", by=made_keys[1])
    with pytest.raises(CallerError, match="does not hold") as refusal:
        asked(publisher)
    assert "newer than this Kiln" in refusal.value.hint


def test_refuses_a_key_of_the_keyring_that_is_not_the_pinned_one(publisher: Publisher) -> None:
    assert RECIPE.image
    recipe = recipe_of(publisher)
    assert recipe.image
    pinned = replace(recipe, image=replace(recipe.image, signed_by=RECIPE.image.signed_by))
    with pytest.raises(KilnError, match="may not sign"):
        flatcar.states(pinned, Sources(publisher.url), lambda text: None)


def test_reads_nothing_that_stands_outside_the_signature(publisher: Publisher, tmp_path: Path) -> None:
    listing = folder_of(publisher) / f"{FILE}.DIGESTS.asc"
    evil = f"# SHA512 HASH\n{'0' * 128}  {FILE}\n"
    listing.write_text(evil + listing.read_text() + evil)
    try:
        state = asked(publisher)
        FetchImage(state).run(workspace(tmp_path))
    except KilnError:
        return
    assert workspace(tmp_path).file("packed").read_bytes() == b"an image"


def test_ships_the_key_whose_fingerprint_its_recipe_pins() -> None:
    assert RECIPE.image and RECIPE.image.keyring == "distros:keys/flatcar.asc"
    binary = keys.dearmored((Path(distros.__file__).parent / "keys/flatcar.asc").read_bytes())
    length = int.from_bytes(binary[1:3], "big")
    packet = binary[3 : 3 + length]
    found = hashlib.sha1(b"\x99" + length.to_bytes(2, "big") + packet).hexdigest().upper()
    assert RECIPE.image.signed_by == (found,)
