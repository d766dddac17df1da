"""Tests that a scrape gets the whole page or an error, never a part of a page."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable, Iterator
from typing import cast

import aiohttp
import pytest
import structlog

from exporter.blocks import Block
from exporter.web import exposition, limits, pages, turns
from tests.support.virtual_time import run_virtual
from tests.web.serving import SCRAPE, FakeSource, raw_connection, serving

BIG = [bytes([65 + number]) * 1_500_000 for number in range(8)]


def test_the_text_page_is_the_pieces_in_their_order() -> None:
    async def scenario() -> None:
        source = FakeSource(pieces=BIG)
        async with serving(source) as (client, _), client.get("/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert response.headers["Vary"] == "Accept, Accept-Encoding"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.content_length == 12_000_000
            assert await response.read() == b"".join(BIG)
            assert source.asked == [False]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "lengths",
    [
        [exposition.SLICE_BYTES],
        [exposition.SLICE_BYTES - 1, 1, 1],
        [1, exposition.SLICE_BYTES + 1, 1],
        [1, 3 * exposition.SLICE_BYTES, exposition.SLICE_BYTES + 5, 2],
        [7] * 100_000,
        [0, 0],
    ],
)
def test_pieces_of_any_size_are_sent_in_their_order(lengths: list[int]) -> None:
    async def scenario() -> None:
        pieces = [bytes([number % 251]) * length for number, length in enumerate(lengths)]
        async with serving(FakeSource(pieces=pieces)) as (client, _), client.get("/metrics") as response:
            assert await response.read() == b"".join(pieces)

    asyncio.run(scenario())


def test_slices_are_as_large_as_they_may_be_and_no_larger() -> None:
    body = [bytes(1000)] * 1000 + [bytes(3 * exposition.SLICE_BYTES + 7), b"", bytes(5)]
    sizes = [len(each) for each in exposition._slices(body)]
    most = exposition.SLICE_BYTES
    assert sizes == [262_000] * 3 + [214_000] + [most] * 3 + [7, 5]


def test_openmetrics_is_asked_of_the_source_and_named_in_the_answer() -> None:
    async def scenario() -> None:
        source = FakeSource()
        headers = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        async with serving(source) as (client, _), client.get("/metrics", headers=headers) as response:
            assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
            assert source.asked == [True]

    asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [[b"kimono_up 1\n"], BIG, [b"small", *BIG, b"small"], []])
def test_a_gzipped_page_unpacks_to_the_plain_one(pieces: list[bytes]) -> None:
    async def scenario() -> None:
        headers = {"Accept-Encoding": "gzip"}
        async with serving(FakeSource(pieces=pieces)) as (client, _), client.get("/metrics", headers=headers) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(await answer.read()) == b"".join(pieces)

    asyncio.run(scenario())


def test_many_blocks_are_compressed_in_threads_and_few_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    original = asyncio.to_thread

    async def to_thread(compress: Callable[[list[Block]], None], blocks: list[Block]) -> None:
        numbers.append(len(blocks))
        await original(compress, blocks)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)

    async def scenario() -> None:
        source = FakeSource(pieces=[b"few"] * pages.INLINE_BLOCKS)
        async with serving(source) as (client, _):
            for expected in ([], [5, 4]):
                async with client.get("/metrics", headers={"Accept-Encoding": "gzip"}) as response:
                    assert gzip.decompress(await response.read()) == b"".join(cast(list[bytes], source.pieces))
                assert numbers == expected
                source.pieces = [b"many"] * (pages.INLINE_BLOCKS + 1)

    asyncio.run(scenario())


def test_a_page_is_not_gzipped_for_those_who_refuse_it() -> None:
    async def scenario() -> None:
        headers = {"Accept-Encoding": "gzip;q=0, identity"}
        async with serving() as (client, _), client.get("/metrics", headers=headers) as response:
            assert "Content-Encoding" not in response.headers
            assert (await response.read()).endswith(b"kimono_up 1\n")

    asyncio.run(scenario())


def test_head_gives_the_headers_without_making_the_page() -> None:
    async def scenario() -> None:
        source = FakeSource()
        async with serving(source) as (client, _), client.head("/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert await response.read() == b""
            assert source.asked == []

    asyncio.run(scenario())


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_source_that_fails_midway_gives_an_error_and_no_part_of_a_page(encoding: str) -> None:
    async def scenario() -> None:
        source = FakeSource(pieces=[b"kimono_up 1\n", RuntimeError("gone wrong")])
        async with serving(source) as (client, _):
            async with client.get("/metrics", headers={"Accept-Encoding": encoding}) as response:
                assert response.status == 500
                assert await response.text() == "can't build the metrics page\n"
            source.pieces = [b"kimono_up 1\n"]
            async with client.get("/metrics") as response:
                assert response.status == 200

    with structlog.testing.capture_logs() as logs:
        asyncio.run(scenario())
    assert [entry["event"] for entry in logs] == ["can't build the metrics page"]


@pytest.mark.parametrize("iterations", [0, 200], ids=["while_it_is_sent", "while_the_server_waits_for_it_to_read"])
def test_a_client_that_goes_away_midway_leaves_no_trace_and_frees_its_slot(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, iterations: int
) -> None:
    monkeypatch.setattr(pages, "PAGES_AT_ONCE", 1)  # the second scrape needs the place of the first

    async def scenario() -> None:
        async with serving(FakeSource(pieces=BIG)) as (client, running):
            async with raw_connection(running, SCRAPE) as reader:
                assert await reader.read(100)
                for _ in range(iterations):  # the server sends a slice in each, until the buffers are full
                    await asyncio.sleep(0)
            async with client.get("/metrics") as response:
                assert len(await response.read()) == 12_000_000

    with caplog.at_level(logging.INFO), structlog.testing.capture_logs() as logs:
        asyncio.run(scenario())
    assert [entry for entry in logs if entry["log_level"] != "debug"] == []
    assert caplog.records == []


def test_a_client_that_does_not_read_is_disconnected_and_sees_that_the_page_is_not_whole() -> None:
    async def scenario() -> None:
        source = FakeSource(pieces=BIG * 3)
        async with serving(source) as (_, running), raw_connection(running, SCRAPE) as reader:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Content-Length: 36000000" in head
            await asyncio.sleep(limits.STALL_SECONDS + 1)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await reader.readexactly(36_000_000)
            assert asyncio.get_running_loop().time() < limits.STALL_SECONDS + 10, (
                "the server does not wait for the rest"
            )

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert [entry["event"] for entry in logs] == ["closed connections that did not read the response in time"]


def test_more_scrapes_than_slots_wait_and_all_get_the_page() -> None:
    async def scrape(client: aiohttp.ClientSession) -> bytes:
        async with client.get("/metrics") as response:
            return await response.read()

    async def scenario() -> None:
        async with serving(FakeSource(pieces=BIG[:1])) as (client, _):
            pages = await asyncio.gather(*(scrape(client) for _ in range(limits.PAGES_AT_ONCE * 3)))
            assert set(pages) == {BIG[0]}

    asyncio.run(scenario())


class CountedPages:
    """The pieces of a page in many steps. `most` is how many pages were being built at the same time."""

    def __init__(self) -> None:
        self.building = self.most = 0

    def __iter__(self) -> Iterator[bytes]:
        self.building += 1
        self.most = max(self.most, self.building)
        yield from [b"kimono_up 1\n"] * 1000
        self.building -= 1


def test_no_more_pages_are_built_at_once_than_there_are_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)

    async def scrape(client: aiohttp.ClientSession) -> None:
        async with client.get("/metrics") as response:
            assert response.status == 200

    async def scenario() -> int:
        pages = CountedPages()
        async with serving(FakeSource(pieces=pages)) as (client, _):
            await asyncio.gather(*(scrape(client) for _ in range(limits.PAGES_AT_ONCE * 3)))
        return pages.most

    assert asyncio.run(scenario()) == limits.PAGES_AT_ONCE
