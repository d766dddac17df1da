"""Tests the forms of the page of drills in a real Chromium, from the page itself and from another site."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.drills.test_page import site
from tests.support.processes import needed

pytestmark = pytest.mark.slow

SECONDS = 60
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@asynccontextmanager
async def browser(profile: Path, url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A Chromium that shows a page, and the connection of its developer tools."""
    process = await asyncio.create_subprocess_exec(
        needed("chromium"),
        *OPTIONS,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        url,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as session:
            assert process.stderr
            address = None
            while not address:
                line = (await process.stderr.readline()).decode(errors="replace")
                address = re.search(r"DevTools listening on ws://([^/]+)/", line)
            async with session.get(f"http://{address[1]}/json") as reply:
                (page,) = [each for each in await reply.json() if each["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"]) as connection:
                yield connection
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until_asked(connection: aiohttp.ClientWebSocketResponse, script: str) -> None:
    """Run a script on the page until it has done its work, which it says."""
    async with asyncio.timeout(SECONDS):
        for number in range(1, 10_000):
            await connection.send_json(
                {"id": number, "method": "Runtime.evaluate", "params": {"expression": script, "returnByValue": True}}
            )
            while (answer := await connection.receive_json()).get("id") != number:
                pass
            if answer["result"]["result"].get("value") is True:
                return
            await asyncio.sleep(0)


def test_a_button_begins_a_drill(tmp_path: Path) -> None:
    click = "(() => { const one = document.querySelector('[aria-label=\"Begin stalled\"]');"
    click += " if (one) { one.click(); } return one !== null; })()"
    shown = "document.body !== null && document.body.innerText.includes('End stalled')"

    async def scenario() -> None:
        async with site() as one, browser(tmp_path, one.url) as connection:
            await until_asked(connection, click)
            await until_asked(connection, shown)
            assert [run.drill.name for run in one.drills.active()] == ["stalled"]

    asyncio.run(scenario())


@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "text/plain"])
def test_another_site_begins_nothing(encoding: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with site() as one:
            token = await one.token()  # which another site can't know
            path = "/begin" if encoding != "text/plain" else "/api/begin"
            form = (
                f'<form method="post" action="{one.url}{path}" enctype="{encoding}">'
                f'<input name="token" value="{token}"><input name="name" value="stalled"></form>'
                "<script>document.forms[0].submit()</script>"
            )

            async def show(_request: web.Request) -> web.Response:
                return web.Response(text=form, content_type="text/html")

            app = web.Application()
            app.router.add_get("/", show)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            other = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            refused = "document.body !== null && document.body.innerText.includes('comes from another site')"
            try:
                async with browser(tmp_path, other) as connection:
                    await until_asked(connection, refused)
                    assert not one.drills.runs
            finally:
                await runner.cleanup()

    asyncio.run(scenario())
