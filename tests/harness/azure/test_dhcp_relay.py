"""The relay between a guest and dnsmasq, as far as it needs no network."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from harness.azure import dhcp
from harness.azure.dhcp import Message, decode_routes
from harness.azure.dhcp_relay import NODE, describe, destination, frame, remembering, to_guest, to_server
from harness.azure.dnsmasq import arguments, routes
from harness.azure.frames import BROADCAST_ADDRESS, BROADCAST_MAC
from harness.azure.host import AzureHost
from tests.harness.azure.machines import GENERALIZED, TWO_CARDS

MAC = bytes.fromhex("6045bd000004")
GUEST = IPv4Address("10.0.0.4")
DISCOVER = Message(1, 7, MAC, ((dhcp.TYPE, b"\1"), (dhcp.HOST_NAME, b"vm-alpha"), (dhcp.PARAMETERS, b"\1\3")))
ACK = Message(
    2,
    7,
    MAC,
    ((dhcp.TYPE, b"\5"), (dhcp.LEASE_TIME, b"\xff" * 4), (dhcp.SERVER_ID, bytes(4)), (dhcp.RELAY_AGENT, b"x")),
    yiaddr=GUEST,
)
NAK = Message(2, 7, MAC, ((dhcp.TYPE, b"\6"),))


def test_asks_in_the_name_of_the_azure_host() -> None:
    asked = to_server(DISCOVER, GENERALIZED)
    assert (asked.giaddr, asked.hops) == (NODE, 1)
    assert asked.option(dhcp.RELAY_AGENT) == b"\x05\x04\x0a\0\0\0\x0b\x04\xa8\x3f\x81\x10"


def test_answers_as_azure_does() -> None:
    answer = to_guest(ACK)
    assert answer.giaddr == NODE
    assert answer.option(dhcp.SERVER_ID) == NODE.packed
    assert answer.option(dhcp.RENEWAL) == answer.option(dhcp.REBINDING) == b"\xff" * 4
    assert answer.option(dhcp.RELAY_AGENT) is None
    assert to_guest(NAK).option(dhcp.RENEWAL) is None


def test_sends_where_the_guest_can_hear() -> None:
    assert destination(ACK) == (MAC, GUEST)
    assert destination(replace(ACK, flags=dhcp.BROADCAST)) == (BROADCAST_MAC, BROADCAST_ADDRESS)
    assert destination(replace(ACK, flags=dhcp.BROADCAST, ciaddr=GUEST)) == (MAC, GUEST)
    assert destination(replace(NAK, ciaddr=GUEST)) == (BROADCAST_MAC, BROADCAST_ADDRESS)
    assert frame(ACK, b"\1" * 6)[:12] == MAC + b"\1" * 6


def test_journals_both_directions_and_keeps_names() -> None:
    host = AzureHost(GENERALIZED)
    path = remembering(lambda message: ACK, host)
    assert path(DISCOVER) == ACK
    assert [entry.event for entry in host.journal.find("dhcp")] == ["DISCOVER", "ACK"]
    assert host.hostnames == ("vm-alpha",)


def test_keeps_no_name_of_a_second_card() -> None:
    host = AzureHost(TWO_CARDS)
    path = remembering(lambda message: None, host)
    path(replace(DISCOVER, chaddr=bytes.fromhex("6045bd000104")))
    assert host.hostnames == ()
    assert [entry.event for entry in host.journal.find("dhcp")] == ["DISCOVER"]


def test_says_nothing_when_the_server_is_silent() -> None:
    host = AzureHost(GENERALIZED)
    assert remembering(lambda message: None, host)(DISCOVER) is None
    assert [entry.event for entry in host.journal.find("dhcp")] == ["DISCOVER"]


def test_describes_what_matters() -> None:
    more = ((dhcp.REQUESTED_ADDRESS, GUEST.packed), (dhcp.CLIENT_ID, b"\1ab"), (dhcp.VENDOR_CLASS, b"udhcp"))
    told = describe(replace(DISCOVER, options=DISCOVER.options + more))
    assert told == {
        "mac": "60:45:bd:00:00:04",
        "xid": "00000007",
        "broadcast": False,
        "host_name": "vm-alpha",
        "requested": "10.0.0.4",
        "parameters": [1, 3],
        "vendor_class": "udhcp",
        "client_id": "01:61:62",
    }


def test_gives_dnsmasq_the_three_routes() -> None:
    forced = next(word for word in arguments(GENERALIZED, Path("x")) if ",121," in word)
    assert decode_routes(bytes.fromhex(forced.partition(",121,")[2].replace(":", ""))) == routes(GENERALIZED)
    assert [str(network) for network, _ in routes(GENERALIZED)] == [
        "0.0.0.0/0",
        "168.63.129.16/32",
        "169.254.169.254/32",
    ]
