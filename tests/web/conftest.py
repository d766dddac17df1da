"""Provides Chromium and certificates to the tests of the web pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support import certificates

MakeCertificate = Callable[[str], Path]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium. On CI it has to be there."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI must have one")
        pytest.skip("there is no Chromium on this machine to open the page with")
    return path


@pytest.fixture
def make_certificate(tmp_path: Path) -> MakeCertificate:
    """Writes <name>.pem and <name>.key to tmp_path: self-signed, for <name>, localhost and the loopback addresses."""
    return partial(certificates.make_certificate, tmp_path)
