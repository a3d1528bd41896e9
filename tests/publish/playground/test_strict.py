"""The gate before Azurite: what it refuses that Azurite would take."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, ContainerClient

from publish import credentials
from publish.clouds import Cloud
from publish.playground.azure import ACCOUNT, Playground
from publish.playground.blobs import DISKS

pytestmark = pytest.mark.real
LENGTH = (64 << 20) + 512


@pytest.fixture
def blob(playground: Playground) -> Iterator[BlobClient]:
    """A page blob of the staging account."""
    where = f"{playground.gate.url}/{ACCOUNT}"
    options: dict[str, Any] = {"connection_verify": str(playground.certificate.authority), "retry_total": 0}
    cloud = Cloud("custom", playground.world.url, playground.world.url, "", options["connection_verify"], False)
    container = ContainerClient(where, "strict", credential=credentials.credential(cloud), **options)
    if not container.exists():
        container.create_container()
    made = container.get_blob_client(f"x{len(playground.gate.exchanges)}.vhd")
    made.create_page_blob(LENGTH)
    yield made
    made.delete_blob()


def refused(error: "pytest.ExceptionInfo[HttpResponseError]") -> tuple[int, str]:
    return error.value.status_code or 0, str(getattr(error.value.error_code, "value", error.value.error_code))  # type: ignore[attr-defined]


def test_refuses_pages_that_are_too_large(blob: BlobClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_page(bytes(5 << 20), 0, 5 << 20)
    assert refused(caught) == (413, "RequestBodyTooLarge")


def test_refuses_pages_whose_digest_is_wrong(blob: BlobClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_page(bytes(512), 0, 512, headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert refused(caught) == (400, "Md5Mismatch")


def test_refuses_an_address_whose_time_is_over(playground: Playground) -> None:
    url = playground.blobs.make_disk(f"old{len(playground.gate.exchanges)}", LENGTH)
    granted = playground.blobs.address(url, 60, write=True)
    client = BlobClient.from_blob_url(granted, connection_verify=str(playground.certificate.authority), retry_total=0)
    client.upload_page(bytes(512), 0, 512)
    playground.gate.clock = lambda: datetime.now(UTC) + timedelta(seconds=120)
    try:
        with pytest.raises(HttpResponseError) as caught:
            client.upload_page(bytes(512), 0, 512)
    finally:
        playground.gate.clock = lambda: datetime.now(UTC)
    assert refused(caught)[0] == 403


@pytest.mark.parametrize("what", ["create", "metadata", "sequence", "delete", "lease", "clear"])
def test_lets_nothing_but_pages_be_written_at_a_managed_disk_s_address(what: str, playground: Playground) -> None:
    url = playground.blobs.make_disk(f"disk{len(playground.gate.exchanges)}", LENGTH)
    assert f"/{DISKS}/" in url
    granted = playground.blobs.address(url, 600, write=True)
    client = BlobClient.from_blob_url(granted, connection_verify=str(playground.certificate.authority), retry_total=0)
    tried = {
        "create": lambda: client.create_page_blob(LENGTH),
        "metadata": lambda: client.set_blob_metadata({"a": "b"}),
        "sequence": lambda: client.set_sequence_number("increment"),
        "delete": client.delete_blob,
        "lease": client.acquire_lease,
        "clear": lambda: client.clear_page(0, 512),
    }
    with pytest.raises(HttpResponseError) as caught:
        tried[what]()
    assert refused(caught)[0] == 403
    client.upload_page(bytes(512), 0, 512)
    assert client.get_blob_properties().size == LENGTH


def test_refuses_who_shows_nothing(playground: Playground) -> None:
    client = BlobClient(
        f"{playground.gate.url}/{ACCOUNT}",
        "strict",
        "x",
        connection_verify=str(playground.certificate.authority),
        retry_total=0,
    )
    with pytest.raises(HttpResponseError) as caught:
        client.get_blob_properties()
    assert refused(caught)[0] == 401


def test_passes_on_what_an_account_s_key_has_signed(playground: Playground) -> None:
    """The signature covers headers: the gate may add none."""
    page = bytes(range(256)) * 2
    key = playground.blobs.azurite.keys[ACCOUNT]
    options: dict[str, Any] = {"credential": key, "connection_verify": str(playground.certificate.authority)}
    with ContainerClient(playground.endpoint, "signed", **options) as container:
        container.create_container()
        blob = container.get_blob_client("x.vhd")
        blob.create_page_blob(LENGTH)
        blob.upload_page(page, 512, 512)
        assert [(one.start, one.end) for one in blob.list_page_ranges()] == [(512, 1023)]
        assert blob.download_blob(512, 512).readall() == page
        container.delete_container()
