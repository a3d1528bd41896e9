"""Scenarios: what is done with an image before it is judged. Each is a value; `harness.performance` plays it.

A scenario is a row of stints: each is one time that a machine is switched on, and what is done to it until it is
switched off. Stints name their VM, their container and their disk, so that the same machine on another host, another
machine on the same disk, and two machines of one image are said in the same words.
"""

from dataclasses import dataclass, replace

from build.errors import CallerError
from harness.profile import CLOUD_INIT, GENERALIZED, PROVISIONED, SPECIALIZED, Profile, When
from harness.stint import REBOOT, Act, Deed, Stint

GIB = 1 << 30
DAY = 86400
SEEDS = ("azure", "nocloud")


@dataclass(frozen=True)
class Scenario:
    """What is played. `expects` says what a sound guest does; `when` which images it is for, and `seeds` from what the
    machine may be provisioned, the usual one first. `faults` are what the host does wrong on purpose."""

    name: str
    title: str
    expects: str
    stints: tuple[Stint, ...] = (Stint(),)
    when: When | None = None
    seeds: tuple[str, ...] = ("azure",)
    faults: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[tuple[Stint, ...], ...]:
        """The stints in rows: each with those that are played beside it, while it stands."""
        rows: list[tuple[Stint, ...]] = []
        for stint in self.stints:
            rows = [*rows[:-1], (*rows[-1], stint)] if stint.beside else [*rows, (stint,)]
        return tuple(rows)

    @property
    def machines(self) -> int:
        """How many machines run in one network at the same time."""
        return max(map(len, self.rows))

    def starts_kernel(self, seed: str) -> bool:
        """Whether QEMU starts the kernel itself with this seed, past the boot loader (`harness.assembly`)."""
        return seed == "nocloud" or any(stint.changes_cards for stint in self.stints)

    @property
    def text(self) -> str:
        """The scenario for a person to read: three short lines."""
        whose = self.when.text if self.when else "every image"
        return f"{self.name}: {self.title}\n    a sound guest: {self.expects}\n    for {whose}"

    def as_dict(self) -> dict[str, object]:
        """The scenario as `scenarios --json` lists it."""
        return {
            "name": self.name,
            "title": self.title,
            "expects": self.expects,
            "machines": len({stint.vm for stint in self.stints}),
            "boots": sum(1 + len(stint.acts) for stint in self.stints),
            "for": self.when.text if self.when else "every image",
            "seeds": list(self.seeds),
            "faults": list(self.faults),
        }


REDEPLOYED = Stint("redeployed", "on its new host", container="second", fresh=False)
RECREATED = Stint("recreated", "as a new machine", vm="second", container="second", fresh=False, attached=True)
GROWN = Stint("grown", "on its larger disk", grown=8 * GIB, fresh=False)
TWIN = Stint("twin", "on a second machine", vm="second", container="second", disk="second")
NEIGHBOUR = replace(TWIN, label="neighbour", words="on the machine beside it", beside=True)

SCENARIOS = (
    Scenario(
        "first-boot",
        "a machine is made from the image and switched on",
        "it reports ready, lets its administrator in, and has the name, the keys and the data that it was given",
        seeds=SEEDS,
    ),
    Scenario(
        "reboot",
        "the same, then it is rebooted",
        "name, users, keys and ids stay as they are, and nothing is provisioned again",
        (Stint(acts=(REBOOT,)),),
        seeds=SEEDS,
    ),
    Scenario(
        "rename",
        "the metadata service tells another name, then the administrator chooses a third",
        "cloud-init takes the new name at the next boot if it configures the network, and tells DHCP at the one after; "
        "the administrator's stays",
        (
            Stint(
                acts=(
                    Act("renamed", "after a new name in the metadata service", Deed.RENAME),
                    Act("chosen", "after its administrator named it", Deed.CHOOSE),
                )
            ),
        ),
        GENERALIZED,
    ),
    Scenario(
        "redeploy",
        "the machine is switched off and comes up on another host: same VM id and disk, new container",
        "it comes up as the machine that it was, and provisions nothing again",
        (Stint(), REDEPLOYED),
    ),
    Scenario(
        "recreate",
        "the machine is deleted, and a new one is made with its disk: new VM id and new addresses",
        "the new machine lets its administrator in; cloud-init takes it for a new instance",
        (Stint(), RECREATED),
        GENERALIZED,
    ),
    Scenario(
        "twins",
        "two machines of one image, with names, administrators and keys of their own",
        "each has its own name and administrator; machine id, host keys and DHCP identity differ",
        (Stint(), TWIN),
        GENERALIZED,
        SEEDS,
    ),
    Scenario(
        "specialized-twins",
        "two machines of one specialized image",
        "machine id, host keys and DHCP identity differ; what they share is listed, and the name that both claim",
        (Stint(), TWIN),
        SPECIALIZED,
    ),
    Scenario(
        "no-imds",
        "the metadata service is not there",
        "the machine is provisioned from the disc alone; whether it still reports ready depends on its provisioner",
        when=GENERALIZED,
        faults=("imds-refused",),
    ),
    Scenario(
        "nocloud",
        "the same image without Azure: cloud-init's NoCloud disc, no metadata service, no wireserver",
        "cloud-init provisions it from the disc: name, administrator, key and data",
        when=GENERALIZED & CLOUD_INIT,
        seeds=("nocloud",),
    ),
    Scenario(
        "grow",
        "the machine is switched off, its disk is enlarged, and it is switched on again",
        "the root file system fills the larger disk",
        (Stint(), GROWN),
        seeds=SEEDS,
    ),
    Scenario(
        "clock-past",
        "the machine's clock is ten years behind",
        "it comes up and is provisioned as ever",
        (Stint(clock=-3650 * DAY),),
        seeds=SEEDS,
    ),
    Scenario(
        "clock-future",
        "the machine's clock is ten years ahead",
        "it comes up and is provisioned as ever",
        (Stint(clock=3650 * DAY),),
        seeds=SEEDS,
    ),
    Scenario(
        "extension",
        "an extension is given to the running machine, then other settings for it",
        "its agent installs it, opens the protected settings, and its status tells both of each",
        (
            Stint(
                acts=(
                    Act("extended", "with an extension", Deed.EXTEND),
                    Act("reset", "with other settings for its extension", Deed.RESET_EXTENSION),
                )
            ),
        ),
        PROVISIONED,
    ),
    Scenario(
        "pps",
        "the machine waits in a pool of machines made ahead, and is handed over to its owner once it is ready",
        "it reports ready, waits, takes its owner's name, administrator and data, and reports ready once more",
        (Stint(pool="Running"),),
        GENERALIZED & CLOUD_INIT,
    ),
    Scenario(
        "pps-savable",
        "the same with a machine that waits saved: its network card is pulled, and its owner's is plugged in",
        "it reports ready, notices its owner's card, takes name, administrator and data, and reports ready once more",
        (Stint(pool="Savable"),),
        GENERALIZED & CLOUD_INIT,
    ),
    Scenario(
        "data-disks",
        "the machine has two empty data disks, one larger than its own",
        "it boots from its own disk, and leaves the others empty",
        (Stint(data_disks=(4 * GIB, 64 * GIB), acts=(REBOOT,)),),
        seeds=SEEDS,
    ),
    Scenario(
        "resource-disk",
        "the machine has a temporary disk with a partition for Windows",
        "it boots from its own disk",
        (Stint(resource_disk=16 * GIB, acts=(REBOOT,)),),
        seeds=SEEDS,
    ),
    Scenario(
        "second-nic",
        "the machine has a second network card, and a second address on its first one",
        "it reports ready, has every address that it was given, and its default route leads through its first card",
        (Stint(more_cards=1, acts=(REBOOT,)),),
        GENERALIZED & CLOUD_INIT,
    ),
    Scenario(
        "neighbours",
        "two machines of one image run in one network at the same time",
        "each finds the other by its full name and by its address, and reaches it",
        (Stint(), NEIGHBOUR),
        GENERALIZED,
    ),
)


def find_scenario(name: str) -> Scenario:
    """The scenario of that name. Raises CallerError that names those there are."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise CallerError(f"there is no scenario {name!r}", f"there is: {', '.join(one.name for one in SCENARIOS)}")


def refusal(scenario: Scenario, profile: Profile, seed: str | None) -> str:
    """Why a scenario does not apply to an image, "" where it does. `seed` None is whatever the scenario wants."""
    if scenario.when and not scenario.when.holds(profile):
        return f"the scenario {scenario.name} is for {scenario.when.text}, and this is {profile.text}"
    if seed and seed not in scenario.seeds:
        return f"the scenario {scenario.name} is played with the seed {' or '.join(scenario.seeds)}, not with {seed}"
    if profile.kind == "specialized" and (seed or scenario.seeds[0]) == "nocloud":
        return "nothing provisions a specialized image: it takes no seed"
    return ""
