"""The gate before Azurite: what it refuses that Azurite would take."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobClient, ContainerClient

from publish import credentials
from publish.clouds import Cloud
from publish.playground.azure import ACCOUNT, Playground
from publish.playground.blobs import DISKS
from publish.playground.strict import Answer

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


FAILING = {
    "told": Answer(503, "ServerBusy"),
    "another": Answer(412, "SequenceNumberConditionNotMet"),
    "cut": Answer(),
    "cut after": Answer(after=True),
    "told after": Answer(500, "OperationTimedOut", after=True),
}


@pytest.mark.parametrize("kind", FAILING)
def test_fails_as_it_was_told_to(kind: str, blob: BlobClient, playground: Playground) -> None:
    """What the service did nevertheless can be seen there; what never reached it cannot."""
    answer, page = FAILING[kind], b"x" * 512
    playground.gate.faults.append(lambda asked, before: answer if asked.operation == "Put Page" else None)
    with pytest.raises(AzureError) as caught:
        blob.upload_page(page, 0, 512)
    assert getattr(caught.value, "status_code", None) == (answer.status or None)
    assert blob.download_blob(0, 512).readall() == (page if answer.after else bytes(512))


def test_fails_the_one_that_is_chosen(blob: BlobClient, playground: Playground) -> None:
    seen = playground.gate.count("Put Page")
    chosen = Answer(500, "InternalError")
    playground.gate.faults.append(
        lambda asked, before: chosen if asked.operation == "Put Page" and before == seen + 1 else None
    )
    blob.upload_page(bytes(512), 0, 512)
    with pytest.raises(HttpResponseError):
        blob.upload_page(bytes(512), 512, 512)
    blob.upload_page(bytes(512), 1024, 512)
    assert playground.gate.sent(blob.blob_name) == 1024


@pytest.mark.parametrize(("at", "length"), [(0, 512), (LENGTH - 512, 512), (0, 4 << 20)])
def test_counts_what_was_sent(at: int, length: int, blob: BlobClient, playground: Playground) -> None:
    blob.upload_page(bytes(length), at, length, validate_content=True)
    blob.clear_page(at, 512)
    operations = [one.operation for one in playground.gate.exchanges if one.path.endswith(blob.blob_name)]
    assert operations == ["Put Blob", "Put Page", "Clear Page"]
    assert playground.gate.sent(blob.blob_name) == length


@pytest.mark.parametrize("version", ["sequence", "etag"])
def test_keeps_conditions_as_the_service_does(version: str, blob: BlobClient) -> None:
    before = blob.get_blob_properties()
    blob.set_sequence_number("increment")
    wrong: dict[str, Any] = {"etag": before.etag, "match_condition": MatchConditions.IfNotModified}
    if version == "sequence":
        wrong = {"if_sequence_number_eq": before.page_blob_sequence_number}
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_page(bytes(512), 0, 512, **wrong)
    assert caught.value.status_code == 412
