"""Faults of the provisioning disc."""

from dataclasses import replace

from harness.faults.fault import LOST, SOON, Elsewhere, Expectation, Fault, Ready, before, cases, since
from harness.injection import FIRST_DHCP, Do, Injection, Moment

WITHOUT_DISC = replace(SOON, spoils=("run.custom-data", "run.dvd-ejected"))
"""What cloud-init and report-ready make of a machine without a disc: one without custom data."""
UNMOUNTED = Expectation(Ready.FAILED, log_in=False, reason="dvd|ovf", waits=120)
"""WALinuxAgent takes names and keys from the disc alone."""
UNREADABLE = Expectation(Ready.FAILED, log_in=False, reason="ovf-env.xml|OVF|ovf")
GENERIC = Expectation(Ready.FAILED, log_in=False)
"""cloud-init before 23.2 says nothing of the reason."""
BROKEN = (since("23.2", UNREADABLE), before("23.2", GENERIC), *cases(waagent=GENERIC, none=LOST))


def _disc(name: str) -> Injection:
    return Injection(disc=name)


FAULTS = (
    Fault("dvd-missing", "the drive is empty", lambda _: _disc("missing"), cases(WITHOUT_DISC, waagent=UNMOUNTED)),
    Fault(
        "dvd-late",
        "the disc comes a while after the first DHCP message, when who wanted it has gone on",
        lambda it: Injection(disc="missing", moments=(Moment(Do.INSERT_DISC, FIRST_DHCP, it),)),
        cases(WITHOUT_DISC, waagent=UNMOUNTED),
        60,
        "seconds",
    ),
    Fault(
        "dvd-unreadable",
        "every read of the disc is an error",
        lambda _: _disc("unreadable"),
        cases(replace(WITHOUT_DISC, waits=120), waagent=replace(UNMOUNTED, waits=240)),
    ),
    Fault("dvd-iso9660-only", "the disc has no UDF", lambda _: _disc("iso9660"), cases(SOON)),
    Fault("dvd-badxml", "ovf-env.xml breaks off half way", lambda _: _disc("bad xml"), BROKEN),
    Fault(
        "dvd-dup-element",
        "ovf-env.xml names the machine twice",
        lambda _: _disc("two names"),
        (since("23.2", UNREADABLE), before("23.2", GENERIC), *cases(SOON)),
    ),
    Fault("dvd-empty", "ovf-env.xml is empty", lambda _: _disc("empty"), BROKEN),
    Fault(
        "dvd-bad-base64",
        "the custom data is not Base64",
        lambda _: _disc("bad base64"),
        (since("23.2", UNREADABLE), before("23.2", GENERIC), *cases(waagent=GENERIC, none=LOST)),
    ),
    Fault(
        "dvd-nousername",
        "ovf-env.xml names no administrator",
        lambda _: _disc("no user"),
        (
            since("25.2", replace(SOON, spoils=("run.report-ready",))),
            since("23.2", UNREADABLE),
            before("23.2", GENERIC),
            *cases(SOON, waagent=GENERIC),
        ),
    ),
    Fault(
        "dvd-longpw",
        "a password of 80 characters: cloud-init after 26.2 refuses it",
        lambda _: _disc("long password"),
        (since("26.3", Expectation(Ready.FAILED, reason="unsupported password length")), *cases(SOON)),
    ),
    Fault(
        "dvd-noeject",
        "the disc stays in the drive over a reboot",
        lambda _: Injection(disc_stays=True),
        cases(SOON),
        scenario="reboot",
    ),
    Fault(
        "dvd-guestagent-false",
        "the disc says that no agent is wanted",
        lambda _: _disc("no guest agent"),
        cases(replace(SOON, spoils=("hostname.agent",))),
    ),
    Fault(
        "dvd-proxyagent",
        "the disc wants the guest proxy agent, which the image has not",
        lambda _: _disc("proxy agent"),
        (
            since("24.3", Expectation(Ready.FAILED, reason="azure-proxy-agent", spoils=("run.datasource",))),
            *cases(SOON),
        ),
    ),
    Fault("dvd-vdb-decoy", "an empty disk on virtio, which is no disc", lambda _: Injection(decoy=True), cases(SOON)),
)
DATA = "custom data is the caller's: `--custom-data FILE`"
ELSEWHERE = (
    Elsewhere("customdata-64k", "64 KiB of custom data", DATA),
    Elsewhere("customdata-binary", "custom data that is no text", DATA),
    Elsewhere("customdata-boothook", "custom data that is a boot hook", DATA),
    Elsewhere("customdata-script", "custom data that is a script", "it is what Kiln sends where the caller sends none"),
)
