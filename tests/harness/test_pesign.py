"""Who signed a program: what is read of one that is signed, of one that is not, and of what is damaged."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.pesign import NotPe, Signer, signers
from tests.harness.signed import HEADERS, MICROSOFT, program

TABLE = 0x80 + 24 + 112 + 8 * 4


def test_reads_whose_certificates_a_program_has() -> None:
    assert signers(program("a shim", MICROSOFT, b"code" * 100)) == (Signer("a shim", MICROSOFT),)


def test_finds_none_where_nobody_signed() -> None:
    bare = bytearray(program())
    struct.pack_into("<II", bare, TABLE, 0, 0)
    assert signers(bytes(bare)) == ()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"MZ",
        bytes(HEADERS),
        program()[:-8],
        program().replace(b"PE\0\0", b"NE\0\0"),
        program()[:TABLE] + struct.pack("<II", HEADERS, 1 << 30) + program()[TABLE + 8 :],
        program()[: HEADERS + 8] + bytes(len(program()) - HEADERS - 8),
        program()[:HEADERS] + bytes(8) + program()[HEADERS + 8 :],
    ],
)
def test_says_that_it_cannot_read_what_is_damaged(damaged: bytes) -> None:
    with pytest.raises(NotPe):
        signers(damaged)


@given(st.binary(max_size=64), st.integers(0, len(program()) - 64))
def test_never_breaks_on_anything_else(rubbish: bytes, at: int) -> None:
    whole = program()
    with suppress(NotPe):
        signers(whole[:at] + rubbish + whole[at + len(rubbish) :])
