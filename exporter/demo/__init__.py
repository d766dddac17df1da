"""Runs the exporter on a simulated API, without any configuration."""

from __future__ import annotations

from exporter.demo.command import demo

__all__ = ["demo"]
