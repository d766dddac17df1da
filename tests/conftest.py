"""What do all tests share?"""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

# Machines differ in speed, and a slow one must not fail a test: time is judged where it is measured.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite tests/golden instead of comparing with it")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool. On CI it has to be there."""
    path = shutil.which("promtool")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("there is no promtool, and CI must have one")
        pytest.skip("there is no promtool on this machine to check pages with")
    return path
