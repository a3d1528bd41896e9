"""What a check is: a generator of complaints whose parameters are its requirements.

No complaint means that it passed. A check that asks for a fact which a run does not have (a booted guest, say) is
skipped, not failed. Facts are passed by parameter name: those of an image are listed in `harness.inspect`.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.profile import When
from harness.report import Status, Verdict

Complaints = Iterator[str]
SPELLING = {
    **{word: word.upper() for word in ("bios", "dhcp", "efi", "esp", "fat", "grub", "lisa", "lvm", "mana", "mbr")},
    **{word: word.upper() for word in ("omi", "os", "pci", "ssh", "tpm", "udf", "utc", "vhd")},
    **{word: word.capitalize() for word in ("azure", "mellanox", "python")},
    **{"hyperv": "Hyper-V", "iso9660": "ISO 9660", "mib": "MiB", "nvme": "NVMe", "openssl": "OpenSSL"},
    **{"cloud init": "cloud-init", "64 bit": "64-bit"},
    **{"hosts clock": "host's clock", "machines name": "machine's name", "ones own": "one's own"},
    "others address": "other's address",
    "roots password": "root's password",
}
"""How what no function's name can hold is written."""
WORD = re.compile(rf"\b({'|'.join(SPELLING)})\b")


@dataclass(frozen=True)
class Check:
    """A check under its id of the requirements' catalogue.

    `severity` is "required" or "recommended"; `source` is the document that says so; `repair` tells the image's maker
    what to do; the function's docstring says why it matters on Azure.
    """

    id: str
    severity: str
    source: str
    repair: str
    complain: Callable[..., Complaints]
    when: When | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The facts it asks for."""
        return tuple(inspect.signature(self.complain).parameters)

    @property
    def title(self) -> str:
        """What holds when it passes: the function's name as a sentence."""
        return WORD.sub(lambda found: SPELLING[found[0]], self.complain.__name__.replace("_", " "))

    @property
    def why(self) -> str:
        """Why it matters on Azure."""
        return inspect.getdoc(self.complain) or ""


REGISTRY: dict[str, Check] = {}


def check(
    id: str, *, severity: str = "required", source: str, repair: str, when: When | None = None
) -> Callable[[Callable[..., Complaints]], Callable[..., Complaints]]:
    """Register a function as the check of this id. An id can be taken once."""

    def register(complain: Callable[..., Complaints]) -> Callable[..., Complaints]:
        if id in REGISTRY:
            raise ValueError(f"two checks are called {id}")
        REGISTRY[id] = Check(id, severity, source, repair, complain, when)
        return complain

    return register


def judge(checks: Iterable[Check], facts: Mapping[str, Any], lacks: Mapping[str, str] = {}) -> Iterator[Verdict]:
    """Each check's verdict, in order, from the facts at hand; `lacks` says why a fact is missing."""
    for one in checks:
        yield _verdict(one, facts, lacks)


def _verdict(one: Check, facts: Mapping[str, Any], lacks: Mapping[str, str]) -> Verdict:
    def verdict(status: Status, reason: str = "", evidence: tuple[str, ...] = ()) -> Verdict:
        return Verdict(one.id, one.title, status, one.severity, reason, evidence, one.source, one.why, one.repair)

    if one.when and (profile := facts.get("profile")) is not None and not one.when.holds(profile):
        return verdict(Status.SKIPPED, f"is for {one.when.text}")
    if missing := [name for name in (*one.needs, *_needed_by(one.when)) if facts.get(name) is None]:
        return verdict(Status.SKIPPED, "; ".join(lacks.get(name, f"needs {name}") for name in missing))
    try:
        complaints = tuple(one.complain(*(facts[name] for name in one.needs)))
    except Exception as broken:  # one broken check must not hide the other verdicts
        return verdict(Status.FAILED, f"the check itself broke: {type(broken).__name__}: {broken}")
    if not complaints:
        return verdict(Status.PASSED)
    return verdict(Status.FAILED, f"{complaints[0]}. {one.repair}", complaints)


def _needed_by(when: When | None) -> tuple[str, ...]:
    return ("profile",) if when else ()
