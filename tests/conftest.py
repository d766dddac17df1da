"""Shares a simulation between tests, orders the test files, and gives each file to one worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.scheduling import FileScheduling, place_of

if TYPE_CHECKING:
    from tests.support.dashboards.filling import Filled
    from tests.support.days import Days

# No deadlines: a slow machine must not fail a test.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    """The days of the small scenario, recorded and evaluated once, for the backtest, the status and the dashboards."""
    # Coverage starts after this file is loaded: earlier imports would count as never run.
    from tests.support.days import live_through  # noqa: PLC0415 - see above
    from tests.support.processes import needed  # noqa: PLC0415 - see above

    needed("go")
    return live_through(tmp_path_factory.mktemp("scrapes") / "scrapes", tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="session")
def simulated(days: Days) -> Filled:
    """The database of these days."""
    return days.filled


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file, those of LONGEST first."""
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileScheduling:
    """Let pytest-xdist schedule by file, whatever `--dist` says."""
    return FileScheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite tests/golden instead of comparing with it")
