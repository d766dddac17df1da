"""Schedules polls, runs them, and contains their failures."""
