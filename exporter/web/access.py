"""Who may see the pages, and over what?

Reads `web.config_file`, in the format of the Prometheus exporter toolkit. The toolkit reads the file and the
certificates again at each request; here this happens at start and on SIGHUP, so that a broken file is noticed
by whoever broke it, and the old rules stay until the new ones are good.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from exporter.web.passwords import Passwords, is_bcrypt
from exporter.web.section import Section, StrictLoader
from exporter.web.tls import read_tls

# The headers that the toolkit lets be set, with their values where these are a closed set.
HEADERS: Mapping[str, frozenset[str] | None] = {
    "Content-Security-Policy": None,
    "Strict-Transport-Security": None,
    "X-Content-Type-Options": frozenset({"nosniff"}),
    "X-Frame-Options": frozenset({"deny", "sameorigin"}),
    "X-XSS-Protection": None,
}


class AccessError(Exception):
    """The file can't be used; `problems` has a line for each reason, without anything secret."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Access:
    """The rules of one reading of the file.

    `ssl_context` is None for plain HTTP. `client_names` are the certificate names (SANs) let in, empty for all.
    `passwords` is None when no basic auth is asked for. `headers` are added to every response.
    """

    ssl_context: ssl.SSLContext | None = None
    client_names: frozenset[str] = frozenset()
    passwords: Passwords | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def load_access(path: Path) -> Access:
    """Read the file and the certificates that it names, relative to itself.

    Raises:
        AccessError: a file can't be read, or says what can't be done; all that is wrong at once.
    """
    problems: list[str] = []
    top = Section("", _parse(path), problems)
    context, client_names = read_tls(top.section("tls_server_config"), path.parent)
    headers = _headers(top.section("http_server_config"))
    passwords = _passwords(top.section("basic_auth_users"))
    top.refuse("rate_limit", "is not supported here; leave it out")
    top.close()
    if problems:
        raise AccessError(tuple(problems))
    return Access(context, client_names, passwords, headers)


def _parse(path: Path) -> object:
    try:
        # StrictLoader is a SafeLoader. The YAML error itself is not passed on: it quotes the file.
        return yaml.load(path.read_bytes(), StrictLoader)  # noqa: S506 - as said above
    except OSError as error:
        raise AccessError((f"{path} can't be read: {error.strerror}",)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" near line {mark.line + 1}" if mark else ""
        raise AccessError((f"{path} is not valid YAML{where}",)) from None
    except (yaml.YAMLError, ValueError):
        raise AccessError((f"{path} is not valid YAML",)) from None


def _headers(section: Section) -> dict[str, str]:
    # HTTP/2 is something that may be offered, not something that must be: aiohttp has none, so either is fine.
    section.switch("http2", default=True)
    headers = section.section("headers")
    found = {name: headers.text(name) for name in HEADERS}
    for name, allowed in HEADERS.items():
        if found[name] and allowed and found[name] not in allowed:
            headers.problem(name, f"must be one of {', '.join(sorted(allowed))}")
        if not found[name].isprintable():
            headers.problem(name, "must be one line of printable characters")
    headers.close()
    section.close()
    return {name: value for name, value in found.items() if value}


def _passwords(section: Section) -> Passwords | None:
    hashes = {}
    # Users are counted, not named: where name and hash were swapped, the name is the hash.
    for number, (user, hashed) in enumerate(section.entries(), start=1):
        if not isinstance(user, str) or ":" in user:
            section.problem(f"entry {number}", "the user's name must be a string without a colon")
        elif not isinstance(hashed, str) or not is_bcrypt(hashed):
            section.problem(f"entry {number}", "the password must be given as a bcrypt hash")
        else:
            hashes[user] = hashed
    return Passwords(hashes) if hashes else None
