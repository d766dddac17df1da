"""Tests the forms of the page of drills in a real Chromium, from the page itself and from another site."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from tests.drills.test_page import site
from tests.support.browser import SECONDS, Tab, browser_tab
from tests.support.processes import needed

pytestmark = pytest.mark.slow

WIDTH = 1000


async def until(tab: Tab, expression: str) -> None:
    """Evaluate an expression until it is true. Between two pages, there is nothing to evaluate it in."""
    async with asyncio.timeout(SECONDS):
        for _ in range(10_000):
            with suppress(AssertionError):
                if await tab.evaluate(expression) is True:
                    return
            await asyncio.sleep(0)


def test_a_button_begins_a_drill(tmp_path: Path) -> None:
    click = "(() => { const one = document.querySelector('[aria-label=\"Begin stalled\"]');"
    click += " if (one) { one.click(); } return one !== null; })()"
    shown = "document.body !== null && document.body.innerText.includes('End stalled')"

    async def scenario() -> None:
        async with site() as one, browser_tab(needed("chromium"), tmp_path) as tab:
            await tab.open(one.url, WIDTH)
            await until(tab, click)
            await until(tab, shown)
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
                async with browser_tab(needed("chromium"), tmp_path) as tab:
                    await tab.open(other, WIDTH)
                    await until(tab, refused)
                    assert not one.drills.runs
            finally:
                await runner.cleanup()

    asyncio.run(scenario())
