"""Measures the dashboards' queries on a real Prometheus. See bench/README.md."""
