"""Tests the documentation site in Chromium: search, dark and light, and the width of a phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.site.test_site import build
from tests.support.browser import Tab, browser_tab
from tests.support.processes import needed

PHONE, WIDE = 360, 1400
PAGES = ("index", "install", "configuration", "alert-reference", "troubleshooting", "runbooks/KimonoSyncOverdue")
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
# Resolves with the first result of a search. Each change of the results is looked at, so nothing waits for a time.
SEARCH = """new Promise(found => {
  const input = document.querySelector("input.md-search__input")
  const list = document.querySelector(".md-search-result__list")
  document.querySelector("#__search").click()
  const look = () => { const link = list.querySelector("a"); if (link) found(link.href) }
  new MutationObserver(look).observe(list, {childList: true, subtree: true})
  input.value = "api.rate_limit"
  input.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true}))
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site"))


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address of a server of the site, on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


@asynccontextmanager
async def tab(folder: Path) -> AsyncIterator[Tab]:
    async with browser_tab(needed("chromium"), folder) as opened:
        yield opened


def test_pages_fit_a_phone_and_follow_the_colours_of_the_system(address: str, tmp_path: Path) -> None:
    async def look() -> None:
        async with tab(tmp_path) as page:
            for name in PAGES:
                await page.open(f"{address}/{name}.html", PHONE)
                assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE, name
            colours = []
            for dark in (False, True):
                await page.open(f"{address}/index.html", WIDE, dark=dark)
                colours.append(await page.evaluate(BACKGROUND))
            assert colours[0] == "rgb(255, 255, 255)"
            assert colours[1] != colours[0]
            assert page.console == []

    asyncio.run(look())


def test_the_search_finds_a_setting(address: str, tmp_path: Path) -> None:
    async def search() -> None:
        async with tab(tmp_path) as page:
            await page.open(f"{address}/index.html", WIDE)
            result = await page.call("Runtime.evaluate", expression=SEARCH, awaitPromise=True, returnByValue=True)
            assert result["result"]["value"].partition("#")[0].startswith(f"{address}/")
            assert page.console == []

    asyncio.run(asyncio.wait_for(search(), 60))
