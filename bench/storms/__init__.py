"""Counts the notifications of storms."""
