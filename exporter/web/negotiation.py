"""Chooses the format and the encoding of the exposition from the headers of a scrape.

Pure functions over Accept and Accept-Encoding (RFC 9110, section 12.5). Invalid elements are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def wants_openmetrics(accept: str) -> bool:
    """Whether the header names OpenMetrics 1.0 and prefers it at least as much as the text format."""
    openmetrics = 0.0
    text: dict[str, float] = {}
    for name, parameters, quality in _preferences(accept):
        version = parameters.get("version")
        if name == "application/openmetrics-text" and version in {None, "1.0.0"}:
            openmetrics = max(openmetrics, quality)
        elif name in {"text/plain", "text/*", "*/*"} and version in {None, "0.0.4"}:
            text[name] = max(text.get(name, 0.0), quality)
    return openmetrics > 0 and openmetrics >= _most_specific(text, "text/plain", "text/*", "*/*")


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the header accepts gzip and prefers it at least as much as no encoding."""
    qualities = {name: quality for name, _, quality in _preferences(accept_encoding)}
    gzip = _most_specific(qualities, "gzip", "x-gzip", "*")
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _most_specific(qualities: Mapping[str, float], *names: str) -> float:
    """Return the quality of the first name that the header has, 0 for none."""
    return next((qualities[name] for name in names if name in qualities), 0.0)


def _preferences(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Split a header into (name, parameters, quality); an element with an invalid quality is skipped."""
    for element in header.split(","):
        name, *rest = (part.strip().lower() for part in element.split(";"))
        parameters = {key.strip(): value.strip().strip('"') for key, _, value in (part.partition("=") for part in rest)}
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            continue
        if name and 0 <= quality <= 1:
            yield name, parameters, quality
