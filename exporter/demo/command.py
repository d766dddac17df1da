"""Serves the exporter and the simulated API that it polls, in one process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from pydantic import SecretStr

from exporter import logs, output
from exporter.api.egress import Egress
from exporter.clock import Clock
from exporter.demo import chain
from exporter.demo.chain import Wishes
from exporter.demo.drilled import INTERVALS, Drilled, StoppedError, stories, watched
from exporter.demo.ports import HOST, choose
from exporter.demo.programs import PROMETHEUS, found, missing
from exporter.drills import CalmFleet, quick_rules
from exporter.process import stop_signals_of_terminal
from exporter.serve import UnusableError, serve
from exporter.settings import CREDENTIALS, Settings, given_flags, load
from exporter.simulator import Fault, Simulator, how_to_change
from exporter.simulator import serve as serve_simulator

# The demo's API is simulated: it can be polled often, and a person is watching.
_DEFAULTS = {
    "api.rate_limit": "200",
    "collectors.state.interval": "15s",
    "collectors.ingestions.interval": "15s",
    "log.level": "error",
}
_PORT = 10120
_REAL = ("KIMONO_API_", "KIMONO_CONFIG", "KIMONO_STATE_FILE")
_END_AFTER = 10.0
_DRILLS_PORT = 10126
_FEWEST_TENANTS = 10  # drills that run at the same time share none


def demo(arguments: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Run the demo until it is stopped. Raises `SettingsError` and `UnusableError`."""
    # Settings for the real API stay out of the demo.
    environ = {name: value for name, value in environ.items() if not name.startswith(_REAL)}
    begun = None if arguments.story is None else stories(arguments.story)
    if begun is not None and arguments.tenants < _FEWEST_TENANTS:
        raise UnusableError(f"--tenants: drills need at least {_FEWEST_TENANTS} tenants")
    defaults = _DEFAULTS if begun is None else {**_DEFAULTS, **INTERVALS}
    settings = load({**defaults, **given_flags(arguments)}, environ, needs_credentials=False)
    logs.configure(settings.log.level, settings.log.format)
    with contextlib.suppress(StoppedError):
        asyncio.run(_demo(arguments, _on_free_port(settings), begun))


async def _demo(arguments: argparse.Namespace, settings: Settings, begun: Sequence[str] | None) -> None:
    if begun is None:
        simulator = Simulator(tenants=arguments.tenants, seed=arguments.seed)
        _enliven(simulator)
        await _serve(settings, simulator, alone=arguments.exporter_only)
        return
    drilled = Drilled(CalmFleet(arguments.tenants, arguments.seed, Clock()), begun)
    async with drilled.serving(choose("the page of drills", arguments.drills_port)) as address:
        output.write(_about_drills(address, arguments.drills_port))
        await _serve(settings, drilled.fleet.simulator, alone=arguments.exporter_only, drilled=drilled)


def _about_drills(address: str, wanted_port: int) -> str:
    own = "" if wanted_port == _DRILLS_PORT and address.endswith(f":{wanted_port}") else " --address "
    option = f"{own}{urlsplit(address).netloc}" if own else ""
    return (
        "Nothing is wrong in this fleet until a drill begins. Thresholds and waits of alerts are shorter.\n"
        f"Drills: {address}/   or: kimono-exporter drill NAME{option}   (kimono-exporter drill --list)\n"
    )


def _on_free_port(settings: Settings) -> Settings:
    """The settings with the demo's own address, or another port if that is in use. An address that was set stays."""
    if "listen_address" in settings.web.model_fields_set:
        return settings
    address = f"{HOST}:{choose('the exporter', _PORT)}"
    return settings.model_copy(update={"web": settings.web.model_copy(update={"listen_address": address})})


async def _serve(settings: Settings, simulator: Simulator, *, alone: bool, drilled: Drilled | None = None) -> None:
    async with serve_simulator(simulator) as base_url, AsyncExitStack() as stack:
        settings = _polling(settings, simulator, base_url)
        if drilled:
            settings = await stack.enter_async_context(watched(drilled.fleet, settings))

        def announce(addresses: list[str]) -> None:
            home = addresses[0].replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1")  # noqa: S104 - only shown
            output.write(
                f"Serving metrics of a simulated API with {len(simulator.tenants())} tenants. No request leaves this "
                "machine.\n"
                f"Status page: {home}/   Metrics: {home}{settings.web.telemetry_path}\n"
                f"{how_to_change(simulator, base_url)}Stop it with Ctrl-C.\n"
            )
            if drilled:
                drilled.places.exporter = home
            if not alone:
                _begin_chain(
                    stack,
                    home + settings.web.telemetry_path,
                    settings,
                    Wishes(quick_rules, drilled.started) if drilled else Wishes(),
                )

        await serve(
            settings,
            lambda: settings,
            announce,
            opened=drilled.opened if drilled else lambda _: None,
            stop_at=stop_signals_of_terminal(),
        )


def _begin_chain(stack: AsyncExitStack, metrics: str, settings: Settings, wishes: Wishes) -> None:
    """Run the programs that are installed beside the exporter, until the stack ends. `metrics` is the page's URL."""
    if settings.web.config_file is not None:
        output.write("With web.config_file, the demo shows the exporter alone.\n")
        return
    programs = found()
    output.write(missing(programs))
    if PROMETHEUS in programs:
        output.write(f"Starting {' and '.join(programs)}\n")
        task = asyncio.create_task(_chain(metrics.partition("://")[2], programs, wishes))
        stack.push_async_callback(_end, task)


async def _chain(exporter: str, programs: Mapping[str, tuple[str, ...]], wishes: Wishes) -> None:
    try:
        await chain.run(exporter, programs, Clock(), wishes)
    except OSError as error:
        output.complain(f"can't start the other programs: {error.strerror or error}; the exporter goes on")


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _polling(settings: Settings, simulator: Simulator, base_url: str) -> Settings:
    """The settings, with the simulator instead of the API."""
    credentials = {**dict.fromkeys(CREDENTIALS), "key": SecretStr(simulator.api_key)}
    api = settings.api.model_copy(update={**credentials, "url": base_url})
    # No proxy: the simulator is on this machine. No state file either, which may be that of a real exporter.
    state = settings.state.model_copy(update={"file": None})
    return settings.model_copy(update={"api": api, "egress": Egress(), "state": state})


def _enliven(simulator: Simulator) -> None:
    """Let the first minute show what happens now and then: an ingestion ends, and a tenant denies access."""
    *others, last = simulator.tenants()
    ingestion = simulator.start_ingestion(last.id, started_at=simulator.now() - 1200)
    asyncio.get_running_loop().call_later(_END_AFTER, simulator.finish_ingestion, last.id, ingestion)
    if others:
        simulator.faults.add(Fault("forbidden", tenant_id=others[-1].id))
