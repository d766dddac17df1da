"""Tests the alert rules on simulated weeks. See README.md in this folder."""
