"""Serves the exporter: listens, handles signals, reloads settings."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import structlog

from exporter import __version__, logs
from exporter.assembly import Exporter, keeping_state, open_exporter
from exporter.clock import Clock
from exporter.settings import Settings, SettingsError
from exporter.web import (
    AccessError,
    AccessRules,
    RunningServer,
    Verifier,
    create_app,
    load_access_rules,
    start,
    watch_files,
)

log = structlog.get_logger("exporter.serve")

Load = Callable[[], Settings]
Announce = Callable[[list[str]], None]


class UnusableError(Exception):
    """Something that was set can't be used; one line for each problem."""


def begin_log(settings: Settings) -> None:
    """Log as the settings say, beginning with their warnings."""
    logs.configure(settings.log.level, settings.log.format)
    for warning in settings.warnings:
        log.warning(warning)


def log_addresses(addresses: list[str]) -> None:
    """Log where the pages are."""
    for address in addresses:
        log.info("listening", version=__version__, metrics=f"{address}/metrics")


async def serve(settings: Settings, load_again: Load, announce: Announce = log_addresses) -> None:
    """Serve until SIGTERM or SIGINT. At SIGHUP, `load_again` reads settings and secrets.

    Raises `UnusableError` if the access rules or the listen address can't be used, `SettingsError` if the state file
    can't be used.
    """
    stop, hangup = signalled(signal.SIGTERM, signal.SIGINT), signalled(signal.SIGHUP)
    verifier = Verifier()
    rules = access_rules(settings, verifier)
    async with open_exporter(settings, Clock()) as exporter, AsyncExitStack() as stack:
        restoring = asyncio.create_task(stack.enter_async_context(keeping_state(exporter, settings.state.file)))
        if not await _ended_before(stop, restoring):
            return  # the disk may hang
        saver = restoring.result()
        server = _Server(exporter, settings, rules, verifier)
        running = await server.start()
        announce(running.addresses)
        try:
            # None of these ends by itself. If one fails, the process ends: better to be restarted than to be stale.
            async with asyncio.TaskGroup() as group:
                working = [
                    group.create_task(exporter.poller.run()),
                    group.create_task(exporter.telemetry.watch_loop(exporter.clock)),
                    group.create_task(server.reload_at_each(hangup, load_again)),
                    group.create_task(server.watch_files()),
                    *([group.create_task(saver.run())] if saver else []),
                ]
                await stop.wait()
                for task in working:
                    task.cancel()
            log.info("stopped")
        finally:
            verifier.close()
            await running.stop()


async def _ended_before(event: asyncio.Event, task: asyncio.Task[Any]) -> bool:
    """Whether the task ended before the event was set; otherwise it is cancelled."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return True
    task.cancel()
    await asyncio.wait({task})
    return False


def signalled(*numbers: signal.Signals) -> asyncio.Event:
    """An event that these signals set, instead of what they do by default."""
    event = asyncio.Event()
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


class _Server:
    """The pages of an exporter, and the settings that they are served with."""

    def __init__(self, exporter: Exporter, settings: Settings, rules: AccessRules | None, verifier: Verifier) -> None:
        self._exporter = exporter
        self._settings = settings
        self._rules = rules
        self._verifier = verifier
        self._running: RunningServer

    async def start(self) -> RunningServer:
        """Listen."""
        host, port = self._settings.web.listen()
        try:
            self._running = await start(create_app(self._exporter, lambda: self._rules), host, port, _tls(self._rules))
        except OSError as error:
            raise UnusableError(
                f"web.listen_address: can't listen on {self._settings.web.listen_address}: {cause(error)}; "
                "set --web.listen_address or KIMONO_WEB_LISTEN_ADDRESS to a free one, such as :10130"
            ) from None
        return self._running

    async def reload_at_each(self, hangup: asyncio.Event, load: Load) -> None:
        """Reload the settings whenever the event is set, until cancelled."""
        while True:
            await hangup.wait()
            hangup.clear()
            await self._reload(load)

    async def _reload(self, load: Load) -> None:
        """Apply new settings. If they can't be used, everything stays as it was."""
        try:
            settings = load()
            rules = access_rules(settings, self._verifier)
        except (SettingsError, UnusableError, OSError) as error:
            for line in str(error).splitlines():
                log.error("new settings can't be used, the old ones stay", problem=line)  # noqa: TRY400 - the line has it all
            return
        begin_log(settings)
        if settings.web.listen_address != self._settings.web.listen_address:
            log.warning("web.listen_address takes effect at the next start", still=self._settings.web.listen_address)
        if settings.state.file != self._settings.state.file:
            log.warning("state.file takes effect at the next start", still=str(self._settings.state.file or "none"))
        self._exporter.apply(settings)
        self._use(rules)
        log.info("settings reloaded")

    async def watch_files(self) -> None:
        """Apply new access rules whenever their files have changed, until cancelled."""
        await watch_files(lambda: self._rules, self._use, self._verifier, self._exporter.clock)

    def _use(self, rules: AccessRules | None) -> None:
        self._rules = rules
        self._running.set_tls(_tls(rules))


def access_rules(settings: Settings, verifier: Verifier | None = None) -> AccessRules | None:
    """The rules of `web.config_file`, None if it is not set; raises `UnusableError`."""
    path = settings.web.config_file
    try:
        return None if path is None else load_access_rules(path, verifier)
    except AccessError as error:
        fix = "; fix the file, or name another with --web.config_file or KIMONO_WEB_CONFIG_FILE"
        named = (each if str(path) in each else f"{path}: {each}" for each in error.problems)
        raise UnusableError("\n".join(f"web.config_file: {each}{fix}" for each in named)) from None


def _tls(rules: AccessRules | None) -> ssl.SSLContext | None:
    return rules.ssl_context if rules else None


def cause(error: OSError) -> str:
    """What the system says; asyncio adds words of its own."""
    known = isinstance(error.errno, int) and error.errno > 0
    return os.strerror(error.errno) if known else str(error.strerror or error)  # type: ignore[arg-type]  # known says so
