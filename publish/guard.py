"""What is asked before a request that would change something leaves this machine, each time that it would.

A session that was opened to look refuses them all; one that publishes lets them out while its names are held.
"""

from collections.abc import Callable
from typing import Any

from build.errors import Bug

Guard = Callable[[str], None]
"""Is told the method and the URL of a request, without what grants access; raises what it has against it."""
READING = frozenset({"GET", "HEAD"})


def only_looking(asked: str) -> None:
    """Let nothing but questions out."""
    raise Bug(f"a plan wanted to {asked}")


def anything(asked: str) -> None:
    """Let everything out."""


def hook(guard: Guard) -> Callable[[Any], None]:
    """The guard as the libraries of Azure call something before they send a request."""

    def before(request: Any) -> None:
        asked = request.http_request
        if asked.method not in READING:
            guard(f"{asked.method} {asked.url.split('?')[0]}")

    return before
