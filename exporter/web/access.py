"""Loads `web.config_file`: TLS, client certificates, passwords and response headers.

The format is the Prometheus exporter toolkit's. The toolkit reads the file and the certificates on each request.
The exporter reads them at start and on SIGHUP: an invalid file is reported at once, and the old rules stay.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.files import FileError, read_yaml
from exporter.web.passwords import Passwords, is_bcrypt
from exporter.web.section import ConfigSection
from exporter.web.tls import load_tls

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
    `passwords` is None without basic auth. `headers` are added to every response.
    """

    ssl_context: ssl.SSLContext | None = None
    client_names: frozenset[str] = frozenset()
    passwords: Passwords | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def load_access_rules(path: Path) -> AccessRules:
    """Read the file and the certificates that it names; their paths are relative to the file.

    Raises:
        AccessError: a file is missing or invalid; it has all problems at once.
    """
    try:
        content = read_yaml(path)
    except FileError as error:
        raise AccessError((str(error),)) from None
    problems: list[str] = []
    top = ConfigSection("", content, problems)
    context, client_names = load_tls(top.section("tls_server_config"), path.parent)
    headers = _headers(top.section("http_server_config"))
    passwords = _passwords(top.section("basic_auth_users"))
    top.reject("rate_limit", "is not supported; remove it")
    top.reject_unknown()
    if problems:
        raise AccessError(tuple(problems))
    return AccessRules(context, client_names, passwords, headers)


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


def _passwords(section: ConfigSection) -> Passwords | None:
    hashes = {}
    # Problems give the entry's number, not its name: if both were swapped, the name is the hash.
    for number, (user, hashed) in enumerate(section.entries(), start=1):
        if not isinstance(user, str) or ":" in user:
            section.problem(f"entry {number}", "the user name must be a string without a colon")
        elif not isinstance(hashed, str) or not is_bcrypt(hashed):
            section.problem(f"entry {number}", "the password must be a bcrypt hash")
        else:
            hashes[user] = hashed
    return Passwords(hashes) if hashes else None
