"""What sharing a boot saves: runs that go on from one boot beside the same number of boots from the beginning.

    .venv/bin/python benchmarks/scenarios.py IMAGE [--gen 2] [--cold 1]

Twelve runs: three scenarios and nine faults, each alone. The cold boots are first boots; with --cold more than one the
least of them counts. Run it on a quiet machine: it takes about ten minutes without KVM.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from build.progress import Progress
from harness.report import Report
from harness.runs import VerifyRequest
from harness.verify import verify

PLAYED = (
    *("first-boot", "no-imds", "extension"),
    *(f"first-boot+{fault}" for fault in ("imds-400-ext", "imds-no-network", "imds-crlf-key", "imds-secondary-ip")),
    *(f"first-boot+{fault}" for fault in ("ws-bom", "ws-incarnation", "hgap-404", "dhcp-no245", "dns-dead")),
)
MOST_READY, MOST_WHOLE = 0.35, 0.6


def main() -> int:
    """Take the figures; 1 where one misses its mark."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("image", type=Path)
    options.add_argument("--gen", type=int, default=2)
    options.add_argument("--cold", type=int, default=1)
    asked = options.parse_args()
    cold = [taken(asked.image, asked.gen, scenario="first-boot") for _ in range(asked.cold)]
    cold_whole = min(seconds for seconds, _ in cold)
    cold_ready = min(ready(report) for _, reports in cold for report in reports)
    taken_whole, reports = taken(asked.image, asked.gen, scenario=",".join(PLAYED))
    runs = len(reports)
    shared = taken_whole - sum(report.seconds for report in reports)
    whole = taken_whole / (runs * cold_whole)
    until_ready = (shared + sum(map(ready, reports))) / (runs * cold_ready)
    print(f"{cold_ready:8.1f} s    a cold boot until Ready, {cold_whole:.1f} s with its verdict")
    print(f"{shared:8.1f} s    what {runs} runs share: a boot to where provisioning begins, reading the image")
    print(f"{sum(report.passed for report in reports):8} of {runs}  passed")
    print(f"{until_ready:8.2f}      ratio of {runs} runs to {runs} cold boots, until Ready (at most {MOST_READY})")
    print(f"{whole:8.2f}      the same with verdicts (at most {MOST_WHOLE})")
    return 0 if until_ready <= MOST_READY and whole <= MOST_WHOLE else 1


def taken(image: Path, generation: int, **more: object) -> tuple[float, Sequence[Report]]:
    """How long a verification takes, in seconds, and its reports."""
    begun = time.monotonic()
    reports = verify(VerifyRequest(image=image, generation=generation, jobs=1, **more), Progress()).reports  # type: ignore[arg-type]
    return time.monotonic() - begun, reports


def ready(report: Report) -> float:
    """Seconds until the first word on the guest's health; of a run without one, its end."""
    return next((event.at for event in report.events if event.source == "health"), report.seconds)


if __name__ == "__main__":
    sys.exit(main())
