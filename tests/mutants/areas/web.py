"""Breaks the web pages."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "/metrics is served without a password",
        "exporter/web/app.py",
        "if passwords and not",
        'if passwords and request.path != "/metrics" and not',
        ("tests/web/test_passwords.py",),
    ),
    Mutant(
        "the health paths need a password",
        "exporter/web/app.py",
        "passwords = None if request.match_info.handler in without_password else rules.passwords",
        "passwords = rules.passwords",
        ("tests/web/test_passwords.py",),
    ),
    Mutant(
        "every client certificate is allowed, whatever its name",
        "exporter/web/app.py",
        "if rules.client_names and not",
        "if False and not",
        ("tests/web/test_tls.py",),
    ),
    Mutant(
        "the time of an answer shows whether a user exists",
        "exporter/web/passwords.py",
        "cost = max(",
        "cost = min(",
        ("tests/web/test_passwords.py",),
    ),
    Mutant(
        "the cache of passwords grows without bound",
        "exporter/web/passwords.py",
        "if len(self._cache) >= CACHE_SIZE:",
        "if len(self._cache) < 0:",
        ("tests/web/test_passwords.py",),
    ),
    Mutant(
        "an unknown key of the web configuration is ignored",
        "exporter/web/access.py",
        "    top.reject_unknown()\n",
        "",
        ("tests/web/test_access.py",),
    ),
    Mutant(
        "a client that refuses gzip gets it",
        "exporter/web/negotiation.py",
        "return gzip > 0 and gzip >=",
        "return gzip >= 0 and gzip >=",
        ("tests/web/test_negotiation.py",),
    ),
    Mutant(
        "the end of a compressed page is missing",
        "exporter/web/exposition.py",
        "body.append(compressor.flush())",
        "compressor.flush()",
        ("tests/web/test_metrics_page.py",),
    ),
    Mutant(
        "OpenMetrics is sent to a client that prefers text",
        "exporter/web/negotiation.py",
        'return openmetrics > 0 and openmetrics >= _most_specific(text, "text/plain", "text/*", "*/*")',
        "return openmetrics > 0",
        ("tests/web/test_negotiation.py",),
    ),
    Mutant(
        "a page that fails midway is sent as a success",
        "exporter/web/exposition.py",
        "return web.Response(status=500,",
        "return web.Response(status=200,",
        ("tests/web/test_metrics_page.py",),
    ),
    Mutant(
        "any number of scrapes is built at a time",
        "exporter/web/exposition.py",
        "asyncio.Semaphore(SCRAPES_AT_ONCE)",
        "asyncio.Semaphore(10_000)",
        ("tests/web/test_metrics_page.py",),
    ),
    Mutant(
        "names are not escaped on the status page",
        "exporter/web/status_page.py",
        "autoescape=True",
        "autoescape=False",
        ("tests/web/test_status_page.py",),
    ),
    Mutant(
        "the status page may load scripts",
        "exporter/web/status_page.py",
        "f\"default-src 'none'; ",
        'f"default-src *; ',
        ("tests/web/test_status_page.py",),
    ),
)
