"""Tests that the package is written in the standard terms: a reader meets one word for one thing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "exporter"
# The standard term, and what stood for it once.
REPLACED = {
    "rate limit": r"budgets?|pays|everything sent",
    "poll": r"visit(s|ed|ing)?|due for longest|waited for longest",
    "fails, failing": r"can't be read|refuses to be read|unreadable",
    "alert fires": r"is told of|wakes|keeps silent|tells again",
    "data age": r"picture",
    "paused": r"let go",
    "fix": r"mend(s|ed)?",
    "finished": r"end(s|ed)? (well|badly)|made good|came to an end",
    "unknown": r"nobody knows|was not said|nobody says",
    "deferred, dropped, removed": r"parked|forgotten|taken off|left out",
    "state, history, cache": r"memories|what is remembered",
    "internal error": r"mistakes? of ours",
    "the person who does it": r"somebody|nobody|whoever|everyone|everybody",
}
FILES = sorted(path for pattern in ("*.py", "*.html") for path in PACKAGE.rglob(pattern))


@pytest.mark.parametrize("term", REPLACED)
def test_the_package_uses_the_standard_term(term: str) -> None:
    pattern = re.compile(rf"\b({REPLACED[term]})\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"say {term}:\n" + "\n".join(found)
