"""The alert rules as code. Needs the standard library and the thresholds only."""
