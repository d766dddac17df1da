"""Exposes the state of Elevate Data Sync as Prometheus metrics."""

__version__ = "0.1.0"
