"""QEMU's monitor as plain calls: the one module that imports qemu.qmp, which wants an event loop; it gets a thread."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from qemu.qmp import QMPClient
from qemu.qmp.error import QMPError

from harness.deadline import Gone

T = TypeVar("T")
OnEvent = Callable[[str, Mapping[str, Any]], None]
PATIENCE = 30.0
"""Seconds after which a command that QEMU has not answered counts as lost."""

logging.getLogger("qemu.qmp").setLevel(
    logging.CRITICAL
)  # what goes wrong is raised, and its loss at the end is no news


class Monitor:
    """A connected monitor. Events go to `on_event(name, data)`, called in the monitor's own thread."""

    def __init__(self, connection: socket.socket, on_event: OnEvent) -> None:
        """Greet QEMU at the other end of `connection`, which the monitor then owns. Raises Gone if it is not there."""
        self._client = QMPClient("kiln")
        self._on_event = on_event
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="monitor", daemon=True)
        self._thread.start()
        try:
            self._wait(self._connect(connection))
        except BaseException:
            self.close()
            raise

    def execute(self, command: str, /, **arguments: Any) -> Any:
        """A QMP command's return value. Raises Gone when QEMU refuses it, is gone, or does not answer."""
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        return self._wait(self._client.execute(command, names))

    def close(self) -> None:
        """Let go of QEMU, which goes on without us. Does nothing the second time."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(Gone):
            self._wait(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connect(self, connection: socket.socket) -> None:
        await self._client.connect(connection)
        self._reader = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            async for event in self._client.events:
                data = event.get("data")
                self._on_event(str(event["event"]), data if isinstance(data, dict) else {})

    async def _disconnect(self) -> None:
        with contextlib.suppress(QMPError, EOFError, OSError):
            await self._client.disconnect()
        if reader := getattr(self, "_reader", None):
            reader.cancel()
            await reader

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, PATIENCE), self._loop).result()
        except TimeoutError:
            raise Gone(f"QEMU's monitor has not answered for {PATIENCE:.0f} s") from None
        except (QMPError, EOFError, OSError) as error:
            raise Gone(f"QEMU's monitor: {error or type(error).__name__}") from None
