"""Tests the status page in a real browser: no harm, no warnings."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from exporter.web import start
from tests.web.serving import CALM, FakeSource, failing, serving

HOSTILE = "</td></table><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
SECONDS = 60
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--dump-dom",
]


async def browse(chromium: str, profile: Path, url: str) -> tuple[str, list[str]]:
    """Open a page; give its DOM and what went to the console."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        chromium, *OPTIONS, f"--user-data-dir={profile}", url, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode(), [line for line in err.decode(errors="replace").splitlines() if "CONSOLE" in line]


def test_hostile_names_are_text_in_the_browser_and_the_console_is_silent(chromium: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        status = replace(CALM, failing=(failing(HOSTILE),), api_url=HOSTILE)
        async with serving(FakeSource(snapshot=status)) as (_, running):
            dom, console = await browse(chromium, tmp_path, running.addresses[0] + "/")
        assert "<title>1 of 412 tenants is failing · Kimono exporter</title>" in dom
        assert "<script" not in dom
        assert "<img" not in dom
        assert "&lt;img src=x onerror=" in dom
        assert '<table class="failing" id="failing">' in dom
        assert '<table id="collectors">' in dom
        assert console == []

    asyncio.run(scenario())


def test_a_page_that_breaks_its_policy_is_noticed_on_the_console(chromium: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async def show(_request: web.Request) -> web.Response:
            policy = {"Content-Security-Policy": "default-src 'none'"}
            return web.Response(text="<style>p {}</style><p>a", content_type="text/html", headers=policy)

        app = web.Application()
        app.router.add_get("/", show)
        running = await start(app, "127.0.0.1", 0, None)
        _, console = await browse(chromium, tmp_path, running.addresses[0] + "/")
        await running.stop()
        assert any("Content Security Policy" in line for line in console)

    asyncio.run(scenario())
