"""Parses the path of the exporter's metrics page."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from exporter.settings import values

# The first parts of the exporter's other paths. Each page has its links below one of them.
_TAKEN = ("-", "api", "healthz", "readyz", "tenants")


def _parse_web_path(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    parts = text.split("/")[1:]
    if not re.fullmatch(r"(?:/[A-Za-z0-9_.~-]+)+", text) or {".", ".."} & set(parts):
        raise ValueError(f"{values.shown(value)} is not a path such as /metrics, of letters, digits and ._~-")
    if parts[0] in _TAKEN:
        raise ValueError(f"{values.shown(value)} is or may become another page: none may be below {_ALL_TAKEN}")
    return text


_ALL_TAKEN = ", ".join(f"/{name}" for name in _TAKEN)


WebPath = Annotated[str, BeforeValidator(_parse_web_path), values.SettingType("text", metavar="PATH")]
