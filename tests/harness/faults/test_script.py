"""Fault scripts: read whole or refused, and the same each time."""

import pytest

from build.errors import CallerError
from harness.azure.faults import troubled
from harness.azure.http import Ending, Request, Response
from harness.azure.journal import Journal
from harness.faults.fault import Ready
from harness.faultscript import read_script
from harness.injection import Do, Moment

SCRIPT = """
seed = 7
[expects]
ready = "late"
log_in = true
spoils = ["run.user-data"]
waits = 120

[[fault]]
name = "imds-500=20"

[[fault]]
service = "wireserver"
path = "comp=health"
begins = 30
for = 20
times = 5
share = 0.5
status = 500

[[fault]]
service = "imds"
ending = "reset"
after = 2

[[fault]]
machine = "link"
begins = 60
for = 5
"""


def test_says_what_goes_wrong_when_and_for_how_long() -> None:
    script = read_script(SCRIPT)
    named, health, reset = script.injection.http
    assert (named.status, named.window.seconds) == (500, 20)
    window = health.window
    assert (health.service, health.path, health.status) == ("wireserver", "comp=health", 500)
    assert (window.begins, window.seconds, window.times, window.share) == (30, 20, 5, 0.5)
    assert (reset.ending, reset.after) == (Ending.RESET, 2)
    assert script.injection.moments == (Moment(Do.CUT_LINK, after=60, seconds=5),)
    assert script.injection.seed == 7
    assert (script.expectation.ready, script.expectation.spoils, script.expectation.waits) == (
        Ready.LATE,
        ("run.user-data",),
        120,
    )


def test_replays_from_its_seed() -> None:
    def played(seed: int) -> tuple[list[int], list[object]]:
        injection = read_script(
            SCRIPT.replace("seed = 7", f"seed = {seed}").replace("begins = 30", "begins = 0")
        ).injection
        journal, times = Journal(), iter(range(1000))
        app = troubled(lambda _: Response(), "wireserver", injection.http, journal, lambda: next(times), injection.seed)
        request = Request.to("POST", "/machine?comp=health")
        return [app(request).status for _ in range(30)], [one.details for one in journal.entries]

    assert played(7) == played(7)
    assert played(7) != played(8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fault = ", "is no TOML"),
        ("", r"has no \[\[fault\]\]"),
        ("speed = 1\n[[fault]]\nname = 'imds-403'", "the script has no key speed"),
        ("[expects]\nready = 'maybe'\n[[fault]]\nname = 'imds-403'", "ready = 'maybe' is none of soon, late"),
        ("[[fault]]\nname = 'nothing'", "there is no fault 'nothing'"),
        ("[[fault]]\nname = 'imds-403'\nfor = 5", "fault 1 has no key for"),
        ("[[fault]]\nservice = 'ftp'\nstatus = 500", "service = 'ftp' is none of imds, wireserver, hostplugin"),
        ("[[fault]]\nservice = 'imds'", "fault 1 changes nothing"),
        ("[[fault]]\nservice = 'imds'\nstatus = 500\nfor = 'ever'", "for = 'ever' is no number"),
        ("[[fault]]\nservice = 'imds'\nedit = 'nonsense'", "edit = 'nonsense' is none of garbage, nothing"),
        ("[[fault]]\nmachine = 'rocket'", "machine = 'rocket' is none of link, power"),
    ],
)
def test_refuses_what_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        read_script(text)
