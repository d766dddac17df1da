"""Tests of who imports whom: what tests and benchmarks share is in tests/support, and nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [
    path for folder in ("exporter", "dashboards", "tests", "bench") for path in sorted((ROOT / folder).rglob("*.py"))
]


def imported(source: str) -> Iterator[str]:
    """The full names of modules that a file imports, and of what it imports from them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(importer: tuple[str, ...], name: str) -> bool:
    """Whether a file, by the parts of its path, may import a name."""
    package, _, rest = name.partition(".")
    if package == "bench":
        return importer[0] == "bench"
    if package != "tests":
        return True
    shared = rest.split(".")[0] == "support"
    if importer[0] == "bench" or importer[:2] == ("tests", "support"):
        return shared
    own = importer[0] == "tests" and len(importer) > 2 and rest.split(".")[0] == importer[1]
    return importer[0] == "tests" and (shared or own)


def test_test_code_is_imported_only_from_the_same_folder_and_from_what_is_shared() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in FILES
        for name in imported(path.read_text(encoding="utf-8"))
        if not allowed(path.relative_to(ROOT).parts, name)
    ]
    assert not wrong, "\n".join(wrong)
    assert len(FILES) > 100


@pytest.mark.parametrize(
    ("importer", "source", "expected"),
    [
        ("tests/backtest/test_x.py", "from bench.backtest import engine", False),
        ("tests/backtest/test_x.py", "import bench.run", False),
        ("tests/backtest/test_x.py", "from tests.alerts import stories", False),
        ("tests/backtest/test_x.py", "def f():\n    from tests.alerts.stories import HOUR", False),
        ("tests/backtest/test_x.py", "from tests.support.backtest import engine\nimport tests.backtest.one", True),
        ("tests/test_x.py", "from tests.alerts.stories import HOUR", False),
        ("tests/support/x.py", "from tests.alerts.stories import HOUR", False),
        ("tests/support/x.py", "from tests.support import simulated_exporter", True),
        ("bench/run.py", "from tests import support\nfrom bench import children", True),
        ("bench/run.py", "from tests.alerts.stories import HOUR", False),
        ("exporter/cli.py", "from tests.support import simulated_exporter", False),
    ],
)
def test_an_import_across_is_seen(importer: str, source: str, *, expected: bool) -> None:
    assert all(allowed(Path(importer).parts, name) for name in imported(source)) is expected
