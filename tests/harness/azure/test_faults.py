"""The layers between a message and its service: which messages they meet, and what becomes of those."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from harness.azure import dhcp
from harness.azure.dhcp import Message
from harness.azure.dhcp_relay import Answer
from harness.azure.faults import DhcpFault, HttpFault, Window, troubled, troubled_dhcp
from harness.azure.http import App, Ending, Request, Response
from harness.azure.journal import Journal

INSTANCE = Request.to("GET", "/metadata/instance?api-version=2021-08-01&extended=true")
VERSIONS = Request.to("GET", "/metadata/versions")
SENT = Message(1, 7, bytes(6), ((dhcp.TYPE, b"\x01"),))
OFFER = replace(
    SENT,
    op=2,
    yiaddr=IPv4Address("10.0.0.4"),
    options=((dhcp.TYPE, b"\x02"), (dhcp.WIRESERVER_OPTION, b"\xa8\x3f\x81\x10"), (dhcp.ROUTER, b"\n\0\0\1")),
)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal() -> Journal:
    return Journal()


def served(request: Request) -> Response:
    return Response(200, b'{"compute": {}}')


def behind(fault: HttpFault, journal: Journal, clock: Clock | None = None, seed: int = 0) -> App:
    return troubled(served, "imds", (fault,), journal, clock, seed)


def test_a_service_without_faults_of_its_own_is_left_as_it_is(journal: Journal) -> None:
    assert troubled(served, "imds", (HttpFault("wireserver", status=500),), journal) is served


def test_refuses_so_many_times_and_then_serves(journal: Journal) -> None:
    app = behind(HttpFault("imds", status=503, window=Window(times=2)), journal)
    assert [app(INSTANCE).status for _ in range(4)] == [503, 503, 200, 200]
    assert [entry.details["does"] for entry in journal.find("fault", "imds")] == ["status 503"] * 2


def test_refuses_for_so_long_from_the_first_question_on(journal: Journal, clock: Clock) -> None:
    app = behind(HttpFault("imds", status=404, window=Window(seconds=60)), journal, clock)
    told = []
    for clock.now in (50, 51, 109, 110, 500):
        told.append(app(INSTANCE).status)
    assert told == [404, 404, 404, 200, 200]


def test_begins_at_its_time(journal: Journal, clock: Clock) -> None:
    app = behind(HttpFault("imds", status=500, window=Window(begins=10, seconds=5)), journal, clock)
    told = []
    for clock.now in (9, 10, 16):
        told.append(app(INSTANCE).status)
    assert told == [200, 500, 200]


def test_begins_once_the_journal_tells_of_something(journal: Journal) -> None:
    app = behind(HttpFault("imds", status=500, window=Window(since=("machine", "rebooted"))), journal)
    assert app(INSTANCE).status == 200
    journal.add("machine", "rebooted")
    assert app(INSTANCE).status == 500


def test_meets_its_own_path_alone(journal: Journal) -> None:
    app = behind(HttpFault("imds", path="extended=true", status=400), journal)
    assert (app(INSTANCE).status, app(VERSIONS).status) == (400, 200)


def test_meets_a_share_that_its_seed_decides(journal: Journal) -> None:
    fault = HttpFault("imds", status=500, window=Window(share=0.5))
    runs = [[behind(fault, journal, seed=seed)(INSTANCE).status for _ in range(1)] for seed in (1, 1)]
    assert runs[0] == runs[1]
    first, again, other = (
        [app(INSTANCE).status for _ in range(40)] for app in (behind(fault, journal, seed=seed) for seed in (1, 1, 2))
    )
    assert first == again != other
    assert 10 < first.count(500) < 30


def test_an_answer_may_come_late_changed_and_broken(journal: Journal) -> None:
    fault = HttpFault("imds", edit="garbage", after=35, ending=Ending.TRUNCATED)
    answer = behind(fault, journal)(INSTANCE)
    assert (answer.status, answer.body, answer.after, answer.ending) == (
        200,
        b'{"compute": {"name": ',
        35,
        Ending.TRUNCATED,
    )
    assert journal.entries[-1].details["does"] == "garbage, 35 s late, truncated"


def test_the_first_fault_in_force_is_the_one_that_is_met(journal: Journal) -> None:
    faults = (HttpFault("imds", status=410, window=Window(times=1)), HttpFault("imds", status=500))
    app = troubled(served, "imds", faults, journal)
    assert [app(INSTANCE).status for _ in range(2)] == [410, 500]


def leased(fault: DhcpFault, journal: Journal, clock: Clock | None = None) -> Answer:
    return troubled_dhcp(lambda message: OFFER, (fault,), journal, clock)


def test_dhcp_is_silent_for_a_while(journal: Journal, clock: Clock) -> None:
    answer = leased(DhcpFault(Window(seconds=30), silent=True), journal, clock)
    clock.now = 12
    assert answer(SENT) is None
    clock.now = 43
    assert answer(SENT) == OFFER
    assert len(journal.find("fault", "dhcp")) == 1


def test_requests_alone_are_refused(journal: Journal) -> None:
    answer = leased(DhcpFault(Window(times=1), naks=True), journal)
    request = replace(SENT, options=((dhcp.TYPE, b"\x03"),))
    assert answer(SENT) == OFFER
    refused = answer(request)
    assert refused is not None
    assert (refused.type, refused.xid, refused.yiaddr, refused.option(dhcp.SERVER_ID)) == (
        "NAK",
        7,
        dhcp.NOWHERE,
        b"\xa8\x3f\x81\x10",
    )
    assert answer(request) == OFFER


def test_options_are_left_out_or_others(journal: Journal) -> None:
    answer = leased(DhcpFault(options=((dhcp.WIRESERVER_OPTION, None), (26, b"\x05x"))), journal)(SENT)
    assert answer is not None
    assert [code for code, _ in answer.options] == [dhcp.TYPE, dhcp.ROUTER, 26]
    assert answer.yiaddr == OFFER.yiaddr
