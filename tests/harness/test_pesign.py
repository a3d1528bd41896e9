"""Who signed a program and whom a shim trusts: of sound ones, of those that nobody signed, and of damaged ones."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.pe import NotPe
from harness.pesign import Signature, Signer, signatures, vendors
from tests.harness.signed import HEADERS, MICROSOFT, TABLE, bare, program, shim

WHOLE = program(content=b"code")
CERTIFICATES = HEADERS + 8
"""Where the table begins in WHOLE."""


def test_reads_whose_certificates_a_program_has() -> None:
    found = signatures(program("a shim", MICROSOFT, b"code" * 100))
    assert found == (Signature((Signer("a shim", MICROSOFT),), fits=True),)


def test_finds_none_where_nobody_signed() -> None:
    assert signatures(bare()) == ()


def test_tells_a_program_that_was_changed_since() -> None:
    (one,) = signatures(WHOLE.replace(b"code", b"c0de"))
    assert one.signers and not one.fits


@pytest.mark.parametrize("names", [("a CA",), ("a CA", "an older CA")])
def test_reads_whom_a_shim_trusts(names: tuple[str, ...]) -> None:
    assert vendors(shim(*names)) == tuple(Signer(one, one) for one in names)


@pytest.mark.parametrize("table", [b"", bytes(16), struct.pack("<IIII", 28, 0, 16, 0) + bytes(28), b"\xff" * 64])
def test_knows_nobody_where_the_list_is_of_something_else(table: bytes) -> None:
    assert vendors(program(content=table, section=".vendor_cert")) == ()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"MZ",
        bytes(HEADERS),
        WHOLE[:-8],
        WHOLE.replace(b"PE\0\0", b"NE\0\0"),
        WHOLE[:TABLE] + struct.pack("<II", HEADERS, 1 << 30) + WHOLE[TABLE + 8 :],
        WHOLE[: CERTIFICATES + 8] + bytes(len(WHOLE) - CERTIFICATES - 8),
        WHOLE[:CERTIFICATES] + bytes(8) + WHOLE[CERTIFICATES + 8 :],
    ],
)
def test_says_that_it_cannot_read_what_is_damaged(damaged: bytes) -> None:
    with pytest.raises(NotPe):
        signatures(damaged)


@pytest.mark.parametrize("read", [signatures, vendors])
@given(rubbish=st.binary(max_size=64), at=st.integers(0, 1200))
def test_never_breaks_on_anything_else(read: object, rubbish: bytes, at: int) -> None:
    whole = shim("a CA", "an older CA")
    with suppress(NotPe):
        read(whole[:at] + rubbish + whole[at + len(rubbish) :])  # type: ignore[operator]
