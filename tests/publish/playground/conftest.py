"""The real clients of Azure, turned to the playground."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient

from publish import credentials
from publish.clouds import Cloud
from publish.playground.azure import GROUP, Playground
from publish.playground.world import SUBSCRIPTION
from tests.publish.playground.bodies import PLACE, definition, upload


@pytest.fixture
def settings(playground: Playground) -> dict[str, Any]:
    """What both management clients are made of. They ask once, and soon again where something takes long."""
    authority = str(playground.certificate.authority)
    cloud = Cloud("custom", playground.world.url, playground.world.url, "", authority, False)
    return {
        "credential": credentials.credential(cloud),
        "subscription_id": SUBSCRIPTION,
        "base_url": playground.world.url,
        "credential_scopes": [cloud.scope],
        "connection_verify": authority,
        "retry_total": 0,
        "polling_interval": 0.05,
    }


@pytest.fixture
def compute(settings: dict[str, Any]) -> Iterator[ComputeManagementClient]:
    with ComputeManagementClient(**settings) as client:
        yield client


@pytest.fixture
def roles(settings: dict[str, Any]) -> Iterator[AuthorizationManagementClient]:
    with AuthorizationManagementClient(**settings) as client:
        yield client


@pytest.fixture
def gallery(compute: ComputeManagementClient, playground: Playground) -> str:
    name = f"double{len(playground.world.resources)}"
    compute.galleries.begin_create_or_update(GROUP, name, {"location": PLACE, "properties": {}}).result()
    return name


@pytest.fixture
def images(compute: ComputeManagementClient, gallery: str) -> str:
    """A gallery with the definition `a`."""
    compute.gallery_images.begin_create_or_update(GROUP, gallery, "a", definition()).result()
    return gallery


@pytest.fixture
def vhd(playground: Playground) -> str:
    """The URL of a staged blob that is a fixed VHD."""
    return upload(playground)


@pytest.fixture
def name(playground: Playground) -> str:
    """A name that nothing has yet."""
    return f"one{len(playground.world.resources)}x{len(playground.world.exchanges)}"
