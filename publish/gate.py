"""The gate: only an image whose very bytes were seen to boot as promised may pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from build.errors import KilnError
from publish.evidence import PROVING, Boot, Need, boots
from publish.subject import Subject
from publish.target import Definition

FAILED = 1
"""The exit status that means: the image failed."""


class NotProven(KilnError):
    """The image may not be published as it is: its maker must act, and nobody's tool is broken."""

    status = FAILED
    who = "image"


@dataclass(frozen=True)
class Proof:
    """What stands for the image: names of the runs that proved each machine, and why it would be refused."""

    runs: tuple[str, ...]
    complaints: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the image."""
        return not self.complaints


def examine(image: Subject, digest: str, definitions: Sequence[Definition]) -> Proof:
    """Whether reports about this very content prove everything that the definitions promise."""
    state = definitions[0].state if definitions else "generalized"
    return prove(image, digest, state, list(dict.fromkeys(need for one in definitions for need in needs(one))))


def prove(image: Subject, digest: str, state: str, wanted: Sequence[Need]) -> Proof:
    """Whether reports about this very content prove an image of that state on each of these machines."""
    every = list(boots(image.runs))
    mine = [one for one in every if one.digest == digest and one.is_plain]
    foreign = len(every) - len([one for one in every if one.digest == digest])
    found: dict[str, None] = {}
    complaints = [*_origin(image, digest)]
    for need in wanted:
        relevant = [one for one in mine if need.met_by(one)]
        complaints += [f"{one.run}: {failure}" for one in relevant for failure in one.failures]
        if proving := [one.run for one in relevant if one.passed and one.scenario in PROVING[state]]:
            found |= dict.fromkeys(proving)
        elif not any(one.failures for one in relevant):
            complaints.append(_missing(image, need, foreign, _others(every, digest, need)))
    return Proof(tuple(found), tuple(complaints))


def needs(definition: Definition) -> Iterator[Need]:
    """The machines that a definition lets people choose."""
    for controller in definition.controllers:
        if controller != "SCSI" or definition.security != "TrustedLaunch":
            yield Need(definition.generation, controller, False)
    if definition.security != "Standard":
        yield Need(definition.generation, "SCSI", True)


def refusal(image: Subject, proof: Proof) -> NotProven:
    """The error that names every complaint."""
    first, *others = proof.complaints
    more = "".join(f"\n  {one}" for one in others)
    where = image.disk.parent if image.manifest else image.disk
    return NotProven(
        f"{image.name} is not proven: {first}{more}",
        f"mend the image, or play what is missing: `./kiln verify {where}`",
    )


def _origin(image: Subject, digest: str) -> Iterator[str]:
    """What speaks against the file itself."""
    if not image.manifest:
        return
    if image.manifest.digest != digest:
        yield f"{image.disk} is not what was built: its content's digest is another than its manifest's"
    if image.manifest.is_stand_in:
        yield "it was built from a stand-in mirror, which proves Kiln's code and is no distribution"


def _others(every: Sequence[Boot], digest: str, need: Need) -> str:
    """Why a report of that machine that there is does not count."""
    for one in every:
        if one.digest == digest and need.met_by(one) and not one.is_plain:
            why = f"under {' and '.join(one.faults)}" if one.faults else "not as Azure boots it"
            return f" ({one.run} was played {why})"
    return ""


def _missing(image: Subject, need: Need, foreign: int, others: str) -> str:
    older = f"; {foreign} reports are about other bytes" if foreign and not others else ""
    return f"no report of a first boot on {need.machine}{others}{older}: `--machine {need.machine}` plays one"
