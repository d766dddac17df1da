"""Turns tenants' histories into the content of the state file, and back.

The content is JSON, one object a line: what the file is, then each tenant, then the number of tenants, so that a
truncated file is noticed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, SchemaValidator

from exporter.history import History

FORMAT, VERSION = "kimono-exporter state", 1
# After a longer absence, too much may have changed.
_LONGEST_ABSENCE = 7 * 86400.0
# Far more than any fleet needs. A damaged file must not fill the memory.
MOST_TENANTS = 100_000
_MOST_BYTES = 2**30
_LONGEST_LINE = 2**24

# It also holds for the parts of a history. Numbers are finite, and text is never taken for a number.
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class _Kind:
    __pydantic_config__ = _STRICT
    format: str
    version: Annotated[int, Field(ge=VERSION)]


@dataclass(frozen=True, slots=True)
class _Header(_Kind):
    __pydantic_config__ = _STRICT
    saved_at: float
    api_url: str


@dataclass(frozen=True, slots=True)
class _Tenant:
    __pydantic_config__ = _STRICT
    id: Annotated[str, Field(min_length=1)]
    history: History


@dataclass(frozen=True, slots=True)
class _End:
    __pydantic_config__ = _STRICT
    tenants: int


# Numbers are times in Unix seconds, up to the year 9999, or counts, up to where floats are exact.
_BOUNDS: dict[str, dict[str, float]] = {"float": {"ge": 0.0, "lt": 253_402_300_800.0}, "int": {"ge": 0, "le": 2**53}}


def _bounded(schema: Any) -> Any:  # noqa: ANN401 - a tree of dictionaries and lists
    """The schema of pydantic, with bounds for all numbers in it: a huge one would break every later calculation."""
    if isinstance(schema, dict):
        kind = schema.get("type")
        bounds: dict[str, float] = _BOUNDS.get(kind, {}) if isinstance(kind, str) else {}
        return {**bounds, **{key: _bounded(value) for key, value in schema.items()}}
    return [_bounded(each) for each in schema] if isinstance(schema, list) else schema


_KIND: TypeAdapter[_Kind] = TypeAdapter(_Kind)
_HEADER: TypeAdapter[_Header] = TypeAdapter(_Header)
_VALID_HEADER = SchemaValidator(_bounded(_HEADER.core_schema))
_TENANT: TypeAdapter[_Tenant] = TypeAdapter(_Tenant)
_END: TypeAdapter[_End] = TypeAdapter(_End)
_VALID_TENANT = SchemaValidator(_bounded(_TENANT.core_schema))
_END_BEGINS = b'{"tenants":'


class NotUsedError(Exception):
    """The content can't be used. `kind` is `damaged`, `foreign`, `newer` or `old`; `str()` says why."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def parse(file: BinaryIO, api_url: str, now: float) -> tuple[dict[str, History], float]:
    """The histories by tenant id, and when they were saved; `now` is Unix seconds. Raises NotUsedError and OSError."""
    if os.fstat(file.fileno()).st_size > _MOST_BYTES:
        raise NotUsedError("damaged", "it is too large")
    header = _header(_line(file), api_url, now)
    return dict(_tenants(file)), header.saved_at


def _line(file: BinaryIO) -> bytes:
    line = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise NotUsedError("damaged", "it is truncated, or a line is too long")
    return line


def _header(line: bytes, api_url: str, now: float) -> _Header:
    try:
        kind = _KIND.validate_json(line)
        if kind.format != FORMAT:
            raise NotUsedError("foreign", "it is not a state file of kimono-exporter")
        if kind.version > VERSION:
            raise NotUsedError("newer", "a newer version of the exporter wrote it")
        header: _Header = _VALID_HEADER.validate_json(line)
    except ValidationError:
        raise NotUsedError("damaged", "line 1 is not valid") from None
    if header.api_url != api_url:
        raise NotUsedError("foreign", "it was saved with another api.url")
    if now - header.saved_at > _LONGEST_ABSENCE:
        raise NotUsedError("old", f"it was saved {(now - header.saved_at) / 86400:.0f} days ago")
    return header


def _tenants(file: BinaryIO) -> Iterator[tuple[str, History]]:
    """The tenants, up to the line that ends the file."""
    seen: set[str] = set()
    try:
        while not (line := _line(file)).startswith(_END_BEGINS):
            tenant: _Tenant = _VALID_TENANT.validate_json(line)
            if tenant.id in seen or len(seen) == MOST_TENANTS:
                raise NotUsedError("damaged", f"line {len(seen) + 2} repeats a tenant, or is one too many")
            seen.add(tenant.id)
            yield tenant.id, tenant.history
        if _END.validate_json(line).tenants != len(seen) or file.read(1):
            raise NotUsedError("damaged", f"line {len(seen) + 2} is not the end, or a line is missing")
    except ValidationError:
        raise NotUsedError("damaged", f"line {len(seen) + 2} is not valid") from None


def lines(histories: Iterable[tuple[str, History]], api_url: str, now: float, omitted: list[str]) -> Iterator[bytes]:
    """The lines of the file; raises OSError if `read` would not accept them all. Adds to the ids that are omitted."""
    yield _HEADER.dump_json(_Header(FORMAT, VERSION, now, api_url)) + b"\n"
    count = size = 0
    for ident, history in histories:
        line = _tenant_line(ident, history)
        if line is None:
            omitted.append(ident)
            continue
        count, size = count + 1, size + len(line)
        if count > MOST_TENANTS or size > _MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        yield line
    yield _END.dump_json(_End(count)) + b"\n"


def _tenant_line(ident: str, history: History) -> bytes | None:
    """The line of a tenant; None if it could not be read again, so that one tenant does not affect the others."""
    try:
        line = _TENANT.dump_json(_Tenant(ident, history)) + b"\n"
        if len(line) <= _LONGEST_LINE:
            _VALID_TENANT.validate_json(line)
            return line
    except (PydanticSerializationError, ValidationError):
        pass
    return None
