"""The time that everything made in a build bears (https://reproducible-builds.org/specs/source-date-epoch/)."""

import os

from build.errors import CallerError
from build.vhd import EPOCH

NAME = "SOURCE_DATE_EPOCH"


def told() -> int | None:
    """What the environment says, in seconds since 1970; None where it says nothing.

    Raises CallerError where it is no time that a VHD can hold.
    """
    given = os.environ.get(NAME)
    if given is None:
        return None
    if not given.isdecimal() or not EPOCH <= int(given) < 1 << 32:
        raise CallerError(f"{NAME} is {given!r}", "it is a number of seconds since 1970, from 2000 on")
    return int(given)
