"""Generates the four Grafana dashboards, which are committed as JSON beside this code."""
