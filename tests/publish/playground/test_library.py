"""The installed library asks, and takes, what is recorded of it: where this fails, look at the double anew."""

import inspect
import io
import json
import re
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.mgmt.compute import ComputeManagementClient
from requests.adapters import HTTPAdapter

from publish.playground import contract

RECORDED = json.loads((Path(__file__).parents[1] / "contract" / "operations.json").read_text())
OPERATIONS = [
    pytest.param(group, name, told, id=f"{group}-{name}")
    for group, operations in RECORDED["operations"].items()
    for name, told in operations.items()
]
STATUSES = (200, 201, 202, 204)


class Nowhere(HTTPAdapter):
    """A network of which every request gets the same answer; `asked` keeps the last one."""

    status = 200
    asked: requests.PreparedRequest

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked = request
        body = b"" if self.status == 204 else b'{"value": []}'
        headers = {"Content-Type": "application/json"}
        answer = urllib3.HTTPResponse(io.BytesIO(body), headers, self.status, preload_content=False)
        return self.build_response(request, answer)


class Anybody:
    """A credential that nobody looks at."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("x", int(time.time()) + 3600)


@pytest.fixture(scope="module")
def nowhere() -> Nowhere:
    return Nowhere()


@pytest.fixture(scope="module")
def client(nowhere: Nowhere) -> Iterator[ComputeManagementClient]:
    session = requests.Session()
    session.mount("https://", nowhere)
    transport = RequestsTransport(session=session, session_owner=False)
    with ComputeManagementClient(Anybody(), "{subscriptionId}", transport=transport, retry_total=0) as one:
        yield one


def call(client: ComputeManagementClient, group: str, name: str) -> None:
    """One operation with its parameters' own names for values; long ones are not waited for."""
    operations = getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", group).lower())
    method = getattr(operations, name, None) or getattr(operations, f"begin_{name}")
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    values = [camel(one.name) if "str" in str(one.annotation) else {} for one in needed if one.name != "kwargs"]
    found = method(*values, **({"polling": False} if method.__name__.startswith("begin_") else {}))
    if "list" in name:
        list(found)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return "{" + first + "".join(map(str.capitalize, others)) + "}"


def taken(client: ComputeManagementClient, nowhere: Nowhere, group: str, name: str) -> Iterator[int]:
    """The statuses that the library takes for success."""
    for nowhere.status in STATUSES:
        try:
            call(client, group, name)
        except HttpResponseError:
            continue
        yield nowhere.status


@pytest.mark.parametrize(("group", "name", "told"), OPERATIONS)
def test_asks_and_takes_what_is_recorded(
    group: str, name: str, told: dict[str, Any], client: ComputeManagementClient, nowhere: Nowhere
) -> None:
    assert list(taken(client, nowhere, group, name)) == told["acceptedStatus"]
    url = urlsplit(unquote(str(nowhere.asked.url)))
    asked = (nowhere.asked.method, url.path, parse_qs(url.query)["api-version"])
    assert asked == (told["method"], told["path"], [told["apiVersion"]])


def test_is_the_library_that_was_recorded() -> None:
    assert version(RECORDED["package"]) == RECORDED["version"]


def test_takes_every_success_that_the_contract_lets_the_double_give() -> None:
    unknown = set()
    for group, name, told in (one.values for one in OPERATIONS):
        if found := contract.find(told["method"], told["path"].replace("{", "").replace("}", "")):
            assert {int(status) for status in found.answers} <= set(told["acceptedStatus"]), name
        else:
            unknown.add(group)
    assert unknown == {"Snapshots"}
