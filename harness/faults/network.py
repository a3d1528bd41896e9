"""Faults of DHCP, of names, and of the link."""

from dataclasses import replace

from harness.azure.dhcp import CLASSLESS_ROUTES, MICROSOFT_ROUTES, WIRESERVER_OPTION
from harness.azure.faults import DhcpFault, Window
from harness.faults.fault import LOST, SOON, Elsewhere, Fault, cases, late
from harness.injection import FIRST_DHCP, READY, Do, Injection, Moment

MTU = 26
ROUTES = ((CLASSLESS_ROUTES, None), (MICROSOFT_ROUTES, None))
UNRESOLVED = ("hostname.dns", "hostname.reverse", "hostname.resolves")


def _dhcp(**fault: object) -> Injection:
    return Injection(dhcp=(DhcpFault(**fault),))  # type: ignore[arg-type]


def _mtu(name: str, size: int) -> Fault:
    return Fault(
        name,
        f"the lease says an MTU of {size}",
        lambda _: _dhcp(options=((MTU, size.to_bytes(2, "big")),)),
        cases(SOON),
    )


FAULTS = (
    Fault(
        "dhcp-late",
        "no answer to DHCP for a while from the first message on",
        lambda it: _dhcp(silent=True, window=Window(seconds=it)),
        cases(late(120)),
        30,
        "seconds",
    ),
    Fault(
        "dhcp-late-10min",
        "no answer to DHCP for ten minutes",
        lambda _: _dhcp(silent=True, window=Window(seconds=600)),
        cases(late(720)),
    ),
    Fault(
        "dhcp-never",
        "no answer to DHCP at all",
        lambda _: _dhcp(silent=True),
        cases(replace(LOST, waits=300)),
    ),
    Fault(
        "dhcp-no245", "leases without option 245", lambda _: _dhcp(options=((WIRESERVER_OPTION, None),)), cases(SOON)
    ),
    Fault(
        "dhcp-no245-no121",
        "leases with neither 245 nor classless routes: WALinuxAgent then finds no wireserver",
        lambda _: _dhcp(options=((WIRESERVER_OPTION, None), *ROUTES)),
        cases(SOON, waagent=replace(LOST, waits=300)),
    ),
    Fault(
        "dhcp-no121", "leases without classless routes", lambda _: _dhcp(options=ROUTES), cases(SOON, waagent=late(120))
    ),
    Fault(
        "dhcp-nak",
        "the first requests are refused",
        lambda it: _dhcp(naks=True, window=Window(times=it)),
        cases(late(60)),
        2,
        "requests",
    ),
    Fault("dhcp-short-lease", "leases of two minutes", lambda _: Injection(lease=120), cases(SOON)),
    Fault(
        "dhcp-move",
        "leases of two minutes, and another address when they are renewed",
        lambda _: Injection(lease=120, moments=(Moment(Do.MOVE, READY, 5),)),
        cases(replace(SOON, waits=180)),
    ),
    Fault(
        "dns-dead",
        "nobody answers at port 53",
        lambda _: Injection(names=False),
        cases(replace(SOON, spoils=UNRESOLVED)),
    ),
    _mtu("mtu-3900", 3900),
    _mtu("mtu-1400", 1400),
    Fault(
        "link-loss",
        "the network cable is pulled at the first DHCP message, and put back",
        lambda it: Injection(moments=(Moment(Do.CUT_LINK, FIRST_DHCP, 0, it),)),
        cases(late(120)),
        20,
        "seconds",
    ),
    Fault(
        "nic-hotplug",
        "a second network card is plugged in once the guest has reported ready",
        lambda _: Injection(moments=(Moment(Do.NEW_CARD, READY, 2),)),
        cases(SOON),
    ),
)
ELSEWHERE = (
    Elsewhere(
        "dhcp-245-alt",
        "another endpoint in option 245",
        "cloud-init follows it and WALinuxAgent does not: there is no one thing that a sound guest does",
    ),
    Elsewhere("dhcp-duplicate-ip", "somebody else has the address", "the link has two ends: there is no third machine"),
    Elsewhere("hostname-dup", "two machines claim one name", "`--scenario specialized-twins` shows it"),
    Elsewhere("imds-ecdsa-key", "an ECDSA key", "the key is the caller's: `--ssh-key FILE` takes an ECDSA key"),
    Elsewhere("imds-swapped-nics", "two cards in another order", "the machine has one network card with a link"),
)
