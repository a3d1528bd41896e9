"""A fault script: what goes wrong when and for how long, in a TOML file, for what no fault by name says.

```toml
seed = 7                       # decides which messages a share of them is
[expects]
ready = "late"                 # soon, late, failed or never
log_in = true
reason = ""                    # a pattern in the failure's description
spoils = ["run.user-data"]     # checks that cannot pass then
waits = 120                    # the guest's seconds beyond a boot without faults

[[fault]]
name = "imds-500=20"           # one of the catalogue, or:

[[fault]]
service = "imds"               # imds, wireserver or hostplugin
path = "/metadata/instance"    # part of path and query
begins = 30                    # seconds after the machine was switched on
for = 20                       # seconds from the first message that is met
times = 5                      # messages at most
share = 0.5                    # of the messages that could be met
status = 500                   # or: edit, ending = "truncated" or "reset", after = seconds

[[fault]]
machine = "link"               # link, power, disc, goal, container, card or move
begins = 60
for = 5
```
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from build.errors import CallerError
from harness.azure.edits import EDITS
from harness.azure.faults import FOREVER, HttpFault, Window
from harness.azure.http import Ending
from harness.faults import choose
from harness.faults.fault import Expectation, Ready
from harness.injection import Do, Injection, Moment, merged

DEEDS = {
    "link": Do.CUT_LINK,
    "power": Do.CUT_POWER,
    "disc": Do.INSERT_DISC,
    "goal": Do.NEW_GOAL,
    "container": Do.NEW_CONTAINER,
    "card": Do.NEW_CARD,
    "move": Do.MOVE,
}
SERVICES = ("imds", "wireserver", "hostplugin")
MACHINE_KEYS = {"machine", "begins", "for"}
HTTP_KEYS = {"service", "path", "begins", "for", "times", "share", "status", "edit", "ending", "after"}
EXPECTS_KEYS = {"ready", "log_in", "reason", "spoils", "waits"}
HINT = "docs/harness.md shows a script with every key"


@dataclass(frozen=True)
class Script:
    """A script that was read: what it changes, and what it expects of a sound guest."""

    injection: Injection
    expectation: Expectation


def read_script(text: str) -> Script:
    """The script in a TOML text. Raises CallerError that names the key which is wrong."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise CallerError(f"the fault script is no TOML: {broken}", HINT) from None
    _check_keys("the script", told, {"seed", "expects", "fault"})
    entries = told.get("fault", [])
    if not isinstance(entries, list) or not entries:
        raise CallerError("the fault script has no [[fault]]", HINT)
    injection = merged((_injection(number, one) for number, one in enumerate(entries, 1)), int(told.get("seed", 0)))
    return Script(injection, _expectation(told.get("expects", {})))


def _expectation(told: Mapping[str, Any]) -> Expectation:
    _check_keys("[expects]", told, EXPECTS_KEYS)
    words = {one.name.lower(): one for one in Ready}
    ready = told.get("ready", "soon")
    if ready not in words:
        raise CallerError(f"[expects] ready = {ready!r} is none of {', '.join(words)}", HINT)
    return Expectation(
        words[ready],
        bool(told.get("log_in", True)),
        str(told.get("reason", "")),
        tuple(map(str, told.get("spoils", ()))),
        _number("[expects]", told, "waits", 0),
    )


def _injection(number: int, told: Mapping[str, Any]) -> Injection:
    where = f"fault {number}"
    if "name" in told:
        _check_keys(where, told, {"name"})
        return choose(str(told["name"])).injection
    if "machine" in told:
        _check_keys(where, told, MACHINE_KEYS)
        if told["machine"] not in DEEDS:
            raise CallerError(f"{where}: machine = {told['machine']!r} is none of {', '.join(DEEDS)}", HINT)
        begins, seconds = _number(where, told, "begins", 0), _number(where, told, "for", 0)
        return Injection(moments=(Moment(DEEDS[told["machine"]], after=begins, seconds=seconds),))
    return _http(where, told)


def _http(where: str, told: Mapping[str, Any]) -> Injection:
    _check_keys(where, told, HTTP_KEYS)
    for key, known in (("service", SERVICES), ("edit", ("", *EDITS)), ("ending", tuple(map(str, Ending)))):
        if told.get(key, "" if key == "edit" else Ending.WHOLE if key == "ending" else None) not in known:
            raise CallerError(f"{where}: {key} = {told.get(key)!r} is none of {', '.join(filter(None, known))}", HINT)
    window = Window(
        begins=_number(where, told, "begins", 0),
        seconds=_number(where, told, "for", FOREVER),
        times=_number(where, told, "times", FOREVER),
        share=_number(where, told, "share", 1),
    )
    status = int(_number(where, told, "status", 0)) or None
    after, ending = _number(where, told, "after", 0), Ending(told.get("ending", Ending.WHOLE))
    if status is None and not told.get("edit") and not after and ending is Ending.WHOLE:
        raise CallerError(f"{where} changes nothing", "give it status, edit, after or ending")
    path, edit = str(told.get("path", "")), str(told.get("edit", ""))
    return Injection(http=(HttpFault(told["service"], path, window, status, b"", edit, after, ending),))


def _number(where: str, told: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = told.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise CallerError(f"{where}: {key} = {value!r} is no number from 0 on", HINT)
    return float(value)


def _check_keys(where: str, told: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(told) - known):
        raise CallerError(f"{where} has no key {', '.join(unknown)}", f"there is: {', '.join(sorted(known))}")
