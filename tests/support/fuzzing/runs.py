"""Says how many inputs a fuzz test makes: few and the same ones in `make test`, more and new ones in `make fuzz`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings

Test = TypeVar("Test", bound=Callable[..., None])

# `make fuzz` sets it: this many times as many inputs, other ones in each run.
SCALE = "KIMONO_FUZZ_SCALE"


def fuzzed(inputs: int) -> Callable[[Test], Test]:
    """Let a property try so many inputs; without a database, so that a run does not depend on earlier ones."""
    scale = int(os.environ.get(SCALE, "1"))
    return settings(
        max_examples=inputs * scale,
        derandomize=scale == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
