"""Takes raw bytes as one of the inputs that the exporter decodes: what a coverage-guided fuzzer starts with."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.api import models, wire
from exporter.api.days import parse_days
from exporter.api.errors import ApiError
from exporter.api.fields import Fields
from exporter.api.wire import Reply
from exporter.history import History
from exporter.state_format import lines
from tests.support.fetches import good_reply
from tests.support.fuzzing.files import NOW, SETTINGS, TENANTS, URL, WEB, Files
from tests.support.fuzzing.inputs import SECRET, documents
from tests.support.fuzzing.replies import CALLS, check_error, poll_thrice
from tests.support.replies import FIXTURES

_MODELS: tuple[Callable[[Fields], Any], ...] = (
    *(models.Tenant.parse, models.State.parse, models.Schedule.parse, models.Ingestion.parse, models.Rollover.parse),
    *(models.Application.parse, models.Scope.parse, models.Actor.parse, models.Integration.parse),
    models.IntegrationVersion.parse,
)


@dataclass(frozen=True)
class Target:
    """What takes the bytes, and good inputs to begin with. It raises if the exporter does what it must not."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def decode(body: bytes) -> None:
    """A body as every kind of reply, and each of its objects as every model."""
    objects: list[Mapping[str, Any]] = []
    for parse in (wire.parse_object, wire.parse_page, wire.parse_token):
        try:
            value = parse(body)
        except ApiError as error:
            check_error(error)
            continue
        if isinstance(value, wire.Page):
            objects += value.items
        elif isinstance(value, wire.Token):
            assert 0 < value.lifetime <= 86_400
            with suppress(ApiError):
                wire.bearer(value.value)
        else:
            objects.append(value)
    for each in objects:
        for parse_model in _MODELS:
            _check_model(parse_model(Fields(each, lambda name: name.encode("utf-8", "surrogatepass"))))


def _check_model(model: Any) -> None:
    """No number that is not finite, and no text that UTF-8 does not have."""
    names = getattr(type(model), "__slots__", ()) if model is not None else ()
    for value in (getattr(model, name) for name in names):
        assert not isinstance(value, float) or math.isfinite(value)
        if isinstance(value, str):
            value.encode()


def _days(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    for value in (text, text.split(","), _json(text)):
        found = parse_days(value)
        assert found is None or (found and found <= frozenset(range(7))), found


def _json(text: str) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def _retry_after(raw: bytes) -> None:
    wait = wire.retry_after({"retry-after": raw.decode("latin-1")}, NOW)
    assert wait is None or (wait > 0 and math.isfinite(wait))


@given(st.sampled_from(CALLS), st.data())
def _poll(call: tuple[str, str], data: st.DataObject) -> None:
    """A poll, whose reply hypothesis makes from the fuzzer's bytes."""
    poll_thrice(*call, Reply(200, {}, data.draw(documents(good_reply(call[1])))))


_FOLDER = tempfile.TemporaryDirectory()
_FILES = Files(Path(_FOLDER.name))
_BODIES = tuple(path.read_bytes() for place in ("published", "recorded") for path in (FIXTURES / place).glob("*.json"))
_STATE = b"".join(lines([("a", History(failing_since={"state": NOW})), ("b", History())], URL, NOW, []))
_DAYS = (
    *("1-5", "Mon, Wed & Fri", "MTWRF", "0 7 * * 1-5", "cron(0 7 ? * MON-FRI *)", "[1, 2]", '{"monday": true}'),
    *("FREQ=WEEKLY;BYDAY=MO,TU", "every weekday", "mon to fri/2", "1111100", "127", "Sa;Su", "all days"),
)
TARGETS: Mapping[str, Target] = {
    "replies": Target(decode, (*_BODIES, b'{"access_token": "S3CR3T", "expires_in": 3600}')),
    "polls": Target(_poll.hypothesis.fuzz_one_input, (b"\x00" * 64, bytes(range(256)))),  # type: ignore[attr-defined]  # hypothesis adds it
    "retry-after": Target(_retry_after, (b"30", b"0.5", b"Wed, 21 Oct 2026 07:28:00 GMT", b"21-Oct-26 07:28")),
    "days": Target(_days, tuple(map(str.encode, _DAYS))),
    "yaml": Target(_FILES.yaml, tuple(map(str.encode, (SETTINGS, TENANTS, WEB)))),
    "settings-file": Target(_FILES.settings, (SETTINGS.encode(),)),
    "tenants-file": Target(_FILES.tenants, (TENANTS.encode(),)),
    "web-config": Target(_FILES.access, (WEB.encode(),)),
    "secret-file": Target(_FILES.secret, (f"{SECRET}\n".encode(), b"\xef\xbb\xbfa")),
    "state-file": Target(_FILES.state, (_STATE,)),
}
