"""Tests that the bytes of a reply mean what the reference says, and that anything else is an `ApiError`."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.api import wire
from exporter.api.errors import (
    REASONS,
    ApiError,
    AuthError,
    BadResponseError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    ServerError,
    ThrottledError,
)
from tests.api.fakes import SECRET, json_values, reply

NOW = 1_788_220_800.0
DEEP = b'{"data": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def test_the_id_in_a_path_cannot_leave_its_place() -> None:
    assert wire.path("/ingestions/{id}", "a/../b?c#d%") == "/v2/interop/ingestions/a%2F..%2Fb%3Fc%23d%25"
    assert wire.path("/tenant/state") == "/v2/interop/tenant/state"


def test_basic_credentials_are_encoded_as_utf_8() -> None:
    scheme, _, value = wire.basic("kéy", "pass:word").partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(value).decode() == "kéy:pass:word"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "a\n", "é", "\ud800"])
def test_a_token_that_no_header_can_carry_is_an_auth_error(token: str) -> None:
    with pytest.raises(AuthError) as caught:
        wire.bearer(token)
    assert token == "" or token not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadResponseError),
        (401, AuthError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (418, BadResponseError),
        (429, ThrottledError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
        (999, ServerError),
        (101, BadResponseError),
        (302, BadResponseError),
        (304, BadResponseError),
        (307, BadResponseError),
    ],
)
def test_each_status_is_its_own_error(status: int, error: type[ApiError]) -> None:
    with pytest.raises(error) as caught:
        wire.check(reply({"error": {"message": SECRET}}, status, location=SECRET), NOW)
    assert str(status) in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.reason in REASONS


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_good(status: int) -> None:
    good = reply({}, status)
    assert wire.check(good, NOW) is good
    assert wire.check_token(good, NOW) is good


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        ("Tue, 01 Sep 2026 00:01:30 -0000", 90.0),
        ("Tue, 01 Sep 2026 00:01:30", 90.0),
        ("Tue, 01 Sep 2026 02:01:30 +0200", 90.0),
        ("Tuesday, 01-Sep-26 00:01:30 GMT", 90.0),
        ("0", None),
        (formatdate(NOW - 90, usegmt=True), None),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, 1e9),
        ("0" * 400, None),
        ("99999999999", 1e9),
        ("Tue, 99 Sep 9999999 00:00:00 GMT", None),
        ("Tue, 01 Sep 2026 00:00:00 +99999999999999", None),
    ],
)
@pytest.mark.usefixtures("far_from_utc")
def test_retry_after_is_read_in_seconds_and_as_a_date_in_utc(text: str, seconds: float | None) -> None:
    assert wire.retry_after({"retry-after": text}, NOW) == seconds


@given(st.text(max_size=60) | st.integers().map(str) | st.datetimes().map(lambda moment: formatdate(moment.second)))
def test_any_retry_after_is_a_positive_number_or_none(text: str) -> None:
    seconds = wire.retry_after({"retry-after": text}, NOW)
    assert seconds is None or 0 < seconds < float("inf")


def test_no_retry_after_is_none() -> None:
    assert wire.retry_after({}, NOW) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"\xff\xfe\xff",
        b"\x00",
        b"nope",
        b'{"data": NaN}',
        b'{"data": [Infinity]}',
        b'{"data": -Infinity}',
        b'{"data": {}} {}',
        DEEP,
    ],
)
def test_what_is_not_json_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponseError, match="not JSON"):
        wire.parse_json(body)


def test_a_page_of_a_gateway_is_told_apart() -> None:
    with pytest.raises(BadResponseError, match="HTML"):
        wire.parse_json(b"\n <html><body>S3CR3T</body></html>")


def test_a_byte_order_mark_and_other_unicode_encodings_are_read() -> None:
    text = '{"data": {"name": "Schüler"}}'
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert wire.parse_object(text.encode(encoding)) == {"name": "Schüler"}


def test_of_two_members_with_one_name_the_last_counts() -> None:
    assert wire.parse_object(b'{"data": {"a": 1}, "data": {"a": 2, "a": 3}}') == {"a": 3}


@pytest.mark.parametrize("body", ["[]", "null", "5", '"x"', "{}", '{"data": null}', '{"data": []}', '{"data": 5}'])
def test_one_object_must_be_an_object(body: str) -> None:
    with pytest.raises(BadResponseError):
        wire.parse_object(body.encode())


@pytest.mark.parametrize(
    "body", ["[]", "null", "5", "{}", '{"data": {}}', '{"data": ""}', '{"data": 0}', '{"data": false}', '{"data": [1]}']
)
def test_a_list_must_be_a_list_of_objects(body: str) -> None:
    with pytest.raises(BadResponseError):
        wire.parse_page(body.encode())


def test_nulls_in_a_list_are_skipped_and_a_null_list_is_empty() -> None:
    assert wire.parse_page(b'{"data": [null, {"id": "a"}, null]}') == wire.Page([{"id": "a"}], None)
    assert wire.parse_page(b'{"data": null}') == wire.Page([], None)


@pytest.mark.parametrize(
    ("paging", "more", "number"),
    [
        (None, None, None),
        ("odd", None, None),
        ({}, False, None),
        ({"next": None}, False, None),
        ({"next": ""}, False, None),
        ({"next": False}, False, None),
        ({"next": 0}, False, 0),  # how some languages say none
        ({"next": True}, True, None),
        ({"next": 3}, True, 3),
        ({"next": "/v2/interop/tenants?page=4&page_size=2"}, True, 4),
        ({"next": "https://elsewhere.invalid/?page=1&page=7"}, True, 7),
        ({"next": "cursor"}, True, None),
        ({"next": "http://[broken?page=3"}, True, None),
        ({"next": "?page=x"}, True, None),
        ({"next": -3}, True, None),
        ({"next": 10**4000}, True, None),
        ({"next": "?page=" + "9" * 5000}, True, None),
        ({"next": "?page=5&x=".ljust(8_192, "x")}, True, 5),
        ({"next": "?page=5&x=".ljust(8_193, "x")}, True, None),
        ({"next": "?page=5&" + "%" * 250_000}, True, None),
        ({"next": "?" + "&=;" * 80_000 + "page=5"}, True, None),
        ({"next": {"page": 2}}, True, None),
        ({"next": [2]}, True, None),
    ],
)
def test_where_the_list_goes_on_is_read_in_every_form(paging: Any, more: bool | None, number: int | None) -> None:  # noqa: FBT001 - a table
    page = wire.parse_page(json.dumps({"data": [], "paging": paging}).encode())
    assert (page.more, page.number) == (more, number)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (3600, 3600.0),
        ("1800", 1800.0),
        (0.5, 0.5),
        (10**9, 86_400.0),
        (10**400, 300.0),
        (0, 300.0),
        (-5, 300.0),
        (None, 300.0),
        (True, 300.0),
        ("soon", 300.0),
        ("nan", 300.0),
        ("inf", 300.0),
        ([], 300.0),
    ],
)
def test_the_life_of_a_token_is_read_or_assumed(expires_in: Any, lifetime: float) -> None:
    body = json.dumps({"access_token": "t", "expires_in": expires_in}).encode()
    assert wire.parse_token(body) == wire.Token("t", lifetime)


def test_a_token_whose_life_is_infinite_lives_as_long_as_is_assumed() -> None:
    assert wire.parse_token(b'{"access_token": "t", "expires_in": 1e999}').lifetime == 300.0
    assert wire.parse_token(b'{"access_token": "t"}').lifetime == 300.0


@pytest.mark.parametrize("body", ["[]", "{}", '{"access_token": null}', '{"access_token": ""}', '{"access_token": 5}'])
def test_a_reply_without_a_token_is_a_bad_response(body: str) -> None:
    with pytest.raises(BadResponseError, match="no access_token"):
        wire.parse_token(body.encode())


@pytest.mark.parametrize("status", [400, 401, 403])
def test_the_token_endpoint_refuses_with_more_than_401(status: int) -> None:
    with pytest.raises(AuthError, match=str(status)):
        wire.check_token(reply({"error": "invalid_client"}, status), NOW)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"error": "invalid_client"}, AuthError),
        (200, {"error": "unauthorized_client", "error_description": SECRET}, AuthError),
        (201, {"error": "invalid_grant", "access_token": None}, AuthError),
        (200, {"error": "invalid_client", "access_token": ""}, AuthError),
        (200, {"error": {"status": 401, "code": "unauthorized", "message": SECRET}}, AuthError),
        (200, {"error": {}, "error_description": SECRET}, None),  # says nothing
        (200, {"error": True}, AuthError),
        (200, {"error": "temporarily_unavailable"}, ServerError),
        (400, {"error": "temporarily_unavailable"}, ServerError),
        (401, {"error": "server_error"}, ServerError),
        (200, {"error": {"status": 503}}, ServerError),
        (400, {"error": "slow_down"}, ThrottledError),
        (200, {"error": {"status": 429}}, ThrottledError),
        (400, {"error": SECRET}, AuthError),
        (400, "invalid_client", AuthError),
        (403, {}, AuthError),
        (503, {"error": "invalid_client"}, ServerError),
        (200, {"error": "", "access_token": "t"}, None),
        (200, {"error": "slow_down", "access_token": "t"}, None),
        (200, {"error": None, "access_token": "t"}, None),
    ],
)
def test_the_error_that_a_token_reply_names_counts_whatever_its_status(
    status: int, body: Any, error: type[ApiError] | None
) -> None:
    answer = reply(body, status)
    if error is None:
        assert wire.check_token(answer, NOW) is answer
        return
    with pytest.raises(error) as caught:
        wire.check_token(answer, NOW)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("check", [wire.check, wire.check_token])
@pytest.mark.parametrize(
    ("header", "wait"),
    [("30", 30.0), (formatdate(NOW + 90, usegmt=True), 90.0), ("soon", None), ("0", None), ("", None)],
)
def test_a_403_with_retry_after_is_a_rate_limit(check: Any, header: str, wait: float | None) -> None:
    with pytest.raises(ThrottledError) as caught:
        check(reply({"error": {}}, 403, retry_after=header), NOW)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize("status", [403, 404, 410])
@pytest.mark.parametrize(
    ("body", "content_type", "by_api"),
    [
        (b'{"error": {"code": "not_found"}}', "application/json", True),
        (b"", "", True),
        (b"\n <html>nginx</html>", "text/html", False),
        (b"<!DOCTYPE html>", "", False),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "application/xml", False),
        (b"default backend - 404", "text/HTML; charset=utf-8", False),
    ],
)
def test_only_the_api_says_that_something_is_absent(
    status: int,
    body: bytes,
    content_type: str,
    by_api: bool,  # noqa: FBT001 - a table
) -> None:
    with pytest.raises(RefusedError) as caught:
        wire.check(reply(body, status, content_type=content_type), NOW)
    assert caught.value.by_api is by_api


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("wait", ["30", "soon", ""])
def test_what_may_be_there_later_is_not_absent(status: int, wait: str) -> None:
    with pytest.raises(NotFoundError, match="Retry-After") as caught:
        wire.check(reply({"error": {"code": "not_found"}}, status, retry_after=wait), NOW)
    assert not caught.value.by_api


@pytest.mark.parametrize("token", ["a b", "a\nb", "\xe9", " ", "a\x00", "a\x7f", "\ud83d"])
def test_a_token_that_can_not_be_sent_is_a_bad_response(token: str) -> None:
    with pytest.raises(BadResponseError, match="not allowed in an HTTP header") as caught:
        wire.parse_token(json.dumps({"access_token": SECRET + token}).encode())
    assert SECRET not in str(caught.value)


def test_a_missing_token_endpoint_does_not_say_that_the_thing_asked_for_is_missing() -> None:
    with pytest.raises(BadResponseError, match="404"):
        wire.check_token(reply({}, 404), NOW)


READERS: list[Callable[[bytes], object]] = [
    wire.parse_json,
    wire.parse_object,
    wire.parse_page,
    wire.parse_token,
]


def only_api_errors(body: bytes) -> None:
    for read in READERS:
        try:
            read(body)
        except ApiError as error:
            assert error.reason == "bad_response"  # noqa: PT017 - that it is raised is not required


@given(st.binary(max_size=200))
@example(DEEP)
def test_any_bytes_give_a_value_or_a_bad_response(body: bytes) -> None:
    only_api_errors(body)


@given(json_values(st.sampled_from(["data", "paging", "next", "access_token", "expires_in"])))
def test_any_json_gives_a_value_or_a_bad_response(value: Any) -> None:
    for shape in (value, {"data": value}, {"data": [value]}, {"data": [], "paging": {"next": value}}):
        only_api_errors(json.dumps(shape).encode())


@given(st.integers(min_value=100, max_value=999), st.text(max_size=20))
def test_any_status_gives_the_reply_or_an_api_error(status: int, header: str) -> None:
    odd = reply({}, status, retry_after=header)
    for check in (wire.check, wire.check_token):
        try:
            assert check(odd, NOW) is odd
        except ApiError as error:
            assert error.reason in REASONS  # noqa: PT017 - likewise


def test_nothing_that_a_server_sent_is_in_a_repr() -> None:
    body = json.dumps({"data": [{"auth": {"client_secret": SECRET}}], "access_token": SECRET}).encode()
    for thing in (wire.Reply(200, {"set-cookie": SECRET}, body), wire.parse_page(body), wire.parse_token(body)):
        assert SECRET not in repr(thing)
