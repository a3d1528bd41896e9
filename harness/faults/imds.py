"""Faults of the metadata service.

How clients retry is read from their sources: cloud-init's `sources/azure/imds.py` (404, 410, 429, 500 and connection
errors for 300 s since 23.4, ten times before; 503 without limit since 25.1) and our own report-ready (everything for
300 s). WALinuxAgent, where it provisions, does not ask.
"""

from dataclasses import replace

from harness.azure.faults import FOREVER, HttpFault, Window
from harness.azure.http import Ending
from harness.faults.fault import LOST as NOBODY
from harness.faults.fault import SOON, Case, Expectation, Fault, Ready, before, cases, late, since
from harness.injection import REBOOTED, Absence, Injection

ASKED = "/metadata/instance"
GIVES_UP = 300.0
"""Seconds after which cloud-init and report-ready stop asking."""
HIDDEN = ("run.user-data", "hostname.given")
"""What cannot be asked while the service fails."""
LOST = replace(NOBODY, waits=GIVES_UP)
DISC_ONLY = replace(SOON, spoils=HIDDEN)


def _failed(reason: str, waits: float = 0.0) -> Expectation:
    return Expectation(Ready.FAILED, reason=reason, spoils=(*HIDDEN, "run.datasource"), waits=waits)


def _http(**fault: object) -> Injection:
    return Injection(http=(HttpFault("imds", **{"path": ASKED, **fault}),))  # type: ignore[arg-type]


def _edited(edit: str) -> Injection:
    return _http(edit=edit)


def _waited_for(seconds: float) -> tuple[Case, ...]:
    """What comes of a service that fails for so long. cloud-init once tried ten times, a second apart: then it went by
    the disc alone, as WALinuxAgent does, and such a guest may be up before the service is."""
    return since("23.4", late(seconds)), before("23.4", DISC_ONLY), *cases(waagent=DISC_ONLY, none=late(seconds))


def _status(name: str, status: int, seconds: float) -> Fault:
    return Fault(
        name,
        f"every answer is {status} for a while from the first question on",
        lambda argument: _http(status=status, window=Window(seconds=argument)),
        _waited_for(seconds),
        seconds,
        "seconds",
    )


def _given_up(reason: str, waits: float = 0.0) -> tuple[Case, ...]:
    """What comes of a service that never gives sense: the disc must do."""
    new, old = since("23.4", _failed(reason, waits)), before("23.4", DISC_ONLY)
    return (new, old, *cases(waagent=DISC_ONLY, none=LOST))


FAULTS = (
    _status("imds-404-late", 404, 60),
    _status("imds-410", 410, 60),
    _status("imds-429", 429, 60),
    _status("imds-500", 500, 60),
    Fault(
        "imds-503-once",
        "the first answer is 503",
        lambda _: _http(status=503, window=Window(times=1)),
        (
            since("25.1", late(0)),
            since("23.4", replace(_failed("http error 503"), spoils=("run.datasource",))),
            before("23.4", SOON),
            *cases(waagent=SOON, none=late(0)),
        ),
    ),
    Fault(
        "imds-503-forever",
        "every answer is 503",
        lambda _: _http(status=503),
        (
            since("25.1", LOST),
            since("23.4", _failed("http error 503")),
            before("23.4", DISC_ONLY),
            *cases(waagent=DISC_ONLY, none=LOST),
        ),
    ),
    Fault("imds-403", "every answer is 403", lambda _: _http(status=403), _given_up("http error 403")),
    Fault(
        "imds-400-ext",
        "400 to whoever asks for extended=true, as an older service would",
        lambda _: _http(path="extended=true", status=400),
        cases(SOON),
    ),
    Fault(
        "imds-slow",
        "every answer comes late",
        lambda argument: _http(after=argument),
        (
            Case(SOON, "cloud-init", since=(23, 3)),
            # Two seconds for an answer, ten times.
            before("23.3", SOON),
            *cases(SOON),
        ),
        5,
        "seconds",
    ),
    Fault(
        "imds-slow-29s",
        "every answer comes after 29 seconds, just in time",
        lambda _: _http(after=29),
        (since("23.3", replace(DISC_ONLY, waits=60)), *cases(replace(DISC_ONLY, waits=60))),
    ),
    Fault(
        "imds-slow-35s",
        "every answer comes after 35 seconds, too late for everybody",
        lambda _: _http(after=35),
        _given_up("read timeout querying IMDS", GIVES_UP),
    ),
    Fault(
        "imds-refused",
        "nothing listens there",
        lambda argument: Injection(absences=(Absence("imds", seconds=argument or FOREVER),)),
        _given_up("connection error querying IMDS", GIVES_UP),
        0,
        "seconds, 0 for ever",
    ),
    Fault(
        "imds-refused-60s",
        "nothing listens there until a minute after the first DHCP message",
        lambda _: Injection(absences=(Absence("imds", seconds=60),)),
        _waited_for(60),
    ),
    Fault(
        "imds-blackhole",
        "nobody has its address: packets vanish",
        lambda argument: Injection(absences=(Absence("imds", silent=True, seconds=argument or FOREVER),)),
        _given_up("connection (timeout|error) querying IMDS", GIVES_UP + 60),
        0,
        "seconds, 0 for ever",
    ),
    Fault("imds-badjson", "200 with half a document", lambda _: _edited("garbage"), _given_up("error parsing IMDS")),
    Fault("imds-empty", "200 with an empty body", lambda _: _edited("nothing"), _given_up("error parsing IMDS")),
    Fault(
        "imds-truncated",
        "every answer breaks off half way for a while",
        lambda argument: _http(ending=Ending.TRUNCATED, window=Window(seconds=argument)),
        _waited_for(30),
        30,
        "seconds",
    ),
    Fault(
        "imds-reset",
        "the connection is reset for a while",
        lambda argument: _http(ending=Ending.RESET, window=Window(seconds=argument)),
        _waited_for(30),
        30,
        "seconds",
    ),
    Fault("imds-no-network", "the document has no network", lambda _: _edited("no network"), cases(SOON)),
    Fault(
        "imds-no-osprofile",
        "the document has no osProfile: name and administrator are on the disc alone",
        lambda _: _edited("no osProfile"),
        cases(replace(SOON, spoils=("hostname.given",)), none=LOST),
    ),
    Fault(
        "imds-no-keys",
        "the document has no publicKeys: they are on the disc alone",
        lambda _: _edited("no publicKeys"),
        cases(SOON, none=LOST),
    ),
    Fault(
        "imds-mac-mismatch",
        "the MAC address is not the network card's: cloud-init then leaves the guest without a network",
        lambda _: _edited("another MAC"),
        cases(SOON, cloud_init=Expectation(Ready.SOON, log_in=False)),
    ),
    Fault("imds-secondary-ip", "a second IPv4 address", lambda _: _edited("a second address"), cases(SOON)),
    Fault("imds-ipv6", "an IPv6 address", lambda _: _edited("an IPv6 address"), cases(SOON)),
    Fault("imds-crlf-key", "the key has line ends within", lambda _: _edited("keys with line ends"), cases(SOON)),
    Fault(
        "imds-pem-key",
        "the key is no OpenSSH key: the disc's must be taken",
        lambda _: _edited("keys in PEM"),
        cases(SOON, none=Expectation(Ready.SOON, log_in=False)),
    ),
    Fault(
        "imds-vmid-mismatch",
        "the vmId is another machine's",
        lambda _: _edited("another vmId"),
        cases(replace(SOON, spoils=("run.user-data",))),
    ),
    Fault(
        "imds-reboot-absent",
        "it resets every connection from a reboot on",
        lambda _: _http(ending=Ending.RESET, window=Window(since=REBOOTED)),
        cases(
            Expectation(
                Ready.SOON,
                spoils=("reboot.run.user-data", "reboot.hostname.given", "run.report-ready", "reboot.run.report-ready"),
                waits=GIVES_UP,
            )
        ),
        scenario="reboot",
    ),
)
