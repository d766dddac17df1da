"""Reads `web.config_file` again when it has changed, or a certificate or key that it names.

The toolkit reads the file on each request and the certificates at each handshake. So renewed certificates are used
without a signal, as tools that renew them expect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog

from exporter.clock import Clock
from exporter.threads import in_daemon_thread
from exporter.web.access import AccessError, AccessRules, load_access_rules
from exporter.web.limits import WATCH_SECONDS
from exporter.web.stamps import Stamp, stamp_of
from exporter.web.verifier import Verifier

log = structlog.get_logger(__name__)


async def watch_files(
    current: Callable[[], AccessRules | None], use: Callable[[AccessRules], None], verifier: Verifier, clock: Clock
) -> None:
    """Call `use` with new rules whenever the files of the current ones have changed, until cancelled.

    Invalid files are reported once, and the old rules stay. Files that are still changing are left for later: a
    certificate and its key are replaced one after the other.
    """
    last: Mapping[Path, Stamp] = {}
    refused: Mapping[Path, Stamp] = {}
    while True:
        await clock.sleep(WATCH_SECONDS)
        rules = current()
        if rules is None or rules.path is None:
            continue
        before, last = last, await in_daemon_thread(_stamps, tuple(rules.files))
        if last in (rules.files, refused) or last != before or current() is not rules:
            continue
        try:
            new = await in_daemon_thread(load_access_rules, rules.path, verifier)
        except AccessError as error:
            refused = last
            for problem in error.problems:
                log.error("new web configuration can't be used, the old one stays", problem=problem)  # noqa: TRY400
            continue
        if current() is rules:  # and not replaced at a signal meanwhile
            use(new)
            log.info("web configuration reloaded", file=str(rules.path))


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    return {path: stamp_of(path) for path in paths}
