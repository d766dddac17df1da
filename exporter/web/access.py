"""Loads `web.config_file`: TLS, client certificates, passwords and response headers.

The format is the Prometheus exporter toolkit's. The toolkit reads the file and the certificates on each request.
The exporter reads them at start, on SIGHUP and when they have changed: an invalid file is reported, and the old rules
stay.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.files import FileError, read_yaml
from exporter.web.limits import MAX_BCRYPT_COST, MAX_USERS
from exporter.web.passwords import Passwords, bcrypt_cost
from exporter.web.rate_limit import RateLimit
from exporter.web.section import ConfigSection
from exporter.web.stamps import Stamp, stamp_of
from exporter.web.tls import load_tls
from exporter.web.verifier import Verifier

# The headers that the toolkit supports, with their values if only some are allowed.
HEADERS: Mapping[str, frozenset[str] | None] = {
    "Content-Security-Policy": None,
    "Strict-Transport-Security": None,
    "X-Content-Type-Options": frozenset({"nosniff"}),
    "X-Frame-Options": frozenset({"deny", "sameorigin"}),
    "X-XSS-Protection": None,
}


class AccessError(Exception):
    """The file is invalid; `problems` has a line for each reason. They contain no secret."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class AccessRules:
    """Who may see the pages, as the file says.

    `ssl_context` is None for plain HTTP. `client_names` are the allowed certificate names (SANs), empty for all.
    `passwords` is None without basic auth. `headers` are added to every response. `rate_limit` is None for any rate.
    `path` is the file, `files` are all that were read, with their stamps before that.
    """

    ssl_context: ssl.SSLContext | None = None
    client_names: frozenset[str] = frozenset()
    passwords: Passwords | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    path: Path | None = field(default=None, compare=False)
    files: Mapping[Path, Stamp] = field(default_factory=dict, compare=False)


def load_access_rules(path: Path, verifier: Verifier | None = None) -> AccessRules:
    """Read the file and the certificates that it names; their paths are relative to the file.

    `verifier` is the one of the rules before, so that users whose hash is unchanged stay known.

    Raises:
        AccessError: a file is missing or invalid; it has all problems at once.
    """
    stamp = stamp_of(path)
    try:
        content = read_yaml(path)
    except FileError as error:
        raise AccessError((str(error),)) from None
    problems: list[str] = []
    top = ConfigSection("", content, problems)
    tls = load_tls(top.section("tls_server_config"), path.parent)
    headers = _headers(top.section("http_server_config"))
    passwords = _passwords(top.section("basic_auth_users"), verifier or Verifier())
    rate_limit = _rate_limit(top.section("rate_limit"))
    top.reject_unknown()
    if problems:
        raise AccessError(tuple(problems))
    files = {path: stamp, **tls.files}
    return AccessRules(tls.context, tls.client_names, passwords, headers, rate_limit, path, files)


def _rate_limit(section: ConfigSection) -> RateLimit | None:
    interval, burst = section.seconds("interval"), section.whole_number("burst")
    section.reject_unknown()
    if not interval:
        return None
    if burst < 1:
        section.problem("burst", "must be at least 1, or no request is ever answered")
    return RateLimit(interval, burst)


def _headers(section: ConfigSection) -> dict[str, str]:
    # The setting allows HTTP/2 and does not require it. aiohttp has none, so both values are valid.
    section.flag("http2", default=True)
    headers = section.section("headers")
    found = {name: headers.text(name) for name in HEADERS}
    for name, allowed in HEADERS.items():
        if found[name] and allowed and found[name] not in allowed:
            headers.problem(name, f"must be one of {', '.join(sorted(allowed))}")
        if not found[name].isprintable():
            headers.problem(name, "must be one line of printable characters")
    headers.reject_unknown()
    section.reject_unknown()
    return {name: value for name, value in found.items() if value}


def _passwords(section: ConfigSection, verifier: Verifier) -> Passwords | None:
    hashes = {}
    if len(section.entries()) > MAX_USERS:
        section.fault(f"must have at most {MAX_USERS} entries")
        return None
    # Problems give the entry's number, not its name: if both were swapped, the name is the hash.
    for number, (user, hashed) in enumerate(section.entries(), start=1):
        if not isinstance(user, str) or ":" in user:
            section.problem(f"entry {number}", "the user name must be a string without a colon")
        elif not isinstance(hashed, str) or (cost := bcrypt_cost(hashed)) is None:
            section.problem(f"entry {number}", "the password must be a bcrypt hash")
        elif cost > MAX_BCRYPT_COST:
            section.problem(f"entry {number}", _too_costly(cost))
        else:
            hashes[user] = hashed
    return Passwords(hashes, verifier) if hashes else None


def _too_costly(cost: int) -> str:
    return (
        f"the bcrypt cost is {cost}, and must be at most {MAX_BCRYPT_COST}: one check would take "
        f"{2 ** (cost - MAX_BCRYPT_COST)} times as long; hash the password with cost 10"
    )
