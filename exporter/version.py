"""Says which version this is, and from what it was built, as Prometheus and its exporters do.

`setup.py` writes `exporter/_build.py` into the package when it is built. A checkout has none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module

from exporter import __version__


def build() -> Mapping[str, str]:
    """`branch`, `revision` and `date` of the build, as far as they are known."""
    try:
        facts: Mapping[str, str] = import_module("exporter._build").BUILD
    except ImportError:
        return {}
    return {name: value for name, value in facts.items() if value}


def version_text(facts: Mapping[str, str]) -> str:
    """What `--version` prints. What is unknown is not shown."""
    source = ", ".join(f"{name}: {facts[name]}" for name in ("branch", "revision") if name in facts)
    system = os.uname()
    lines = {
        "build date": facts.get("date", ""),
        "python version": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{system.sysname.lower()}/{system.machine}",
    }
    details = "".join(f"  {f'{name}:':<17}{value}\n" for name, value in lines.items() if value)
    return f"kimono-exporter, version {__version__}{f' ({source})' if source else ''}\n{details}"
