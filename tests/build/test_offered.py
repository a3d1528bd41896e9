"""The image that a distribution offers: found by its word, believed when the list of digests is signed."""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build import base, keys, offered
from build.archive import Release
from build.errors import CallerError, KilnError, MachineError
from build.order import Order
from build.request import BuildRequest, choose, find_recipe
from build.workspace import Workspace
from distros import Recipe, all_recipes
from distros.recipe import OfferedImage
from tests.build.plans import EPOCH, states
from tests.build.publisher import Publisher
from tests.standin.key import SigningKey

FILE = "Vendor-10-Cloud.qcow2"
CONTENT = b"a disk of the vendor"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
TOOLS = Path("/nowhere")
TOOLS_STATE = Release("https://nowhere", "trixie", ("main",), "keyring", "b" * 64, EPOCH)


def publish(vendor: Publisher, text: str, *, by: SigningKey | None = None, clear: bool = False) -> None:
    """Publish the image with this list of digests, signed."""
    vendor.write(FILE, CONTENT)
    if clear:
        vendor.clear_sign("list", text, by)
    else:
        vendor.write("list", text.encode())
        vendor.sign("list", by)


def recipe_of(vendor: Publisher, *, clear: bool = False, listed: str = "") -> Recipe:
    """A recipe that offers it."""
    signature = "" if clear else "{folder}/list.sig"
    image = OfferedImage(
        f"{vendor.url}/{FILE}", "{folder}/list", signature, keys.take(vendor.key.public), (), "test", listed=listed
    )
    return replace(find_recipe("almalinux", "10", "x86_64"), offered=image)


@pytest.mark.parametrize("clear", [True, False], ids=["clear-signed", "signed apart"])
@pytest.mark.parametrize(
    "text",
    [f"{'0' * 64}  other\n{DIGEST} *{FILE}\n", f"# Vendor\nSHA256 (other) = {'0' * 64}\nSHA256 ({FILE}) = {DIGEST}\n"],
    ids=["plain", "tagged"],
)
def test_takes_what_the_signed_list_says(publisher: Publisher, text: str, clear: bool) -> None:
    publish(publisher, text, clear=clear)
    recipe = recipe_of(publisher, clear=clear)
    for offline in (False, True):
        offer = offered.find(recipe, None, None, offline=offline)
        taken = base.take_offered(offer, None, offline=offline, waiting=print)
        assert (taken.name, taken.sha256, taken.file.read_bytes()) == ("vendor-10-cloud", DIGEST, CONTENT)
        offer.proof.verify(taken.sha256, TOOLS)


def test_takes_a_name_that_stands_for_the_newest_build(publisher: Publisher) -> None:
    publish(publisher, f"{DIGEST}  Vendor-10-1.2-Cloud-Build3.qcow2\n")
    with pytest.raises(MachineError, match="has 0 digests of it"):
        offered.find(recipe_of(publisher), None, None, offline=False)
    offer = offered.find(recipe_of(publisher, listed=r"Vendor-10-.*Cloud.*\.qcow2"), None, None, offline=False)
    offer.proof.verify(offer.sha256, TOOLS)


@pytest.mark.parametrize("clear", [True, False], ids=["clear-signed", "signed apart"])
def test_believes_no_list_of_somebody_elses(
    publisher: Publisher, made_keys: tuple[SigningKey, SigningKey], clear: bool
) -> None:
    publish(publisher, f"{DIGEST}  {FILE}\n", by=made_keys[1], clear=clear)
    offer = offered.find(recipe_of(publisher, clear=clear), None, None, offline=False)
    with pytest.raises(MachineError, match="does not hold"):
        offer.proof.verify(offer.sha256, TOOLS)


def test_believes_no_list_that_was_altered(publisher: Publisher) -> None:
    publish(publisher, f"{'0' * 64}  {FILE}\n")
    altered = (publisher.folder / "list").read_text().replace("0" * 64, DIGEST)
    (publisher.folder / "list").write_text(altered)
    offer = offered.find(recipe_of(publisher), None, None, offline=False)
    with pytest.raises(MachineError, match="does not hold"):
        offer.proof.verify(offer.sha256, TOOLS)


def test_believes_nothing_that_stands_beside_what_is_signed(publisher: Publisher) -> None:
    publish(publisher, f"{'0' * 64}  {FILE}\n", clear=True)
    signed = publisher.folder / "list"
    signed.write_text(f"{DIGEST}  Vendor-other\n{signed.read_text()}")
    offer = offered.find(recipe_of(publisher, clear=True, listed="Vendor-other"), None, None, offline=False)
    assert offer.sha256 == DIGEST
    with pytest.raises(MachineError, match="has another digest"):
        offer.proof.verify(offer.sha256, TOOLS)


def test_refuses_an_image_that_is_not_the_listed_one(publisher: Publisher) -> None:
    publish(publisher, f"{DIGEST}  {FILE}\n")
    (publisher.folder / FILE).write_bytes(b"another disk")
    offer = offered.find(recipe_of(publisher), None, None, offline=False)
    with pytest.raises(KilnError, match="digest"):
        base.take_offered(offer, None, offline=False, waiting=print)
    with pytest.raises(CallerError, match="by now"):
        base.take_offered(offer, "0" * 64, offline=False, waiting=print)


def test_takes_a_mirrors_image_by_the_mirrors_key(
    publisher: Publisher, made_keys: tuple[SigningKey, SigningKey], tmp_path: Path
) -> None:
    publish(publisher, f"{DIGEST}  {FILE}\n", by=made_keys[1])
    recipe = recipe_of(publisher)
    assert recipe.offered
    own = replace(recipe, offered=replace(recipe.offered, url=f"https://nowhere.invalid/{FILE}", path=FILE))
    offer = offered.find(own, publisher.url, keys.take(made_keys[1].public), offline=False)
    offer.proof.verify(offer.sha256, TOOLS)
    with pytest.raises(CallerError, match="does not hold"):
        offered.find(own, publisher.url, None, offline=False).proof.verify(DIGEST, TOOLS)


def test_believes_no_list_from_before_the_newest_that_it_saw(publisher: Publisher) -> None:
    publish(publisher, f"{DIGEST}  {FILE}\n")
    recipe = recipe_of(publisher)
    old = offered.find(recipe, None, None, offline=False)
    old.proof.verify(DIGEST, TOOLS)
    time.sleep(1.1)  # signatures count whole seconds
    publish(publisher, f"# newer\n{DIGEST}  {FILE}\n")
    offered.find(recipe, None, None, offline=False).proof.verify(DIGEST, TOOLS)
    with pytest.raises(MachineError, match="older than what it was before"):
        old.proof.verify(DIGEST, TOOLS)


def test_lets_a_build_read_nothing_of_an_image_that_nobody_vouches_for(
    publisher: Publisher, made_keys: tuple[SigningKey, SigningKey], tmp_path: Path
) -> None:
    publish(publisher, f"{DIGEST}  {FILE}\n", by=made_keys[1])
    offer = offered.find(recipe_of(publisher), None, None, offline=False)
    no_appliance: Any = None
    step = base.UnpackBase(
        base.Base("cloud", offer.sha256), "almalinux", "10", ("almalinux",), no_appliance, offer.proof
    )
    with (tmp_path / "log").open("w") as log, pytest.raises(MachineError, match="does not hold"):
        step.run(Workspace(tmp_path, "image", tmp_path, log, 0))


def test_says_where_a_distribution_offers_none() -> None:
    with pytest.raises(CallerError, match="debian-13 has no published image") as refusal:
        offered.find(find_recipe("debian", "13", "x86_64"), None, None, offline=False)
    assert "--base-sha256" in refusal.value.hint


def test_an_order_brings_what_vouches_for_its_base_to_the_worker(tmp_path: Path) -> None:
    recipe = find_recipe("ubuntu", "24.04", "x86_64")
    proof = offered.Proof("https://server/cloud.img", "cloud.img", "1" * 64, "2" * 64, "keyring", ("A" * 40,), True)
    chosen = choose(recipe, BuildRequest("ubuntu"))
    for choices in (chosen, replace(chosen, base="cloud", base_sha256=DIGEST, base_proof=proof)):
        order = Order(recipe, choices, states(recipe), TOOLS_STATE, EPOCH, tmp_path)
        assert Order.read(json.loads(json.dumps(order.letter()))).choices == choices


@pytest.mark.parametrize(
    "recipe", [one for one in all_recipes() if one.offered], ids=lambda one: f"{one.name}-{one.arch}"
)
def test_each_offer_names_a_file_that_its_own_list_may_have(recipe: Recipe) -> None:
    image = recipe.offered
    assert image
    assert image.url.startswith("https://")
    assert image.url.endswith(image.path)
    assert "{" not in image.url + image.path + image.listed
    assert all(len(key) == 40 for key in image.keys)
    assert image.keys
