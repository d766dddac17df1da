"""Tries the exporter with other programs and other versions of them, and writes the table in docs/compatibility.md."""
