"""Faults of the wireserver and the host plugin.

cloud-init repeats whatever fails for 20 minutes, and 503 without limit since 25.1 (`sources/helpers/azure.py`).
WALinuxAgent repeats for longer; our report-ready for 300 s, and then from its beginning.
"""

from dataclasses import replace

from harness.azure.faults import HttpFault, Window
from harness.faults.fault import (
    LOST,
    SOON,
    UNREPORTED,
    Elsewhere,
    Fault,
    before,
    cases,
    late,
    since,
)
from harness.injection import READY, Absence, Do, Injection, Moment

GIVES_UP = 1200.0
"""Seconds after which cloud-init stops asking."""
HEALTH, GOAL = "comp=health", "comp=goalstate"
UNHEARD = replace(UNREPORTED, spoils=("run.dvd-ejected",), waits=GIVES_UP + 120, patience=GIVES_UP)
"""cloud-init gives the disc back once it has the goal state."""
WITHOUT = replace(LOST, waits=600)


def _http(service: str, **fault: object) -> Injection:
    return Injection(http=(HttpFault(service, **fault),))  # type: ignore[arg-type]


def _plugin(name: str, status: int) -> Fault:
    return Fault(
        name,
        f"the host plugin answers {status} to everything",
        lambda _: _http("hostplugin", status=status),
        cases(replace(SOON, spoils=("hostname.agent",))),
    )


FAULTS = (
    Fault(
        "ws-refused-30s",
        "nothing listens there until 30 seconds after the first DHCP message",
        lambda _: Injection(absences=(Absence("wireserver", seconds=30),)),
        cases(late(60)),
    ),
    Fault("ws-slow", "every answer comes late", lambda it: _http("wireserver", after=it), cases(SOON), 5, "seconds"),
    Fault(
        "ws-500-health",
        "health reports get 500 for a while",
        lambda it: _http("wireserver", path=HEALTH, status=500, window=Window(seconds=it)),
        cases(late(180)),
        60,
        "seconds",
    ),
    Fault(
        "ws-404-forever",
        "the goal state is 404",
        lambda _: _http("wireserver", path=GOAL, status=404),
        cases(cloud_init=UNHEARD, waagent=WITHOUT, none=replace(UNREPORTED, waits=60)),
    ),
    Fault(
        "ws-imds-down",
        "neither the wireserver nor the metadata service is there",
        lambda _: Injection(absences=(Absence("imds"), Absence("wireserver"))),
        cases(replace(LOST, waits=600)),
    ),
    Fault(
        "ws-incarnation",
        "the goal state gets a new incarnation once the guest has reported ready",
        lambda _: Injection(moments=(Moment(Do.NEW_GOAL, READY, 5),)),
        cases(SOON),
    ),
    Fault(
        "ws-container-change",
        "the container gets another id once the guest has reported ready",
        lambda _: Injection(moments=(Moment(Do.NEW_CONTAINER, READY, 5),)),
        cases(SOON),
    ),
    Fault(
        "ws-norole",
        "the first goal state names no role: the one who asked must ask again",
        lambda _: _http("wireserver", path=GOAL, edit="no role", window=Window(times=1)),
        cases(SOON),
    ),
    Fault(
        "ws-cert-bad",
        "the certificates are rubbish",
        lambda _: _http("wireserver", path="comp=certificates", edit="a broken certificate"),
        cases(SOON),
    ),
    Fault(
        "ws-bom",
        "every document has a byte order mark",
        lambda _: _http("wireserver", edit="a byte order mark"),
        cases(SOON),
    ),
    Fault(
        "ws-garbage",
        "the first goal state is rubbish",
        lambda _: _http("wireserver", path=GOAL, edit="garbage", window=Window(times=1)),
        cases(SOON),
    ),
    _plugin("hgap-404", 404),
    _plugin("hgap-502", 502),
    Fault(
        "hgap-refused",
        "nothing listens at the host plugin's port",
        lambda _: Injection(absences=(Absence("hostplugin"),)),
        cases(replace(SOON, spoils=("hostname.agent",))),
    ),
    _plugin("hgap-410", 410),
    Fault(
        "ws-throttle",
        "goal state and health get 429 for a while",
        lambda it: _http("wireserver", path="/machine", status=429, window=Window(seconds=it)),
        cases(late(180)),
        60,
        "seconds",
    ),
    Fault(
        "ws-503-forever",
        "everything is 503",
        lambda _: _http("wireserver", status=503),
        (
            since("25.1", replace(LOST, waits=300)),
            before("25.1", UNHEARD),
            *cases(waagent=WITHOUT, none=replace(UNREPORTED, waits=60)),
        ),
    ),
)
ELSEWHERE = (
    Elsewhere("ws-cert-legacy-pfx", "certificates in RC2", "no maintained library makes that form any more"),
    Elsewhere("ws-gzip", "an encoding that nobody asked for", "what a sound guest does with it is not documented"),
)
