"""Reads `web.config_file` again when it has changed, or a certificate or key that it names.

The toolkit reads the file on each request and the certificates at each handshake. So renewed certificates are used
without a signal, as tools that renew them expect.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.threads import in_daemon_thread, start_in_daemon_thread
from exporter.web.access import AccessError, AccessRules, load_access_rules
from exporter.web.limits import RULES_SECONDS, STAMP_SECONDS, WATCH_SECONDS
from exporter.web.stamps import Stamp, stamp_of
from exporter.web.verifier import Verifier

log = structlog.get_logger(__name__)


async def watch_files(
    current: Callable[[], AccessRules | None], use: Callable[[AccessRules], None], verifier: Verifier, clock: Clock
) -> None:
    """Call `use` with new rules whenever the files of the current ones have changed, until cancelled.

    Invalid files are reported once, and the old rules stay; so are files that do not respond. Files that are still
    changing are left for later: a certificate and its key are replaced one after the other.
    """
    stamps, load = _Call(_stamps, STAMP_SECONDS), _Call(load_access_rules, RULES_SECONDS)
    last: dict[Path, Stamp] = {}
    reported: tuple[str, ...] = ()
    while True:
        await clock.sleep(WATCH_SECONDS)
        rules = current()
        if rules is None or rules.path is None:
            continue
        try:
            before, last = last, await stamps.result(*rules.files)
            if last == rules.files:
                reported = ()
            if last == rules.files or last != before or current() is not rules:
                continue
            new = await load.result(rules.path, verifier)
            settled = await stamps.result(*new.files) == new.files
        except (AccessError, TimeoutError) as error:
            # What is wrong may pass without a change of the files, so they are read again, and reported if it changes.
            problems = error.problems if isinstance(error, AccessError) else (_HANGS,)
            for problem in problems if problems != reported else ():
                log.error("new web configuration can't be used, the old one stays", problem=problem)  # noqa: TRY400
            reported = problems
            continue
        if settled and current() is rules:  # neither written to nor replaced at a signal meanwhile
            use(new)
            log.info("web configuration reloaded", file=str(rules.path))


_HANGS = "web.config_file, or a file that it names, does not respond"


class _Call:
    """A call that uses the disk, and is given up after some seconds.

    A call with the same arguments as one that still hangs waits for that one: a disk that hangs costs one thread.
    """

    def __init__(self, function: Callable[..., Any], seconds: float) -> None:
        self._function = function
        self._seconds = seconds
        self._arguments: tuple[object, ...] = ()
        self._future: Future[Any] | None = None

    async def result(self, *arguments: object) -> Any:  # noqa: ANN401 - what the function returns
        """Return what the call returns, or raise what it raises; TimeoutError if it takes longer."""
        if self._future is None or self._future.done() or arguments != self._arguments:
            self._arguments = arguments
            self._future = start_in_daemon_thread(self._function, *arguments)
        return await in_daemon_thread(self._future.result, self._seconds)


def _stamps(*paths: Path) -> dict[Path, Stamp]:
    return {path: stamp_of(path) for path in paths}
