"""Asks a real Prometheus, filled with days of a simulated fleet, what the dashboards ask."""
