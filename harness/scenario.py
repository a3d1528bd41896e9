"""Scenarios: what is done with a guest before it is judged. Each is a value."""

from dataclasses import dataclass

from build.errors import CallerError


@dataclass(frozen=True)
class Scenario:
    """`reboots` the guest is rebooted so often after its first boot, and judged after each."""

    name: str
    text: str
    reboots: int = 0


SCENARIOS = (
    Scenario("first-boot", "a machine is made from the image and switched on"),
    Scenario("reboot", "the same, then it is rebooted: name, users and keys must stay as they are", reboots=1),
)


def find_scenario(name: str) -> Scenario:
    """The scenario of that name. Raises CallerError that names those there are."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise CallerError(f"there is no scenario {name!r}", f"there is: {', '.join(one.name for one in SCENARIOS)}")
