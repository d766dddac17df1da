"""Makes self-signed certificates, with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path, name: str) -> Path:
    """Write <name>.pem and <name>.key, for <name>, localhost and the loopback addresses; returns the certificate."""
    names = f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1,IP:::1"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *key, *files, "-subj", f"/CN={name}", "-addext", names],
        check=True,
        capture_output=True,
    )
    return folder / f"{name}.pem"
