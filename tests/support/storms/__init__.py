"""Counts the notifications of a storm: many alerts at once, played into a real Alertmanager."""
