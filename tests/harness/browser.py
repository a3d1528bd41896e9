"""A headless Chromium that opens pages of ours, by the DevTools protocol over two pipes: no port, no network.

See https://chromedevtools.github.io/devtools-protocol/. Messages are JSON, each ended by a NUL byte.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
PATIENCE = 60.0
"""Seconds that an answer may take, however busy the machine is."""
WORDS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--no-first-run",
)
OFFLINE = ("--proxy-server=127.0.0.1:9", "--disable-background-networking", "--disable-component-update")


@dataclass
class Browser:
    """One page. `complaints` holds what it wrote to its console, errors and breaches of its policy among it."""

    write: int
    read: int
    session: str = ""
    complaints: list[str] = field(default_factory=list)
    _count: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """The result of a command. Raises AssertionError where the browser refuses."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            told = self._message()
            if told.get("id") == self._count:
                assert "error" not in told, told
                result: Mapping[str, Any] = told["result"]
                return result
            self._hear(told)

    def evaluate(self, script: str) -> Any:
        """What an expression comes to on the page."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def open(self, file: Path, width: int = 1200, height: int = 900, scheme: str = "light") -> None:
        """Show a file in a window of this size."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=file.as_uri())
        until = time.monotonic() + PATIENCE
        while self.evaluate("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < until, f"{file} was not loaded"

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(told["data"])

    def _hear(self, told: Mapping[str, Any]) -> None:
        if told.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(told["params"]))

    def _message(self) -> Mapping[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self.read], [], [], PATIENCE)[0], "the browser says nothing"
            self._rest += os.read(self.read, 1 << 20)
        message, _, self._rest = self._rest.partition(b"\0")
        told: Mapping[str, Any] = json.loads(message)
        return told


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in the folder; it is gone after the block."""
    assert CHROMIUM, "chromium is not installed"
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # It reads from descriptor 3 and writes to 4; dash knows no descriptor of two digits.
    words = ("bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh", CHROMIUM, *WORDS, *OFFLINE)
    process = subprocess.Popen(
        [*words, f"--user-data-dir={folder}", "about:blank"],
        pass_fds=(theirs_in, theirs_out),
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(ours_out, ours_in)
    finally:
        process.terminate()
        process.wait()
        os.close(ours_out)
        os.close(ours_in)
