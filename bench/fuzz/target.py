"""Fuzzes one target with atheris: `python -m bench.fuzz.target NAME FILE`, then arguments of libFuzzer."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

# What the inputs reach: the exporter's own code, and the YAML loader where it is Python.
with atheris.instrument_imports(include=["exporter", "yaml"]):
    from tests.support.fuzzing.raw import TARGETS


def main() -> None:
    """Fuzz until libFuzzer ends it. An input that fails goes to FILE."""
    name, file, *arguments = sys.argv[1:]

    def run(data: bytes) -> None:
        try:
            TARGETS[name].run(data)
        except BaseException:
            Path(file).write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
