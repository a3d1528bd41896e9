"""Units that a spec switches on and off."""

import re
from dataclasses import dataclass
from pathlib import Path

from build.spec.complaint import Unfit, nearest
from build.spec.value import Services
from build.workspace import Workspace


@dataclass(frozen=True)
class SetServices:
    """Units that must, must not or can never start."""

    services: Services

    def describe(self) -> str:
        """Its title, and what it comes to."""
        verbs = ("enable", "disable", "mask")
        lines = [f"{verb} {name}" for verb in verbs for name in getattr(self.services, verb)]
        return "\n    ".join(["Set the spec's units", *lines])

    def run(self, work: Workspace) -> None:
        """By the image's own systemctl, which knows aliases."""
        self._require_units(work)
        for verb in ("disable", "mask", "enable"):
            if names := getattr(self.services, verb):
                work.inside("systemctl", verb, *names)

    def _require_units(self, work: Workspace) -> None:
        patterns = ("/usr/lib/systemd/system/*.*", "/lib/systemd/system/*.*", "/etc/systemd/system/*.*")
        known = {Path(path).name for pattern in patterns for path in work.glob(pattern)}
        for verb in ("enable", "disable"):
            for name in getattr(self.services, verb):
                template = re.sub(r"@.*\.", "@.", name)
                if name not in known and template not in known:
                    raise Unfit(
                        f"services.{verb}", name, f"the image has no unit {name!r}{nearest(name, sorted(known))}"
                    )
