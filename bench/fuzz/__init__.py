"""Searches for inputs that break the exporter, guided by the code that they reach (`make fuzz`)."""
