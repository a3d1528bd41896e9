"""How long a verdict takes beside the guest's own time, and how much memory Kiln needs for it.

    .venv/bin/python benchmarks/boot.py IMAGE [--gen 1|2] [--seed azure|nocloud] [--scenario first-boot]

The guest's own time is that of its clock until SSH is up and cloud-init has finished; a verdict also has the firmware
and the boot loader to wait for, which run before that clock does. Memory is that of Kiln's own processes, QEMU and
dnsmasq apart. Run it on a quiet machine.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.processes import descendants

PROJECT = Path(__file__).resolve().parents[1]
VERIFIER = PROJECT / "tests/harness/verifier.py"
OWN_TIME = re.compile(r"needed ([\d.]+) s until SSH.*, and ([\d.]+) s until all was asked")
MOST_RATIO, MOST_MIB = 1.15, 200


def main() -> int:
    """Take the figures; 1 where one misses its mark."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("image", type=Path)
    options.add_argument("--gen", type=int)
    options.add_argument("--seed", default="azure")
    options.add_argument("--scenario", default="first-boot")
    asked = options.parse_args()
    request = {"image": str(asked.image), "generation": asked.gen, "seed": asked.seed, "scenario": asked.scenario}
    begun = time.monotonic()
    told, peak = verify(request)
    whole = time.monotonic() - begun
    verdicts = sum(report["seconds"] for report in told)
    own = sum(clocks(report)[0] for report in told)
    before = sum(clocks(report)[1] for report in told)
    print(f"{whole:8.1f} s    the whole call, of which {verdicts:.1f} s are runs")
    print(f"{sum(report['passed'] for report in told):8} of {len(told)}  passed")
    print(f"{own:8.1f} s    the guest's own time")
    print(f"{whole / own:8.2f}      ratio (at most {MOST_RATIO})")
    print(f"{before:8.1f} s    firmware and boot loader, before the guest's clock begins")
    print(f"{whole / (own + before):8.2f}      ratio, had the clock begun when the machine was switched on")
    print(f"{peak:8.0f} MiB  peak of Kiln's own memory (at most {MOST_MIB})")
    return 0 if whole / own <= MOST_RATIO and peak <= MOST_MIB else 1


def clocks(report: dict[str, Any]) -> tuple[float, float]:
    """The guest's own time of a run, and how long after the machine its clock began, in seconds."""
    own, asked = map(float, next(match.groups() for match in map(OWN_TIME.search, report["notes"]) if match))
    ended = next(event["at"] for event in report["events"] if event["text"].startswith("boot finished"))
    return own, ended - asked


def verify(request: dict[str, object]) -> tuple[list[dict[str, Any]], float]:
    """The reports of one verification, and the peak of its Python processes' memory together, in MiB."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, VERIFIER, json.dumps(request)], stdout=subprocess.PIPE, stderr=log)
        peaks = [0.0]
        watcher = threading.Thread(target=watch, args=(process, peaks), daemon=True)
        watcher.start()
        printed = process.communicate()[0]
        watcher.join()
        log.seek(0)
        sys.stderr.buffer.write(log.read())
    told = json.loads(printed.splitlines()[-1])
    if "reports" not in told:
        raise SystemExit(told["error"])
    reports: list[dict[str, Any]] = told["reports"]
    return reports, max(peaks)


def watch(process: "subprocess.Popen[bytes]", peaks: list[float]) -> None:
    """Note the memory of the process and its Python children, several times a second."""
    while process.poll() is None:
        peaks.append(sum(resident(one) for one in (process.pid, *descendants(process.pid))))
        time.sleep(0.2)


def resident(process: int) -> float:
    """What a Python process holds in memory, in MiB (shared pages divided); nothing for others."""
    with suppress(OSError, ValueError):
        if Path(f"/proc/{process}/comm").read_text().startswith("python"):
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
            return int(text.split("\nPss:")[1].split()[0]) / 1024
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
