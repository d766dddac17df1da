"""Tests that the simulator shares no code with the client that it tests."""

from __future__ import annotations

import ast
from pathlib import Path

import exporter.simulator


def test_the_simulator_imports_nothing_of_the_exporter_but_its_clock() -> None:
    folder = Path(exporter.simulator.__file__).parent
    imported: set[str] = set()
    for source in folder.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(node.module or "")
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    own = {name for name in imported if name.split(".")[0] == "exporter"}
    assert own
    assert {name for name in own if not name.startswith("exporter.simulator")} <= {"exporter.clock"}
