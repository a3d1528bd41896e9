"""UEFI programs by their headers: sections, also those of long names, what is signed of them, and what is damaged."""

import hashlib

import pytest

from harness.pe import NotPe, certificate_table, contents, digest
from tests.harness.pe import unified
from tests.harness.signed import CHECKSUM, HEADERS, TABLE, bare, program


@pytest.mark.parametrize("name", [".text", ".eight88", ".vendor_cert"])
def test_reads_a_section_by_its_name(name: str) -> None:
    assert bytes(contents(program(content=b"one", section=name))[name]) == b"one"


def test_finds_the_certificates_at_the_end() -> None:
    whole = program(content=b"code")
    assert sum(certificate_table(whole)) == len(whole)
    assert certificate_table(bare()) == (0, 0)


@pytest.mark.parametrize("place", [CHECKSUM, CHECKSUM + 3, TABLE, TABLE + 7, -1])
def test_leaves_checksum_and_certificates_out_of_the_digest(place: int) -> None:
    whole = bytearray(program(content=b"code"))
    before = digest(bytes(whole), "sha256")
    if place not in range(TABLE, TABLE + 8):  # where they lie tells where the digest ends
        whole[place] ^= 1
    assert digest(bytes(whole), "sha256") == before


@pytest.mark.parametrize("place", [2, CHECKSUM - 8, CHECKSUM + 4, TABLE + 8, HEADERS])
def test_takes_everything_else_into_the_digest(place: int) -> None:
    whole = bytearray(program(content=b"code"))
    before = digest(bytes(whole), "sha256")
    whole[place] ^= 1
    assert digest(bytes(whole), "sha256") != before


def test_hashes_what_lies_behind_the_sections() -> None:
    plain = bare(b"8 bytes.")
    headers = plain[:CHECKSUM] + plain[CHECKSUM + 4 : TABLE] + plain[TABLE + 8 : HEADERS]
    assert digest(plain, "sha384") == hashlib.sha384(headers + plain[HEADERS:]).digest()


@pytest.mark.parametrize(
    "raw",
    [b"", b"MZ", b"MZ".ljust(0x3C, b"\0") + b"\xff" * 4, unified()[:700], unified()[:2000]],
)
def test_refuses_what_is_no_program(raw: bytes) -> None:
    with pytest.raises(NotPe):
        contents(raw)
