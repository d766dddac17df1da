"""Breaks the API client."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CONNECTIONS = "exporter/api/connections.py"
ENCODINGS = "exporter/api/encodings.py"
CLIENT = "exporter/api/client.py"
LIMITER = "exporter/api/rate_limiter.py"
THROTTLING = "exporter/api/throttling.py"
WIRE = "exporter/api/wire.py"
FIELDS = "exporter/api/fields.py"
PIECES = "exporter/api/pieces.py"
OF_FIELDS = ("tests/api/test_fields.py",)
OF_LARGE_REPLIES = ("tests/api/test_large_replies.py",)
PACING = "tests/contract/test_pacing.py::"
OF_CONNECTIONS = ("tests/api/test_connections.py",)
OF_ENCODINGS = ("tests/api/test_encodings.py",)
OF_LIMITER = ("tests/api/test_rate_limiter.py",)
OF_PAGING = ("tests/api/test_paging.py",)
OF_PIECES = ("tests/api/test_pieces.py",)
OF_RETRIES = ("tests/api/test_retries.py",)
OF_THROTTLING = ("tests/api/test_throttling.py",)
OF_TOKENS = ("tests/api/test_auth.py",)
OF_WIRE = ("tests/api/test_wire.py",)

MUTANTS = (
    Mutant(
        "a failed request is not retried",
        CLIENT,
        "_ATTEMPTS = 3",
        "_ATTEMPTS = 1",
        OF_RETRIES,
    ),
    Mutant(
        "a request that can't succeed is retried",
        CLIENT,
        "isinstance(error, errors.TransientError) and (error.retry_after or 0.0)",
        'isinstance(error, errors.ApiError) and (getattr(error, "retry_after", None) or 0.0)',
        OF_RETRIES,
    ),
    Mutant(
        "retries follow each other without a pause",
        CLIENT,
        "            return _backoff(state)\n",
        "            return 0.0\n",
        OF_RETRIES,
    ),
    Mutant(
        "a 503 without Retry-After lowers the rate",
        CLIENT,
        "or error.retry_after is not None:",
        "or True:",
        OF_RETRIES,
    ),
    Mutant(
        "half a list is taken for the whole list",
        CLIENT,
        "        self.client.observer.truncated(endpoint)\n",
        "        return list(found.values())\n",
        OF_PAGING,
    ),
    Mutant(
        "an object on two pages appears twice",
        CLIENT,
        "items: dict[str, T] = dict(page.items)",
        'items = {f"{number} {key}": item for key, item in page.items}',
        (OF_PAGING[0] + "::test_pages_that_overlap_give_each_object_once",),
    ),
    Mutant(
        "a later page that is refused means that there is no list",
        CLIENT,
        "            if number == 0:\n                raise\n",
        "            raise\n",
        OF_PAGING,
    ),
    Mutant(
        "a list ends where page 1 repeats page 0",
        CLIENT,
        "REPEATED_PAGES = 2",
        "REPEATED_PAGES = 1",
        OF_PAGING,
    ),
    Mutant(
        "a list ends with its first empty page",
        CLIENT,
        "or empty == EMPTY_PAGES or",
        "or empty == 1 or",
        OF_PAGING,
    ),
    Mutant(
        "a 401 is not answered with a new token",
        CLIENT,
        "if not self.identity.rejected(authorization):",
        "if True:",
        OF_TOKENS,
    ),
    Mutant(
        "tokens are renewed for ever while the API answers 401",
        "exporter/api/auth.py",
        "RENEWALS = 3",
        "RENEWALS = 20",
        OF_TOKENS,
    ),
    Mutant(
        "a token is used until its very end",
        "exporter/api/auth.py",
        "token.lifetime - min(60.0, token.lifetime / 10)",
        "token.lifetime",
        OF_TOKENS,
    ),
    Mutant(
        "twenty requests at once fetch twenty tokens",
        "exporter/api/auth.py",
        "        async with self._refreshing:\n            if self._header is None",
        "        if True:\n            if self._header is None",
        OF_TOKENS,
    ),
    Mutant(
        "a token that another request has renewed is dropped",
        "exporter/api/auth.py",
        "        if authorization == self._header:\n",
        "        if True:\n",
        OF_TOKENS,
    ),
    Mutant(
        "tokens that are always refused are renewed at each poll",
        "exporter/api/auth.py",
        "RENEWAL_SECONDS = 30.0",
        "RENEWAL_SECONDS = 0.1",
        OF_TOKENS,
    ),
    Mutant(
        "the Retry-After of one tenant holds back all tenants",
        THROTTLING,
        "        if caller.of_account:\n            self._rate_limiter",
        "        if True:\n            self._rate_limiter",
        OF_THROTTLING,
    ),
    Mutant(
        "a third of the tenants with limits of their own slows all others",
        THROTTLING,
        "SEVERAL, WITHIN, SHARE = 3, 60.0, 0.5",
        "SEVERAL, WITHIN, SHARE = 3, 60.0, 0.1",
        OF_THROTTLING,
    ),
    Mutant(
        "a large fleet takes half a minute to notice a common limit",
        THROTTLING,
        "(half or last >= OF_LAST)",
        "half",
        OF_THROTTLING,
    ),
    Mutant(
        "a tenant that was told to wait is asked again at once",
        CLIENT,
        "return 0.0 if caller.of_account else self.throttling.hold(caller)",
        "return 0.0",
        OF_RETRIES,
    ),
    Mutant(
        "a tenant that has to wait is polled nevertheless",
        CLIENT,
        "if hold > _SHORT_HOLD:",
        "if False:",
        OF_RETRIES,
    ),
    Mutant(
        "tenants that wait hold the slots of the others",
        "exporter/polling/poller.py",
        "self._paused += polls",
        "self._paused += 0",
        (PACING + "test_throttled_tenants_delay_no_other_tenant_and_recover[4-throttle 50 None]",),
    ),
    Mutant(
        "a rate limit with 403 means that something is absent",
        WIRE,
        'if status == 429 or (status == 403 and "retry-after" in reply.headers):',
        "if status == 429:",
        OF_WIRE,
    ),
    Mutant(
        "a gateway's 404 means that something is absent",
        WIRE,
        "by_api = not _is_html(reply)",
        "by_api = True",
        OF_WIRE,
    ),
    Mutant(
        "a token endpoint that refuses with 200 is a bad response",
        WIRE,
        "or (200 <= status < 300 and code):",
        "or False:",
        OF_WIRE,
    ),
    Mutant(
        "requests that come together are sent together",
        LIMITER,
        "self._next = send_at + 1 / self.rate",
        "self._next = now",
        OF_LIMITER,
    ),
    Mutant(
        "a request that already waits ignores a Retry-After",
        LIMITER,
        "if self._clock.monotonic() >= self._held_until:",
        "if True:",
        OF_LIMITER,
    ),
    Mutant(
        "a server can make the exporter wait for a day",
        LIMITER,
        "LONGEST_HOLD = 900.0",
        "LONGEST_HOLD = 86_400.0",
        (OF_LIMITER[0] + "::test_a_hold_is_no_longer_than_a_quarter_of_an_hour",),
    ),
    Mutant(
        "the rate does not recover after a 429",
        LIMITER,
        "self._cut_share + (self._clock.monotonic() - self._cut_at) / _RECOVERY",
        "self._cut_share",
        OF_LIMITER,
    ),
    Mutant(
        "a Retry-After with a date is ignored",
        WIRE,
        "    return seconds if seconds > 0 else None\n",
        "    return None\n",
        OF_WIRE,
    ),
    Mutant(
        "a null in a list breaks the whole list",
        WIRE,
        "            elif element is not None:\n",
        "            else:\n",
        OF_WIRE,
    ),
    Mutant(
        "an id can leave its place in a path",
        WIRE,
        'quote(ident, safe="")',
        'quote(ident, safe="/")',
        OF_WIRE,
    ),
    Mutant(
        "a refused token request is a bad response",
        WIRE,
        "if status in (400, 401, 403) or",
        "if status in (401,) or",
        OF_WIRE,
    ),
    Mutant(
        "a redirect is followed with credentials",
        "exporter/api/transport.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/api/test_on_the_wire.py::test_a_redirect_is_not_followed_and_the_other_host_hears_nothing",),
    ),
    Mutant(
        "a reply without end fills the memory",
        "exporter/api/transport.py",
        "if max(packed, len(body)) > self.options.max_bytes:",
        "if False:",
        ("tests/api/test_on_the_wire.py::test_the_largest_reply_is_exactly_as_large_as_allowed",),
    ),
    Mutant(
        "a reply is built before its values are counted",
        PIECES,
        "if count_values(body) > MAX_VALUES:",
        "if False:",
        OF_PIECES,
    ),
    Mutant(
        "an object of any size is built at once",
        PIECES,
        "if len(self._text) - self._at >= MAX_PIECE or values > MAX_PIECE_VALUES:",
        "if False:",
        OF_PIECES,
    ),
    Mutant(
        "all of a body is decoded at once",
        PIECES,
        "self._decoded_to += max(_STEP, min(ahead, MAX_PIECE - ahead))",
        "self._decoded_to = len(self._body)",
        OF_PIECES,
    ),
    Mutant(
        "a number ends with what is decoded",
        PIECES,
        'if self._is_whole or (end < len(self._text) and self._text[end] not in ".eE"):',
        "if True:",
        OF_PIECES,
    ),
    Mutant(
        "the event loop stands still for a large reply",
        CLIENT,
        "if wire.is_small(body):",
        "if True:",
        OF_LARGE_REPLIES,
    ),
    Mutant(
        "twelve large replies are parsed at once",
        CLIENT,
        "async with self._parsing:",
        "if True:",
        OF_LARGE_REPLIES,
    ),
    Mutant(
        "a page holds any number of objects",
        WIRE,
        "if isinstance(element, dict) and len(found) < MAX_PAGE_ITEMS:",
        "if isinstance(element, dict):",
        OF_PIECES,
    ),
    Mutant(
        "a lower-case z is no time zone",
        FIELDS,
        "re.ASCII | re.IGNORECASE,",
        "re.ASCII,",
        OF_FIELDS,
    ),
    Mutant(
        "a float is no whole number",
        FIELDS,
        "return int(value) if value.is_integer() and abs(value) <= _LARGEST_NUMBER else None",
        "return None",
        OF_FIELDS,
    ),
    Mutant(
        "a number is no id",
        FIELDS,
        "return str(value) if number else None",
        "return None",
        OF_FIELDS,
    ),
    Mutant(
        "a blank name is a name",
        FIELDS,
        'return text and (composed(text) if is_visible(text) else "")',
        "return text and composed(text)",
        OF_FIELDS,
    ),
    Mutant(
        "a secret has the length of a name",
        FIELDS,
        "_LONGEST_SECRET = 65_536",
        "_LONGEST_SECRET = 1024",
        OF_FIELDS,
    ),
    Mutant(
        "a flag of an odd name is left out without a sign",
        "exporter/api/models.py",
        'fields.invalid("flag_name")',
        "pass",
        ("tests/api/test_models.py",),
    ),
    Mutant(
        "a tenant's request goes over a connection of another tenant",
        CONNECTIONS,
        "_replace(proxy_headers_hash=self.caller)",
        "_replace(proxy_headers_hash=0)",
        OF_CONNECTIONS,
    ),
    Mutant(
        "a reply that came unasked is given to the next request",
        CONNECTIONS,
        "        if data and not self.expecting:\n",
        "        if False:\n",
        OF_CONNECTIONS,
    ),
    Mutant(
        "bytes that are still in the kernel are not looked for",
        CONNECTIONS,
        "return bool(poll.poll(0))",
        "return False",
        OF_CONNECTIONS,
    ),
    Mutant(
        "idle connections use up the descriptors",
        CONNECTIONS,
        "while len(self.idle) > self.max_idle:",
        "while False:",
        OF_CONNECTIONS,
    ),
    Mutant(
        "a header of 9 kB fails the request",
        CONNECTIONS,
        "MAX_HEADER_BYTES = 2**16",
        "MAX_HEADER_BYTES = 2**13",
        OF_CONNECTIONS,
    ),
    Mutant(
        "headers without end fill the memory",
        CONNECTIONS,
        "if not self._replies and self._head_bytes > MAX_HEAD_BYTES:",
        "if False:",
        OF_CONNECTIONS,
    ),
    Mutant(
        "x-gzip is not unpacked",
        ENCODINGS,
        '([], ["gzip"], ["x-gzip"], ["deflate"])',
        '([], ["gzip"], ["deflate"])',
        OF_ENCODINGS,
    ),
    Mutant(
        "a packed body that is cut off is taken for whole",
        ENCODINGS,
        "if self._begun and not (self._stream and self._stream.eof):",
        "if False:",
        OF_ENCODINGS,
    ),
    Mutant(
        "a body in UTF-8 is read as its header wrongly says",
        ENCODINGS,
        "if name in _CHARSETS and not _is_utf8(body):",
        "if name in _CHARSETS:",
        OF_ENCODINGS,
    ),
    Mutant(
        "a proxy sees the credentials of an http API",
        "exporter/settings/load.py",
        'if proxy and not api.url.startswith("https:"):',
        "if False:",
        ("tests/settings/test_egress.py",),
    ),
    Mutant(
        "the system's certificates are trusted beside a private CA",
        "exporter/api/egress.py",
        'ssl.create_default_context(cadata="\\n".join(certificates))',
        "ssl.create_default_context()",
        ("tests/api/test_egress.py",),
    ),
    Mutant(
        "those who have a tenants file are told to change the account's key",
        "exporter/check.py",
        "if api.tenants_file is not None:",
        "if False:",
        ("tests/contract/test_commands.py::test_the_advice_of_check_names_the_credentials_in_use",),
    ),
    Mutant(
        "a lone S in the days of a schedule is read, though it has two meanings",
        "exporter/api/days.py",
        'if tokens.count("s") != 1 or set(days) >= _WEEKEND',
        "if True",
        ("tests/api/test_days.py",),
    ),
)
