"""Gives the exporter a bad reply of the API, and checks that it takes it as a value or as the failure of one poll."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.api.client import Client
from exporter.api.errors import REASONS, ApiError
from exporter.api.wire import PREFIX, Reply
from exporter.collectors import COLLECTORS, Collector, PollResult
from exporter.families import FAMILIES
from exporter.history import SHARED, History
from exporter.history.problems import Health, find
from exporter.state_format import lines
from exporter.store import FLEET, Store
from exporter.telemetry import Telemetry
from exporter.totals import Totals
from tests.support.fetches import FETCHES, PATHS, good_reply
from tests.support.fuzzing.inputs import SECRET
from tests.support.replies import CREDENTIALS, Replies
from tests.support.virtual_time import START

_KINDS = {kind.name: kind for kind in COLLECTORS}
_OF_TENANTS = [kind.name for kind in COLLECTORS if not kind.of_account]
# Each call of a collector: the collector and the path, below `/v2/interop`.
CALLS = [(name, path) for name, paths in PATHS.items() if name in _KINDS for path in paths]
# The calls that find tenants.
DISCOVERIES = [(name, path) for name, paths in PATHS.items() if name not in _KINDS for path in paths]
# One for all inputs: making its instruments takes longer than a poll.
_TELEMETRY = Telemetry()


@dataclass
class OneBad(Replies):
    """A transport that gives one reply for one path, or for every token, and good ones for everything else."""

    path: str | None = None
    bad: Reply = field(default_factory=lambda: Reply(200, {}, b""))
    bad_token: Reply | None = None
    asked_for: int = 0

    def __post_init__(self) -> None:
        super().__init__(good_reply)

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        self.asked_for += 1
        assert SECRET not in path + repr(query), "a secret in an address"
        if path.removeprefix(PREFIX) == self.path:
            return self.bad
        return await super().get(path, query, authorization)

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        self.asked_for += 1
        return self.bad_token or await super().post_token(form)

    def client(self, *_: object, **__: object) -> Client:
        return super().client(telemetry=_TELEMETRY)


def check_error(error: ApiError) -> None:
    """A failure has a reason of the closed set, and its text repeats nothing of a reply."""
    assert error.reason in REASONS, error.reason
    assert error.reason != "bug", error
    assert SECRET not in f"{error!r} {''.join(traceback.format_exception_only(error))}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None, "a traceback would show a library's text"


class PolledTenant:
    """One tenant that collectors poll, whatever comes; with the page that its polls give."""

    def __init__(self, owner: str = "tenant", history: History | None = None) -> None:
        self.history = history or History()
        self._owner = owner
        self._store, self._totals = Store(FAMILIES), Totals()
        self._succeeded: dict[str, float] = {}

    def poll(self, collector: Collector[Any], transport: OneBad, at: float) -> ApiError | None:
        """Poll once; the failure is returned. What is then on the page, and in the state file, is checked."""
        try:
            facts = asyncio.run(collector.fetch(transport.client().api(CREDENTIALS), self.history))
        except ApiError as error:
            check_error(error)
            self.history = self.history.failed(collector.name, at)
            self._check_saved(at)
            return error
        self._succeed(collector, collector.result(self._owner, self.history, facts, at), at)
        self._check_saved(at)
        return None

    def _succeed(self, collector: Collector[Any], result: PollResult, at: float) -> None:
        self.history = result.history.recovered(collector.name)
        fleet = collector.fleet_families
        self._totals.apply(fleet, result.fleet.new, result.fleet.observed)
        self._store.put(self._owner, collector.families, result.samples)
        self._store.put(FLEET, fleet, self._totals.samples(fleet))
        for shared in SHARED:
            self._store.put(self._owner, shared.families, list(shared.samples(self.history, self._owner, at)))
        self._succeeded[collector.name] = at
        find(self.history, Health(_OF_TENANTS, self._succeeded, {}, []), at)
        check_page(self._store)

    def _check_saved(self, at: float) -> None:
        omitted: list[str] = []
        for seconds in (0.0, -3600.0, 3600.0):
            moved = self.history.after_clock_change(seconds)
            list(lines([("tenant", moved)], "https://api.example", at, omitted))
        assert not omitted, "a history that the state file does not take"


def check_page(store: Store) -> None:
    """The page parses in both formats to the same series, none of them twice, and shows no secret."""
    text = b"".join(store.page(0.0, openmetrics=False)).decode()
    series = [
        (each.name, tuple(sorted(each.labels.items())))
        for family in text_string_to_metric_families(text)
        for each in family.samples
    ]
    assert len(series) == len(set(series)), "a series is on the page twice"
    assert SECRET not in text
    openmetrics = b"".join(store.page(0.0, openmetrics=True)).decode() + "# EOF\n"
    assert sum(len(family.samples) for family in openmetrics_families(openmetrics)) == len(series)


def poll_thrice(name: str, path: str, bad: Reply) -> ApiError | None:
    """A good poll, one with this reply for `path`, and a good one again, which must succeed whatever came before."""
    collector = _KINDS[name]()
    tenant = PolledTenant(FLEET if collector.of_account else "tenant")
    assert tenant.poll(collector, OneBad(), START) is None
    failure = tenant.poll(collector, OneBad(path=path, bad=bad), START + 600)
    again = tenant.poll(collector, OneBad(), START + 1200)
    assert again is None, again
    return failure


def discover(name: str, path: str, bad: Reply) -> None:
    """Find tenants with this reply for `path`."""
    transport = OneBad(path=path, bad=bad)
    try:
        found = asyncio.run(_awaited(FETCHES[name](transport.client(), CREDENTIALS)))
    except ApiError as error:
        check_error(error)
    else:
        assert SECRET not in repr(found)


async def _awaited(answer: Any) -> Any:
    return await answer


def ask_for_a_token(bad: Reply) -> None:
    """Make a call whose token endpoint gives this reply."""
    transport = OneBad(bad_token=bad)
    try:
        asyncio.run(transport.client().api(CREDENTIALS).get_one("/tenant/state", lambda fields: fields.raw))
    except ApiError as error:
        check_error(error)
    assert transport.asked_for <= 10, "one call, and more than ten requests"
