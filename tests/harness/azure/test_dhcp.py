"""DHCP messages and the bytes on the wire."""

import contextlib
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.azure import dhcp
from harness.azure.dhcp import MalformedMessage, Message, decode, decode_routes, encode, encode_routes
from harness.azure.frames import checksum, udp_frame

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
names = st.binary(max_size=60).map(lambda name: name.rstrip(b"\0"))
options = st.dictionaries(
    st.integers(1, 254).filter(lambda code: code != dhcp.OVERLOAD), st.binary(max_size=600), max_size=12
)
messages = st.builds(
    Message,
    op=st.sampled_from((1, 2)),
    xid=st.integers(0, 2**32 - 1),
    chaddr=st.binary(min_size=1, max_size=16),
    options=options.map(lambda chosen: tuple(chosen.items())),
    flags=st.sampled_from((0, dhcp.BROADCAST)),
    secs=st.integers(0, 0xFFFF),
    hops=st.integers(0, 16),
    ciaddr=addresses,
    yiaddr=addresses,
    siaddr=addresses,
    giaddr=addresses,
    sname=names,
    file=names,
)
networks = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda pair: IPv4Network(pair, strict=False))


@given(messages)
def test_reads_what_it_wrote(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=400))
def test_never_fails_otherwise_on_garbage(data: bytes) -> None:
    for candidate in (data, b"\1\1\6\0".ljust(dhcp.HEADER, b"\0") + dhcp.MAGIC + data):
        with contextlib.suppress(MalformedMessage):
            decode(candidate)


@given(st.lists(st.tuples(networks, addresses), max_size=8))
def test_reads_the_routes_it_wrote(routes: list[dhcp.Route]) -> None:
    assert decode_routes(encode_routes(routes)) == tuple(routes)


@given(st.binary(max_size=40))
def test_never_fails_otherwise_on_broken_routes(data: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        decode_routes(data)


def test_writes_routes_as_rfc_3442_shows_them() -> None:
    route = IPv4Network("10.17.0.0/16"), IPv4Address("10.0.0.1")
    assert encode_routes([route]).hex() == "100a110a000001"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are too few"),
        (bytes(400), "the magic cookie is missing"),
        (bytes(dhcp.HEADER) + dhcp.MAGIC, "a hardware address of 0 bytes"),
        (b"\1\1\6".ljust(dhcp.HEADER, b"\0") + dhcp.MAGIC + b"\x0c\x09ab", "option 12 reaches beyond the message"),
        (b"\1\1\6".ljust(dhcp.HEADER, b"\0") + dhcp.MAGIC + b"\x0c", "option 12 reaches beyond the message"),
    ],
)
def test_refuses_what_is_no_message(data: bytes, message: str) -> None:
    with pytest.raises(MalformedMessage, match=message):
        decode(data)


def test_joins_long_options_and_reads_overloaded_fields() -> None:
    fixed = b"\1\1\6".ljust(44, b"\0") + b"\x0c\x02lo\xff".ljust(64, b"\0") + b"\x0c\x02hi\xff".ljust(128, b"\0")
    message = decode(fixed + dhcp.MAGIC + b"\x34\x01\x03\x0c\x01-\xff")
    assert message.host_name == "-hilo"
    assert (message.sname, message.file) == (b"", b"")


def test_names_types_and_unknown_ones() -> None:
    bare = Message(1, 7, b"123456")
    assert bare.type == "BOOTP"
    assert Message(1, 7, b"123456", ((dhcp.TYPE, b"\1"),)).type == "DISCOVER"
    assert Message(1, 7, b"123456", ((dhcp.TYPE, b"\x63"),)).type == "type 99"


def test_shows_a_hostile_name_in_ascii() -> None:
    assert Message(1, 7, b"123456", ((dhcp.HOST_NAME, b"a\xff\n\0"),)).host_name == "a\\xff\n"


@given(st.binary(max_size=600))
def test_frames_carry_sums_that_check(payload: bytes) -> None:
    pair = IPv4Address("168.63.129.16"), IPv4Address("10.0.0.4")
    frame = udp_frame((b"\1" * 6, b"\2" * 6), pair, (67, 68), payload)
    packet, segment = frame[14:34], frame[34:]
    assert checksum(packet) == 0
    pseudo = pair[0].packed + pair[1].packed + b"\0\x11" + len(segment).to_bytes(2, "big")
    assert checksum(pseudo + segment) == 0
    assert frame[:6] == b"\2" * 6
