"""Searches texts for secrets, also for encoded ones."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping

# All secrets that are made up for tests have it in them.
MARK = "S3CR3T"


def _base64(at: int, code: Callable[[bytes], bytes]) -> Callable[[str], str]:
    """The characters of the base64 text that only the secret decides, if it begins at this offset, modulo 3."""

    def encode(secret: str) -> str:
        text = code(b"\0" * at + secret.encode()).rstrip(b"=").decode()
        return text[(8 * at + 5) // 6 : -1]

    return encode


# Ways in which a secret may appear.
ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "backwards": lambda secret: secret[::-1],
    "URL-quoted": lambda secret: urllib.parse.quote(secret, safe=""),
    "URL-quoted as a form": urllib.parse.quote_plus,
    "every character URL-quoted": lambda secret: "".join(f"%{each:02X}" for each in secret.encode()),
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "in HTML": html.escape,
    "as repr": lambda secret: repr(secret)[1:-1],
    "as hexadecimal": lambda secret: secret.encode().hex(),
    **{f"base64 at {at}": _base64(at, base64.b64encode) for at in range(3)},
    **{f"base64 for URLs at {at}": _base64(at, base64.urlsafe_b64encode) for at in range(3)},
}


def found(secrets: Iterable[str], text: str) -> list[str]:
    """The encodings in which one of the secrets is in the text."""
    return sorted({name for secret in secrets for name, encode in ENCODINGS.items() if encode(secret) in text})
