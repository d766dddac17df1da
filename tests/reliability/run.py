"""Runs cells of the matrix, several at a time on one virtual loop."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

import structlog

from tests.reliability.cell import Cell, Findings
from tests.reliability.places import Case
from tests.support.virtual_time import run_virtual

_AT_A_TIME = 8


def run_cells(cases: Iterable[Case]) -> list[Findings]:
    """Live through these cells, and return what was found in each, in their order."""

    async def run() -> list[Findings]:
        free = asyncio.Semaphore(_AT_A_TIME)

        async def one(case: Case) -> Findings:
            async with free:
                cell = Cell(case, Path(folder))
                try:
                    return await cell.run()
                except Exception as error:  # noqa: BLE001 - the other cells go on
                    cell.findings.problems.append(f"{case.name}: {type(error).__name__}: {error}")
                    return cell.findings

        return await asyncio.gather(*map(one, cases))

    with tempfile.TemporaryDirectory() as folder, structlog.testing.capture_logs() as lines:
        findings = run_virtual(run())
    secrets = [line for line in lines if "S3CR3T" in repr(line)]
    assert not secrets, secrets
    return findings
