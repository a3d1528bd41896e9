"""The faults of the pretend host: one module a topic; each fault is one value, found here by its name."""

from collections.abc import Iterator
from dataclasses import dataclass

from build.errors import CallerError
from harness.faults import imds, machine, media, network, wireserver
from harness.faults.fault import Elsewhere, Fault
from harness.injection import Injection

FAULTS: tuple[Fault, ...] = (
    *(*imds.FAULTS, *wireserver.FAULTS, *network.FAULTS),
    *(*media.FAULTS, *machine.FAULTS),
)
ELSEWHERE: tuple[Elsewhere, ...] = (
    *(*wireserver.ELSEWHERE, *network.ELSEWHERE),
    *(*media.ELSEWHERE, *machine.ELSEWHERE),
)


@dataclass(frozen=True)
class Chosen:
    """A fault with its argument; `word` is what the caller wrote."""

    fault: Fault
    argument: float
    word: str

    @property
    def injection(self) -> Injection:
        """What it changes."""
        return self.fault.inject(self.argument)


def catalogue() -> Iterator[dict[str, object]]:
    """Every fault, and every one that is not here with its reason."""
    yield from (one.as_dict() for one in FAULTS)
    yield from (one.as_dict() for one in ELSEWHERE)


def listed() -> Iterator[str]:
    """The catalogue for a person to read."""
    for one in FAULTS:
        argument = f"=NUMBER ({one.default:g} {one.unit})" if one.unit else ""
        yield f"{one.name}{argument}: {one.title}{f'; with --scenario {one.scenario}' if one.scenario else ''}"
        yield from (f"    {case.text}: {case.expectation.text}" for case in one.cases)
    yield "Not injected:"
    yield from (f"    {one.name}: {one.reason}" for one in ELSEWHERE)


def choose(word: str) -> Chosen:
    """The fault NAME or NAME=ARGUMENT. Raises CallerError."""
    name, given, argument = word.strip().partition("=")
    fault = next((one for one in FAULTS if one.name == name), None)
    if fault is None:
        reason = next((one.reason for one in ELSEWHERE if one.name == name), "")
        if reason:
            raise CallerError(
                f"the fault {name} is not injected here: {reason}", "`./kiln faults` lists those that are"
            )
        raise CallerError(f"there is no fault {name!r}", "`./kiln faults` lists those there are")
    if given and not fault.unit:
        raise CallerError(f"the fault {name} takes no argument", f"say {name}")
    try:
        number = float(argument) if given else fault.default
    except ValueError:
        raise CallerError(f"{argument!r} is no number of {fault.unit}", f"say {name}={fault.default:g}") from None
    return Chosen(fault, number, f"{name}={number:g}" if given else name)


def choose_all(words: str) -> tuple[Chosen, ...]:
    """The faults with commas between them; none for no word. Raises CallerError."""
    return tuple(choose(word) for word in words.split(",")) if words else ()
