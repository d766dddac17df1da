"""Keeps coverage out of the temporary repositories: it would report files that are gone by then."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def not_measured() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("COV_", "COVERAGE_"))]:
            patch.delenv(name)
        yield
