"""What a repair did, as a person reads it."""

from collections.abc import Iterator

from harness.fix.api import Fixed
from harness.render_text import summary


def lines(fixed: Fixed) -> Iterator[str]:
    """What was done, what is left and why, and what inspection says now."""
    yield f"repaired, in {fixed.image}:" if fixed.repaired else "nothing was changed"
    for repaired in fixed.repaired:
        yield from (f"  {repaired.id}: {done}" for done in repaired.done)
    if fixed.left:
        yield "left as it is:"
    for left in fixed.left:
        yield f"  {left.id}: {left.why}"
    yield summary(fixed.report)
