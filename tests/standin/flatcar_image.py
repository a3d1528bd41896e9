"""Building from the Flatcar stand-in, for tests of several packages."""

from pathlib import Path

from build import api
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from tests.conftest import offline
from tests.standin.trial import mirrored

SIZE = 4 << 30
"""Bytes of the disk: larger than the stand-in's, so that its table moves."""
SPEC = """\
name = "web"
distro = "flatcar"

[[files]]
path = "/etc/kiln-base"
content = "from the base config\\n"

[[files]]
path = "/etc/systemd/system/kiln-hello.service"
content = '''
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c "cat /etc/kiln-base >/dev/console"

[Install]
WantedBy=multi-user.target
'''

[services]
enable = ["kiln-hello.service"]

[kernel_arguments]
add = ["kiln.argument=1"]
"""
"""What an image gets by its OEM partition: a file, a unit that runs, a kernel argument."""


def build_image(output: Path, *, channel: str = "stable", spec: bool = False, rebuild: bool = False) -> Path:
    """Build the image from the channel's stand-in, with or without SPEC; returns its folder."""
    text = output / "web.toml"
    if spec:
        text.write_text(SPEC)
    with mirrored(find_recipe("flatcar", channel, "x86_64"), Progress(), offline=offline()) as mirror:
        own = text if spec else None
        request = BuildRequest("flatcar", channel, size=SIZE, output=output, spec=own, rebuild=rebuild, **mirror)
        return api.build(request, Progress()).folder
