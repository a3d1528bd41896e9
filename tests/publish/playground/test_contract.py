"""The contract: Microsoft's own examples pass, slips of the pen do not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from publish.playground import contract

FOLDER = Path(__file__).parents[1] / "contract"
KNOWN_BAD = {"GalleryImageVersion_Create_WithAdditionalReplicaSets"}
"""Examples with a slip of upstream's own in a request: a storage type that is misspelled."""
VERSION = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/x/images/d/versions/1.2.3"


def examples() -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    """Name, document, method and path of each official example, and the example."""
    for name in contract.DOCUMENTS[:3]:
        document = json.loads((contract.FOLDER / name).read_text())
        for path, methods in document["paths"].items():
            for method, told in methods.items():
                for example in told.get("x-ms-examples", {}).values() if method in contract.METHODS else ():
                    file = FOLDER / "examples" / Path(example["$ref"]).relative_to("examples")
                    yield file.stem, name, method, path, json.loads(file.read_text())


def body_name(document: str, method: str, path: str) -> str:
    told = json.loads((contract.FOLDER / document).read_text())["paths"][path][method]
    return next((one["name"] for one in told["parameters"] if one.get("in") == "body"), "")


EXAMPLES = list(examples())


def test_knows_enough_examples_for_this_to_mean_something() -> None:
    assert len(EXAMPLES) > 80


@pytest.mark.parametrize(
    ("name", "document", "method", "path", "example"), EXAMPLES, ids=[f"{one[0]}-{one[2]}" for one in EXAMPLES]
)
def test_takes_what_microsoft_shows(name: str, document: str, method: str, path: str, example: dict[str, Any]) -> None:
    asked = path.replace("{", "").replace("}", "")
    body = example["parameters"].get(body_name(document, method, path))
    faults = contract.request_faults(method, asked, body)
    for status, answer in example["responses"].items():
        faults += contract.answer_faults(method, asked, int(status), answer.get("body"))
    assert bool(faults) == (name in KNOWN_BAD), faults


def body(**changes: Any) -> dict[str, Any]:
    profile = {"targetRegions": [{"name": "westeurope", "regionalReplicaCount": 1}], "excludeFromLatest": True}
    source = {"osDiskImage": {"source": {"id": "/subscriptions/x"}}}
    properties = {"publishingProfile": profile, "storageProfile": source, **changes}
    return {"location": "westeurope", "properties": properties}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"publishingProfil": {}}, "Additional properties are not allowed"),
        ({"provisioningState": "Succeeded"}, "'provisioningState' was unexpected"),
        ({"publishingProfile": {"replicationMode": "Fast"}}, "is not one of"),
        ({"publishingProfile": {"targetRegions": [{}]}}, "'name' is a required property"),
    ],
)
def test_finds_every_slip_of_the_pen(changes: dict[str, Any], what: str) -> None:
    assert not contract.request_faults("PUT", VERSION, body())
    assert what in str(contract.request_faults("PUT", VERSION, body(**changes)))


def test_wants_the_storage_profile_in_every_change_of_a_version() -> None:
    """Its schema asks for one; an empty one will do."""
    only = {"properties": {"publishingProfile": {"excludeFromLatest": True}}}
    assert "storageProfile" in str(contract.request_faults("PATCH", VERSION, only))
    only["properties"]["storageProfile"] = {}
    assert not contract.request_faults("PATCH", VERSION, only)


@pytest.mark.parametrize("status", [204, 418])
def test_knows_which_statuses_there_are(status: int) -> None:
    known = not contract.answer_faults("DELETE", VERSION, status, {"error": {"code": "x", "message": "y"}})
    assert known


def test_wants_a_code_and_a_message_in_every_refusal() -> None:
    assert contract.answer_faults("GET", VERSION, 404, {"error": "gone"})


def test_knows_which_requests_carry_a_body() -> None:
    assert "needs a body" in str(contract.request_faults("PUT", VERSION, None))
    assert "takes no body" in str(contract.request_faults("DELETE", VERSION, body()))
    assert not contract.request_faults("GET", VERSION, None)
