"""Starts the program: `kimono-exporter`, or `python -m exporter`."""

from __future__ import annotations

import os
import sys

from exporter.cli import run_command


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run_command(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
