"""Starts the program: `kimono-exporter`, or `python -m exporter`."""

from __future__ import annotations

import os
import sys

from exporter import arguments, process


def main() -> None:
    """Run the command line and exit with its code."""
    process.prepare(sys.argv[1:])
    code = arguments.answer_at_once(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    from exporter.cli import main as run  # noqa: PLC0415 - loading takes half a second, in which a signal may come

    sys.exit(run(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
