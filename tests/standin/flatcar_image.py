"""Building from the Flatcar stand-in, for tests of several packages."""

from pathlib import Path

from build import api
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from tests.standin import standin
from tests.standin.serve import served

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


def build_image(output: Path, *, spec: bool = False, rebuild: bool = False) -> Path:
    """Build the image from the stand-in, with or without SPEC; returns its folder."""
    made = standin(find_recipe("flatcar", "stable", "x86_64"), Progress())
    text = output / "web.toml"
    if spec:
        text.write_text(SPEC)
    with served(made.served) as server:
        request = BuildRequest(
            "flatcar",
            size=SIZE,
            mirror=server.url + made.mirror,
            mirror_key=made.key.public,
            output=output,
            spec=text if spec else None,
            rebuild=rebuild,
        )
        return api.build(request, Progress()).folder
