"""Which commands are there, and what do they do with the settings?

The only reader of settings. Exit codes: 0 fine, 1 what was asked for failed, 2 unusable settings. Whatever
is wrong is a line that says how to mend it, never a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches

import structlog
from pydantic import SecretStr

from exporter import __version__, logs
from exporter.assembly import Exporter, open_exporter
from exporter.check import check
from exporter.clock import Clock
from exporter.logs import where
from exporter.reference import metrics_markdown
from exporter.settings import (
    CREDENTIALS,
    Settings,
    SettingsError,
    add_flags,
    given_flags,
    leaves,
    load,
    split_address,
)
from exporter.simulator import Fault, Simulator, serve, serve_forever
from exporter.web import Access, AccessError, Running, create_app, load_access, start

log = structlog.get_logger("exporter")

OK, FAILED, UNUSABLE = 0, 1, 2
_INTERRUPTED = 130  # as shells count an end by SIGINT

# The demo's API is our own: it can be asked often, and somebody is watching.
_DEMO_DEFAULTS = {
    "api.rate_limit": "200",
    "collectors.state.interval": "15s",
    "collectors.ingestions.interval": "15s",
    "log.level": "error",
    "web.listen_address": "127.0.0.1:10120",
}
# What the demo decides by itself.
_NOT_IN_DEMO = ("api.url", "api.allow_insecure", *(f"api.{name}" for name in CREDENTIALS))
_DEMO_END_AFTER = 10.0

Load = Callable[[], Settings]


class UnusableError(Exception):
    """Something that was set can't be used; one line for each problem."""


def run_command(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the command line asks for, and give the exit code."""
    arguments = _arguments(_with_command(argv))
    try:
        code: int = arguments.command(arguments, environ)
    except (SettingsError, UnusableError) as error:
        sys.stderr.writelines(f"kimono-exporter: {line}\n" for line in str(error).splitlines())
        return UNUSABLE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except Exception as error:  # noqa: BLE001 - a mistake of ours: never a traceback, which may quote a secret
        sys.stderr.write(f"kimono-exporter: a mistake in the exporter itself: {where(error)}\n")
        return FAILED
    return code


def _with_command(argv: Sequence[str]) -> list[str]:
    """`run` is the command where none is named."""
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        return ["run", *argv]
    return list(argv)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line. What is not known is told without its value, which may be a secret."""
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        names = [each.partition("=")[0] for each in unknown if each.startswith("-")]
        known_flags = [leaf.flag for leaf in leaves() if leaf.flag]
        near = get_close_matches(names[0], known_flags, n=1) if names else []
        hint = f"; did you mean {near[0]}?" if near and near[0] != names[0] else ""
        what = f"no such flag: {' '.join(names)}" if names else "too many words"
        parser.error(f"{what}{hint} ('kimono-exporter {argv[0]} --help' lists all)")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kimono-exporter",
        description="Prometheus exporter for the Interop API of Elevate Data Sync (formerly Kimono Cloud).",
        epilog="Without a command it runs. 'kimono-exporter COMMAND --help' tells the flags of a command; every "
        "setting can be a flag, a KIMONO_… variable or a line of a YAML file.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kimono-exporter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, command: Command, text: str, *, settings: bool = True, without: Sequence[str] = ()
    ) -> argparse.ArgumentParser:
        usage = f"kimono-exporter {name} [FLAG VALUE ...]" if settings else None
        added = commands.add_parser(name, help=text, description=text, usage=usage, allow_abbrev=False)
        added.set_defaults(command=command)
        if settings:
            add_flags(added, without)
        return added

    add("run", _run, "Serve metrics (the default).")
    demo = add(
        "demo", _demo, "Show it on a simulated API: nothing to configure, nothing sent anywhere.", without=_NOT_IN_DEMO
    )
    text = "Serve the simulated API alone, for an exporter or another client."
    simulate = add("simulate", _simulate, text, settings=False)
    add("check", _check, "Visit every tenant once, and print what works, what fails, and how to mend it.")
    add("once", _once, "Collect once and print the page, for node_exporter's textfile collector.")
    add("metrics", _metrics, "Print the metric reference as Markdown.", settings=False)
    for each in (demo, simulate):
        each.add_argument("--tenants", type=_positive, default=30, metavar="N", help="tenants to simulate (default 30)")
        each.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, another fleet (default 1)")
    simulate.add_argument(
        "--listen", default="127.0.0.1:10121", metavar="HOST:PORT", help="where (default 127.0.0.1:10121)"
    )
    return parser


Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    def load_again() -> Settings:
        return _loaded(arguments, environ)

    settings = load_again()
    _begin_log(settings)
    return asyncio.run(_serve(settings, load_again))


def _loaded(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    return load(given_flags(arguments), environ)


def _begin_log(settings: Settings) -> None:
    logs.configure(settings.log.level, settings.log.format)
    for warning in settings.warnings:
        log.warning(warning)


def _metrics(_arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    sys.stdout.write(metrics_markdown())
    return OK


# run


async def _serve(settings: Settings, load_again: Load, announce: Callable[[list[str]], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP reads settings and secrets again."""
    clock = Clock()
    guard = _Guard(settings)
    signals = _Signals()
    async with open_exporter(settings, clock) as exporter:
        running = await _listen(exporter, guard, settings)
        (announce or _log_addresses)(running.addresses)
        try:
            await _until_stopped(exporter, signals, _Reload(exporter, guard, running, settings, load_again))
        finally:
            await running.stop()
    return OK


class _Signals:
    """What the process is told to do, from the moment that this is made."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.stop, self.reload = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)


class _Guard:
    """Who may see the pages, by the newest reading of `web.config_file` that was any good."""

    def __init__(self, settings: Settings) -> None:
        self.access = _access(settings)


def _access(settings: Settings) -> Access | None:
    path = settings.web.config_file
    try:
        return None if path is None else load_access(path)
    except AccessError as error:
        way = "; mend the file, or name another with --web.config_file or KIMONO_WEB_CONFIG_FILE"
        named = (each if str(path) in each else f"{path}: {each}" for each in error.problems)
        problems = (f"web.config_file: {each}{way}" for each in named)
        raise UnusableError("\n".join(problems)) from None


async def _listen(exporter: Exporter, guard: _Guard, settings: Settings) -> Running:
    host, port = settings.web.listen()
    context = guard.access.ssl_context if guard.access else None
    try:
        return await start(create_app(exporter, lambda: guard.access), host, port, context)
    except OSError as error:
        raise UnusableError(
            f"web.listen_address: can't listen on {settings.web.listen_address}: {_cause(error)}; "
            "set --web.listen_address or KIMONO_WEB_LISTEN_ADDRESS to a free one, such as :10130"
        ) from None


def _cause(error: OSError) -> str:
    """What the system says; asyncio puts words of its own around it."""
    known = isinstance(error.errno, int) and error.errno > 0
    return os.strerror(error.errno) if known else str(error.strerror or error)  # type: ignore[arg-type]  # known says so


def _log_addresses(addresses: list[str]) -> None:
    for address in addresses:
        log.info("listening", version=__version__, metrics=f"{address}/metrics")


async def _until_stopped(exporter: Exporter, signals: _Signals, reload: Callable[[], Awaitable[None]]) -> None:
    working = [
        asyncio.create_task(exporter.poller.run()),
        asyncio.create_task(exporter.telemetry.watch_loop(exporter.clock)),
        asyncio.create_task(_whenever(signals.reload, reload)),
    ]
    stopping = asyncio.create_task(signals.stop.wait())
    await asyncio.wait([*working, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (*working, stopping):
        task.cancel()
    results = await asyncio.gather(*working, return_exceptions=True)
    _raise_first(results)
    log.info("stopped")


def _raise_first(results: Sequence[BaseException | None]) -> None:
    """None of them ends by itself: better to end the process, and be started again, than to serve an old page."""
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _whenever(event: asyncio.Event, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await event.wait()
        event.clear()
        await act()


class _Reload:
    """What SIGHUP does. Settings that can't be used leave everything as it was."""

    def __init__(self, exporter: Exporter, guard: _Guard, running: Running, settings: Settings, load: Load) -> None:
        self._exporter = exporter
        self._guard = guard
        self._running = running
        self._settings = settings
        self._load = load

    async def __call__(self) -> None:
        try:
            settings = self._load()
            access = _access(settings)
            await self._running.renew(access.ssl_context if access else None)
        except (SettingsError, UnusableError, OSError) as error:
            for line in str(error).splitlines():
                log.error("settings can't be used, the old ones stay", problem=line)  # noqa: TRY400 - the line says it all
            return
        _begin_log(settings)
        if settings.web.listen_address != self._settings.web.listen_address:
            log.warning("web.listen_address takes effect at the next start", still=self._settings.web.listen_address)
        self._exporter.apply(settings)
        self._guard.access = access
        log.info("settings read again")


# demo and simulate


def _demo(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Whatever is set for the real API stays out of the demo.
    environ = {name: value for name, value in environ.items() if not name.startswith(("KIMONO_API_", "KIMONO_CONFIG"))}
    settings = load({**_DEMO_DEFAULTS, **given_flags(arguments)}, environ, needs_credentials=False)
    logs.configure(settings.log.level, settings.log.format)
    return asyncio.run(_serve_demo(settings, Simulator(tenants=arguments.tenants, seed=arguments.seed)))


async def _serve_demo(settings: Settings, simulator: Simulator) -> int:
    _enliven(simulator)
    async with serve(simulator) as base_url:
        settings = _pointed_at(settings, base_url, simulator.api_key)

        def announce(addresses: list[str]) -> None:
            home = addresses[0].replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1")  # noqa: S104 - only shown
            count = len(simulator.tenants())
            sys.stdout.write(
                f"A simulated API with {count} tenants; nothing to configure, and nothing is sent anywhere.\n"
                f"Look at {home}/ for people, and at {home}/metrics for Prometheus.\n"
                "Stop it with Ctrl-C.\n"
            )
            sys.stdout.flush()

        return await _serve(settings, lambda: settings, announce)


def _enliven(simulator: Simulator) -> None:
    """Let the first minute show what a fleet shows now and then: an ingestion that ends, a tenant that refuses us."""
    *others, last = simulator.tenants()
    ingestion = simulator.start_ingestion(last.id, started_at=simulator.now() - 1200)
    asyncio.get_running_loop().call_later(_DEMO_END_AFTER, simulator.finish_ingestion, last.id, ingestion)
    if others:
        simulator.faults.add(Fault("forbidden", tenant_id=others[-1].id))


def _pointed_at(settings: Settings, base_url: str, api_key: str) -> Settings:
    credentials = {"key": SecretStr(api_key), "url": base_url}
    return settings.model_copy(
        update={"api": settings.api.model_copy(update={**dict.fromkeys(CREDENTIALS), **credentials})}
    )


def _simulate(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    try:
        host, port = split_address(arguments.listen)
    except ValueError as error:
        raise UnusableError(f"--listen: {error}") from None
    simulator = Simulator(tenants=arguments.tenants, seed=arguments.seed)

    def announce(base_url: str) -> None:
        sys.stdout.write(
            f"A simulated API with {arguments.tenants} tenants at {base_url}; its credentials are made up.\n"
            f"Try: KIMONO_API_URL={base_url} KIMONO_API_KEY={simulator.api_key} kimono-exporter check\n"
            "Stop it with Ctrl-C.\n"
        )
        sys.stdout.flush()

    try:
        asyncio.run(_until_signal(serve_forever(simulator, announce, host or "0.0.0.0", port)))  # noqa: S104 - as asked for
    except OSError as error:
        raise UnusableError(
            f"--listen: can't listen on {arguments.listen}: {_cause(error)}; set a free one, such as 127.0.0.1:10131"
        ) from None
    return OK


async def _until_signal(serving: Awaitable[None]) -> None:
    task = asyncio.ensure_future(serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


# check and once


def _check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _loaded_quietly(arguments, environ)
    _access(settings)
    return asyncio.run(_with_exporter(settings, check))


def _once(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    return asyncio.run(_with_exporter(_loaded_quietly(arguments, environ), _print_page))


def _loaded_quietly(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """What these commands find they print; lines of the log beside it would say it twice."""
    settings = _loaded(arguments, environ)
    _begin_log(settings)
    if "log.level" not in given_flags(arguments):
        logs.configure("critical", settings.log.format)
    return settings


async def _with_exporter(settings: Settings, act: Callable[[Exporter], Awaitable[int]]) -> int:
    async with open_exporter(settings, Clock()) as exporter:
        return await act(exporter)


async def _print_page(exporter: Exporter) -> int:
    """Without `process_*` and `python_*`: node_exporter, which reads the file, has its own."""
    await exporter.poller.once()
    sys.stdout.buffer.writelines(exporter.page(openmetrics=False, process=False))
    sys.stdout.buffer.flush()
    if not exporter.poller.discovery_ok:
        sys.stderr.write(f"kimono-exporter: the tenants can't be listed: {exporter.poller.discovery_detail}\n")
        return FAILED
    failing = sum(bool(watch.failures) for watch in exporter.poller.watches.values())
    if failing:
        total = len(exporter.poller.watches)
        sys.stderr.write(f"kimono-exporter: {failing} of {total} tenants can't be read; the page says why\n")
    return OK
