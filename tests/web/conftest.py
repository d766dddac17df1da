"""Provides Chromium and certificates to the tests of the web pages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

MakeCertificate = Callable[[str], None]


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

    def make(name: str) -> None:
        names = f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1,IP:::1"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", f"{tmp_path}/{name}.key", "-out", f"{tmp_path}/{name}.pem"]
        subprocess.run(
            ["openssl", "req", "-x509", "-days", "2", *key, *files, "-subj", f"/CN={name}", "-addext", names],
            check=True,
            capture_output=True,
        )

    return make
