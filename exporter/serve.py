"""Serves the exporter: listens, handles signals, reloads settings."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from exporter import __version__, logs, process
from exporter.assembly import Exporter, keeping_state, open_exporter
from exporter.clock import Clock
from exporter.logs import internal_error
from exporter.settings import Settings, SettingsError
from exporter.tasks import unending
from exporter.threads import in_daemon_thread, within
from exporter.web import (
    AccessError,
    AccessRules,
    ActivationError,
    RunningServer,
    Verifier,
    create_app,
    load_access_rules,
    sockets_passed,
    start,
    watch_files,
)

log = structlog.get_logger("exporter.serve")

# Certificates are read by OpenSSL, which has no limit of its own.
_RULES_SECONDS = 20.0
# Reading the settings, their secrets, and these rules.
_RELOAD_SECONDS = 60.0
# A tenants file can have a problem in each of its entries.
_PROBLEMS_LOGGED = 10

Load = Callable[[], Settings]
Announce = Callable[[list[str]], None]
Opened = Callable[[Exporter], None]


class UnusableError(Exception):
    """Something that was set can't be used; one line for each problem."""


def begin_log(settings: Settings) -> None:
    """Log as the settings say, beginning with their warnings."""
    logs.configure(settings.log.level, settings.log.format)
    for warning in settings.warnings:
        log.warning(warning)


def log_addresses(telemetry_path: str, addresses: list[str]) -> None:
    """Log where the pages are."""
    for address in addresses:
        log.info("listening", version=__version__, metrics=f"{address}{telemetry_path}")


async def serve(
    settings: Settings,
    load_again: Load,
    announce: Announce | None = None,
    *,
    opened: Opened = lambda _: None,
    stop_at: Sequence[signal.Signals] = process.STOP_SIGNALS,
) -> None:
    """Serve until one of the signals `stop_at`. At SIGHUP, `load_again` reads settings and secrets, in a thread.

    `load_again` is not called if SIGHUP is a signal to stop.

    `announce` gets the addresses; without it, they are logged. `opened` gets the exporter before it begins to poll.

    Raises `UnusableError` if the access rules or the listen address can't be used, `SettingsError` if the state file
    can't be used.
    """
    stop = signalled(*stop_at)
    hangup = asyncio.Event() if signal.SIGHUP in stop_at else signalled(signal.SIGHUP)
    process.stop_in_time(stop_at)
    if process.hangup_came():
        hangup.set()
    try:
        log_them = partial(log_addresses, settings.web.telemetry_path)
        await _serve(settings, load_again, stop, hangup, announce=announce or log_them, opened=opened)
    finally:
        process.hold_signals()


async def _serve(
    settings: Settings,
    load_again: Load,
    stop: asyncio.Event,
    hangup: asyncio.Event,
    *,
    announce: Announce,
    opened: Opened,
) -> None:
    verifier = Verifier()
    reading = asyncio.create_task(in_daemon_thread(access_rules, settings, verifier))
    if not await ended_before(stop, reading):
        return  # a disk may hang, here and below
    rules = reading.result()
    async with open_exporter(settings, Clock()) as exporter, AsyncExitStack() as stack:
        restoring = asyncio.create_task(stack.enter_async_context(keeping_state(exporter, settings.state.file)))
        if not await ended_before(stop, restoring):
            return
        saver = restoring.result()
        opened(exporter)
        server = _Server(exporter, settings, rules, verifier)
        running = await server.start()
        announce(running.addresses)
        try:
            # None of these ends by itself. If one fails, the process ends: better to be restarted than to be stale.
            async with asyncio.TaskGroup() as group:
                working = [
                    group.create_task(unending(exporter.poller.run)),
                    group.create_task(unending(exporter.telemetry.watch_loop, exporter.clock)),
                    group.create_task(unending(server.reload_at_each, hangup, load_again)),
                    group.create_task(unending(server.watch_files)),
                    *([group.create_task(unending(saver.run))] if saver else []),
                ]
                await stop.wait()
                for task in working:
                    task.cancel()
            log.info("stopped")
        finally:
            verifier.close()
            await running.stop()


async def ended_before(event: asyncio.Event, task: asyncio.Task[Any]) -> bool:
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
        web = self._settings.web
        app = create_app(self._exporter, lambda: self._rules, web.telemetry_path)
        try:
            passed = sockets_passed(os.environ, os.getpid()) if web.systemd_socket else None
            self._running = await start(app, *web.listen(), _tls(self._rules), passed)
        except ActivationError as error:
            raise UnusableError(f"web.systemd_socket: {error}") from None
        except OSError as error:
            raise UnusableError(
                f"web.listen_address: can't listen on {web.listen_address}: {cause(error)}; "
                "set --web.listen-address or KIMONO_WEB_LISTEN_ADDRESS to a free one, such as :10130"
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
            async with asyncio.timeout(_RELOAD_SECONDS):
                settings, rules = await in_daemon_thread(_read_again, load, self._verifier)
        except TimeoutError:
            _log_unusable(f"reading them takes more than {_RELOAD_SECONDS:g} s")
        except (SettingsError, UnusableError, OSError) as error:
            _log_unusable(*str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - whatever is in the files, polling goes on
            _log_unusable(internal_error(error))
        else:
            self._apply(settings, rules)

    def _apply(self, settings: Settings, rules: AccessRules | None) -> None:
        begin_log(settings)
        for name in ("listen_address", "telemetry_path", "systemd_socket"):
            still = getattr(self._settings.web, name)
            if getattr(settings.web, name) != still:
                late = f"web.{name} takes effect at the next start"
                log.warning(late, still=str(still))
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


def _read_again(load: Load, verifier: Verifier) -> tuple[Settings, AccessRules | None]:
    settings = load()
    return settings, access_rules(settings, verifier)


def _log_unusable(*problems: str) -> None:
    for problem in problems[:_PROBLEMS_LOGGED]:
        log.error("new settings can't be used, the old ones stay", problem=problem)
    if len(problems) > _PROBLEMS_LOGGED:
        log.error("new settings can't be used, the old ones stay", more_problems=len(problems) - _PROBLEMS_LOGGED)


def access_rules(settings: Settings, verifier: Verifier | None = None) -> AccessRules | None:
    """The rules of `web.config_file`, None if it is not set; raises `UnusableError`. Blocks for up to 20 s."""
    path = settings.web.config_file
    return None if path is None else _read_rules(path, verifier)


def _read_rules(path: Path, verifier: Verifier | None) -> AccessRules:
    fix = "; fix the file, or name another with --web.config.file or KIMONO_WEB_CONFIG_FILE"
    try:
        return within(_RULES_SECONDS, load_access_rules, path, verifier)
    except AccessError as error:
        # An error about reading a file names it already, unless its path may be a secret.
        named = (
            each if str(path) in each or each.startswith("can't ") else f"{path}: {each}" for each in error.problems
        )
        raise UnusableError("\n".join(f"web.config_file: {each}{fix}" for each in named)) from None
    except TimeoutError:
        late = f"it, or a file that it names, did not respond within {_RULES_SECONDS:g} s"
        raise UnusableError(f"web.config_file: can't read {str(path)!r}: {late}{fix}") from None


def _tls(rules: AccessRules | None) -> ssl.SSLContext | None:
    return rules.ssl_context if rules else None


def cause(error: OSError) -> str:
    """What the system says; asyncio adds words of its own."""
    known = isinstance(error.errno, int) and error.errno > 0
    return os.strerror(error.errno) if known else str(error.strerror or error)  # type: ignore[arg-type]  # known says so
