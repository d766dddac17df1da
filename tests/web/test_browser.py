"""Tests the status pages in a real browser: no harm, no warnings, any width, keyboard and screen reader."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from exporter.web import start
from tests.support.browser import browser_tab
from tests.web.fleets import details, large_fleet, problem, tenant
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
        assert "<title>1 of 412 tenants can't be polled · Kimono exporter</title>" in dom
        assert "<script" not in dom
        assert "<img" not in dom
        assert "&lt;img src=x onerror=" in dom
        assert '<table id="issues"' in dom
        assert '<table id="collectors"' in dom
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


LONG = "Lakeside" * 40
TENANT = tenant(LONG, problem(), problem("setup", "info"), ident="t1", account=LONG, integration=LONG)
ADDRESSES = ["/", "/?severity=warning", "/?show=all&page=2", "/?q=nobody", "/?page=x", "/tenants/t1", "/tenants/none"]


def source() -> FakeSource:
    status = large_fleet(300)
    return FakeSource(
        snapshot=replace(status, with_problems=(*status.with_problems, TENANT)), known={"t1": details(TENANT, 2)}
    )


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_scrolls_sideways_or_writes_to_the_console(
    chromium: str, tmp_path: Path, width: int, *, dark: bool
) -> None:
    async def scenario() -> None:
        async with serving(source()) as (_, running), browser_tab(chromium, tmp_path) as tab:
            for address in ADDRESSES:
                await tab.open(running.addresses[0] + address, width, dark=dark)
                assert await tab.evaluate("document.documentElement.scrollWidth") <= width, address
                ground = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
                assert ground == ("rgb(17, 21, 27)" if dark else "rgb(245, 246, 248)"), address
        assert [line for line in tab.console if "status of 4" not in line] == []

    asyncio.run(scenario())


def test_the_tab_key_reaches_the_content_the_form_and_the_links_and_shows_where_it_is(
    chromium: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        reached = []
        async with serving(source()) as (_, running), browser_tab(chromium, tmp_path) as tab:
            await tab.open(running.addresses[0] + "/?severity=critical", 1440)
            for _ in range(30):
                await tab.press_tab()
                reached.append(
                    await tab.evaluate("document.activeElement.name || document.activeElement.innerText.trim()")
                )
                assert await tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached
        assert reached[0] == "Skip to the content"
        for wanted in ("q", "Show", "problem", "severity", "reason", "collector", "account", "integration"):
            assert wanted in reached, wanted
        assert [each for each in reached if "Hickory Bay" in each], "a tenant's link"

    asyncio.run(scenario())


def test_a_screen_reader_finds_landmarks_headings_tables_and_names(chromium: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(source()) as (_, running), browser_tab(chromium, tmp_path) as tab:
            for width in (390, 1440):
                await tab.open(running.addresses[0] + "/?severity=critical", width)
                seen = await tab.accessible()
                roles = [role for role, _ in seen]
                for role in ("banner", "main", "contentinfo", "search", "navigation", "columnheader", "rowheader"):
                    assert role in roles, (role, width)
                assert ("table", "The lines that match, the worst first") in seen
                assert [name for role, name in seen if role == "heading"][1:] == [
                    "Lines that match 32",
                    "The exporter",
                ]
                controls = ("link", "button", "combobox", "searchbox", "textbox")
                assert [(role, name) for role, name in seen if role in controls and not name] == []
                await tab.open(running.addresses[0] + "/tenants/t1", width)
                headings = [name for role, name in await tab.accessible() if role == "heading"]
                assert headings[1:] == [
                    *("Problems", "Identity", "Flags", "Ingestions", "Schedules", "Rollovers", "Polls")
                ]

    asyncio.run(scenario())
