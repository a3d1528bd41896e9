"""One build in a process of its own, for tests that kill it, starve it, or run it as somebody else.

Called with the fields of a BuildRequest as a JSON object; the last line of its output is the outcome as JSON.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from build.api import build
from build.errors import KilnError
from build.progress import Progress
from build.request import BuildRequest


def main(fields: dict[str, object]) -> int:
    for name in ("output", "ssh_key", "mirror_key", "lock", "write_lock"):
        if name in fields:
            fields[name] = Path(str(fields[name]))
    try:
        built = build(BuildRequest(**fields), Progress())  # type: ignore[arg-type]
    except KilnError as error:
        print(json.dumps(error.as_dict()))
        return error.status
    except KeyboardInterrupt:
        return 130
    print(json.dumps({"folder": str(built.folder), "reused": built.reused, "digest": built.manifest.digest}))
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
