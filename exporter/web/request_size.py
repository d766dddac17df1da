"""Measures a request while it arrives, so that one that is too large is refused before it takes memory."""

from __future__ import annotations

from http import HTTPStatus

from exporter.web.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_LINE_BYTES

_END_OF_HEAD = b"\r\n\r\n"


class RequestSize:
    """The size of one request so far. Sizes are in bytes.

    `body` is what came after the headers: the body, or the next request. `headers_ended` says whether all headers came.
    """

    def __init__(self) -> None:
        self._head = 0
        self._line: int | None = None
        self._tail = b""
        self.body = 0
        self.headers_ended = False

    def add(self, data: bytes) -> HTTPStatus | None:
        """Count what has come, and return the status of the reply if that is too much: 413, 414 or 431."""
        if self.headers_ended:
            self.body += len(data)
        else:
            self._add_to_head(data)
        if (self._head if self._line is None else self._line) > MAX_LINE_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if self._line is not None and self._head - self._line > MAX_HEADER_BYTES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if self.body > MAX_BODY_BYTES else None

    def _add_to_head(self, data: bytes) -> None:
        if self._line is None and not self._tail:  # empty lines may come first
            length = len(data)
            data = data.lstrip(b"\r\n")
            self._head += length - len(data)
        recent = self._tail + data
        end = recent.find(_END_OF_HEAD)
        before, new = self._head, len(data)
        if end >= 0:
            self.headers_ended = True
            new = end + len(_END_OF_HEAD) - len(self._tail)
            self.body = len(data) - new
        if self._line is None and (line_end := data.find(b"\n", 0, new)) >= 0:
            self._line = before + line_end + 1
        self._head += new
        self._tail = recent[1 - len(_END_OF_HEAD) :]
