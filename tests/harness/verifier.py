"""One verification in a process of its own, for tests that kill it, watch its memory, or run it as somebody else.

Called with the fields of a VerifyRequest as a JSON object; the last line of its output is the outcome as JSON.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from build.errors import KilnError
from build.progress import Progress
from harness.runs import VerifyRequest
from harness.verify import verify


def main(fields: dict[str, object]) -> int:
    for name in {"image", "output", "ssh_key", "custom_data", "user_data"} & set(fields):
        fields[name] = Path(str(fields[name]))
    try:
        reports = verify(VerifyRequest(**fields), Progress()).reports  # type: ignore[arg-type]
    except KilnError as error:
        print(json.dumps(error.as_dict()))
        return error.status
    except KeyboardInterrupt:
        return 130
    told = [report.as_dict() for report in reports]
    print(json.dumps({"reports": told, "peak_kib": peak()}))
    return 0 if all(report.passed for report in reports) else 1


def peak() -> int:
    """The most memory that this program itself had, in KiB; getrusage would count its parent's at the fork, too."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM:")))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
