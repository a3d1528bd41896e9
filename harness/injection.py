"""What a fault changes, as values: of the services, of DHCP, of the disc, and of the machine itself, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.azure.faults import FOREVER, DhcpFault, HttpFault

SWITCHED_ON = ("machine", "switched on")
FIRST_DHCP = ("dhcp", "DISCOVER")
READY = ("health", "Ready")
REBOOTED = ("machine", "rebooted")
FIRST_IMDS = ("imds", "exchange")


class Do(StrEnum):
    """What is done to the machine or its host at a moment."""

    CUT_LINK = "the network cable is pulled, and put back"
    CUT_POWER = "the power is cut, and comes back"
    INSERT_DISC = "the provisioning disc is put into the drive"
    NEW_GOAL = "the goal state gets a new incarnation"
    NEW_CONTAINER = "the VM's container gets another id"
    NEW_CARD = "a second network card is plugged in"
    HAND_OVER = "the machine of a pool is handed over to its owner, with its link taken away and given back"
    EXCHANGE_CARD = "the machine of a pool is handed over to its owner, with its network card pulled and another put in"
    MOVE = "the address server gives out another address from now on"


@dataclass(frozen=True)
class Moment:
    """`do` this once the journal has an entry `since` (source and event), and `after` so many seconds more; what can be
    undone is so after `seconds`."""

    do: Do
    since: tuple[str, str] = SWITCHED_ON
    after: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Absence:
    """A service that is not there until `seconds` after the guest's first DHCP message: connections are refused, or,
    where it is `silent`, nobody answers for its address at all."""

    service: str
    silent: bool = False
    seconds: float = FOREVER


@dataclass(frozen=True)
class Injection:
    """All that is wrong on purpose in one run.

    `disc` is a name in `harness.discs`; `lease` in seconds takes the place of Azure's infinite one; without `names`
    nobody answers at port 53; with `decoy` the machine has an empty disk on virtio, which some agents take for a disc;
    `disc_stays` leaves the medium in the drive over a reboot. `clock` is by how many seconds the clock is wrong.
    """

    http: tuple[HttpFault, ...] = ()
    dhcp: tuple[DhcpFault, ...] = ()
    absences: tuple[Absence, ...] = ()
    moments: tuple[Moment, ...] = ()
    disc: str = ""
    lease: int | None = None
    names: bool = True
    decoy: bool = False
    disc_stays: bool = False
    clock: int = 0
    seed: int = 0

    def absence(self, service: str) -> Absence | None:
        """This service's absence, if it is absent."""
        return next((one for one in self.absences if one.service == service), None)

    @property
    def since_power_on(self) -> bool:
        """Whether anything is counted from when the machine was switched on."""
        windows = [*(one.window for one in self.http), *(one.window for one in self.dhcp)]
        return any(one.begins for one in windows) or any(one.since == SWITCHED_ON for one in self.moments)


NOTHING = Injection()


def merged(injections: Iterable[Injection], seed: int = 0) -> Injection:
    """Several as one. Of two discs or leases the later one holds."""
    told = tuple(injections)
    return Injection(
        http=tuple(fault for one in told for fault in one.http),
        dhcp=tuple(fault for one in told for fault in one.dhcp),
        absences=tuple(fault for one in told for fault in one.absences),
        moments=tuple(fault for one in told for fault in one.moments),
        disc=next((one.disc for one in reversed(told) if one.disc), ""),
        lease=next((one.lease for one in reversed(told) if one.lease is not None), None),
        names=all(one.names for one in told),
        decoy=any(one.decoy for one in told),
        disc_stays=any(one.disc_stays for one in told),
        clock=sum(one.clock for one in told),
        seed=seed,
    )
