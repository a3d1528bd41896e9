"""The proxy that the caller names: it is in the environment of whatever a build calls, and nowhere else.

What is in the environment reaches no plan, manifest or log, and so no image: a proxy's address may hold a password.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from build.errors import CallerError

PROXY = re.compile(
    r"https?://([^\s/@]+@)?[A-Za-z0-9.-]+(:\d{1,5})?/?|https?://([^\s/@]+@)?\[[0-9A-Fa-f:.]+\](:\d{1,5})?/?"
)
NAMES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


def require_proxy(url: str) -> None:
    """Raise CallerError where that is no proxy's address, which is not repeated: it may hold a password."""
    if not PROXY.fullmatch(url):
        raise CallerError("that is no address of a proxy", "give --proxy http://[USER:PASSWORD@]HOST[:PORT]")


@contextmanager
def through(url: str | None) -> Iterator[None]:
    """Have every program that is called meanwhile, and this one, ask archives through that proxy.

    Raises CallerError where it is none. Without one, the environment stays as the caller has it.
    """
    if url is None:
        yield
        return
    require_proxy(url)
    before = {name: os.environ.get(name) for name in NAMES}
    os.environ.update(dict.fromkeys(NAMES, url))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
