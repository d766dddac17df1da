"""Drives a headless Chromium over its DevTools protocol, as far as the tests of pages need it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

SECONDS = 120
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
]


class Tab:
    """One tab. Its calls wait for what the browser answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        # What the page wrote to the console, or tried although its policy forbids it.
        self.console: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await self._until(lambda message: message.get("id") == number)

    async def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            message = await self._socket.receive_json()
            if message.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                self.console.append(str(message["params"]))
            if wanted(message):
                assert "error" not in message, message
                return message.get("result") or {}

    async def open(self, url: str, width: int, *, dark: bool = False) -> None:
        """Open a page in a window of this width, and wait until it is loaded."""
        await self.call("Page.enable")
        await self.call("Log.enable")
        await self.call("Runtime.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": "Page.navigate", "params": {"url": url}})
        await self._until(lambda message: message.get("method") == "Page.loadEventFired")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; the page's own policy does not apply to it."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def press_tab(self) -> None:
        """Press the Tab key."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    async def accessible(self) -> list[tuple[str, str]]:
        """Role and name of everything that assistive technology sees."""
        tree = (await self.call("Accessibility.getFullAXTree"))["nodes"]
        seen = [node for node in tree if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in seen]


@asynccontextmanager
async def browser_tab(chromium: str, profile: Path) -> AsyncIterator[Tab]:
    """A tab of a new browser, which ends with it."""
    process = await asyncio.create_subprocess_exec(
        chromium, *OPTIONS, f"--user-data-dir={profile}", "about:blank", stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(SECONDS):
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{await _address(process)}/json/list") as response:
                    pages = [each for each in await response.json() if each["type"] == "page"]
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Tab(socket)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    """The address of the browser's DevTools, from its first messages."""
    assert process.stderr is not None
    async for line in process.stderr:
        if b"DevTools listening on ws://" in line:
            return "http://" + line.decode().split("ws://")[1].split("/")[0]
    raise AssertionError("the browser ended without DevTools")
