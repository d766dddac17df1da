"""kimono-exporter: what does Elevate Data Sync do right now, as Prometheus metrics?"""

__version__ = "0.1.0"
