"""Polls every tenant once and says what works, what fails, and how to fix it: the command `check`."""

from exporter.check.command import Wanted, check

__all__ = ["Wanted", "check"]
