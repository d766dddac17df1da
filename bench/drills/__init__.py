"""Measures drills in a demo with a real Prometheus and Alertmanager."""
