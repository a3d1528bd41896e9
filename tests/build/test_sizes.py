"""Sizes as people write them."""

import pytest

from build.errors import CallerError
from build.sizes import parse_size

GIB = 1 << 30


@pytest.mark.parametrize(
    "text", ["30G", "30g", "30GiB", "30GB", " 30G", "30720M", "31457280K", "32212254720", "32212254720B"]
)
def test_reads_every_usual_way_to_write_a_size(text: str) -> None:
    assert parse_size(text) == 30 * GIB


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "'' is not a size", "30G"),
        ("big", "'big' is not a size", "30G"),
        ("-1G", "'-1G' is not a size", "30G"),
        ("1.5G", "'1.5G' is not a size", "30G"),
        ("30X", "'30X' is not a size", "30G"),
        ("٣G", "'٣G' is not a size", "30G"),
        ("0", "the size 0 is not a multiple of 1 MiB", "1M"),
        ("1000000000", "the size 1000000000 is not a multiple of 1 MiB", "954M"),
        ("31457281K", "the size 31457281K is not a multiple of 1 MiB", "30720M"),
    ],
)
def test_says_what_a_size_looks_like(text: str, what: str, hint: str) -> None:
    with pytest.raises(CallerError) as refusal:
        parse_size(text)
    assert refusal.value.what == what
    assert hint in refusal.value.hint
