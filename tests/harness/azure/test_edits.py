"""The services' answers, wrong in one respect."""

import json
from typing import Any

import pytest

from harness.azure.edits import EDITS
from harness.azure.instance import instance
from tests.harness.azure.machines import GENERALIZED, KEY

WHOLE = json.dumps(instance(GENERALIZED)).encode()
GOAL = b"<Container><RoleInstanceList><RoleInstance/></RoleInstanceList></Container>"


def edited(name: str, body: bytes = WHOLE) -> Any:
    return json.loads(EDITS[name](body))


@pytest.mark.parametrize("name", ["garbage", "nothing"])
def test_some_leave_no_sense_at_all(name: str) -> None:
    with pytest.raises(ValueError):
        edited(name)


@pytest.mark.parametrize(
    ("name", "node", "key"), [("no network", "", "network"), ("no osProfile", "compute", "osProfile")]
)
def test_some_leave_a_part_out(name: str, node: str, key: str) -> None:
    whole, left = json.loads(WHOLE), edited(name)
    parts = (whole[node], left[node]) if node else (whole, left)
    assert set(parts[0]) - set(parts[1]) == {key}


def test_the_keys_may_be_on_the_disc_alone() -> None:
    assert "publicKeys" not in edited("no publicKeys")["compute"]


def test_keys_come_broken_or_in_another_form() -> None:
    (broken,) = edited("keys with line ends")["compute"]["publicKeys"]
    assert broken["keyData"] != KEY
    assert broken["keyData"].replace("\r\n", "") == KEY
    (pem,) = edited("keys in PEM")["compute"]["publicKeys"]
    assert pem["keyData"].startswith("-----BEGIN")


def test_the_network_may_be_another() -> None:
    (whole,) = json.loads(WHOLE)["network"]["interface"]
    (other,) = edited("another MAC")["network"]["interface"]
    assert other["macAddress"] != whole["macAddress"]
    (second,) = edited("a second address")["network"]["interface"]
    assert [one["privateIpAddress"] for one in second["ipv4"]["ipAddress"]] == ["10.0.0.4", "10.0.0.20"]
    (sixth,) = edited("an IPv6 address")["network"]["interface"]
    assert [one["privateIpAddress"] for one in sixth["ipv6"]["ipAddress"]] == ["fd00::4"]


def test_a_part_of_the_document_is_changed_like_the_whole() -> None:
    part = json.dumps(json.loads(WHOLE)["compute"]).encode()
    assert edited("another vmId", part)["vmId"] == edited("another vmId")["compute"]["vmId"] != str(GENERALIZED.vm_id)


@pytest.mark.parametrize("body", [b"", b"[]", b"text", b'"text"'])
def test_what_is_no_document_stays_as_it_is(body: bytes) -> None:
    for name in ("no network", "no osProfile", "another MAC", "keys in PEM"):
        assert EDITS[name](body) == body


def test_the_wireservers_documents_are_edited_as_text() -> None:
    assert EDITS["no role"](GOAL) == b"<Container><RoleInstanceList></RoleInstanceList></Container>"
    assert EDITS["no role"](b"<Health/>") == b"<Health/>"
    assert EDITS["a broken certificate"](b"<Data>MIIB</Data>") == b"<Data>bm90aGluZw==</Data>"
    assert EDITS["a byte order mark"](GOAL).decode("utf-8-sig") == GOAL.decode()
