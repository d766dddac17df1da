"""Lives through one cell of the matrix: healthy, then the fault, then healthy again. Finds what was not as promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from exporter.api.errors import REASONS
from exporter.simulator.faults import ACCOUNT as FAULT_OF_ACCOUNT
from tests.reliability.places import ACCOUNT, DISCOVERY, Case
from tests.reliability.rows import LONGEST_WAIT
from tests.reliability.world import INTERVAL, TENANTS, World, open_world
from tests.support.simulated_exporter import Page

Keys = set[tuple[str, frozenset[tuple[str, str]]]]

# How long a fault lasts: each affected tenant is polled twice meanwhile. If the API asks to wait, polls take longer.
_FAULT_SECONDS = 2 * INTERVAL + 10
_WAITS = 12
# How late a poll may be: a round over the tenants, or three tries and the pauses between them.
_SLACK = 10.0
_REQUESTS = "kimono_exporter_api_requests_total"
_POLLS = "kimono_exporter_polls_total"
_FINISHED = "kimono_ingestions_finished_total"
_LOST = "kimono_exporter_ingestions_lost_total"
_LAST_SUCCESS = "kimono_collector_last_success_timestamp_seconds"
# Families whose series come and go with polls, not with facts.
_HEALTH = ("kimono_tenant_failure", "kimono_exporter_", "kimono_tenant_reported_info", "process_", "python_")
# Reasons of failures that may pass by themselves.
_TRANSIENT = ("network", "server", "throttled")
# Families of ingestions that run now: some end by themselves.
_RUNNING = ("kimono_ingestions", "kimono_ingestion_oldest_unfinished", "kimono_ingestion_blocking")


@dataclass
class Findings:
    """What was not as promised in one cell, and what came of the fault there."""

    case: Case
    problems: list[str] = field(default_factory=list)
    outcome: str = ""

    def check(self, holds: object, text: str) -> None:
        """Note a broken promise."""
        if not holds:
            self.problems.append(f"{self.case.name}: {text}")


class Cell:
    """One cell. `run` lives through it."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case = case
        self._folder = folder
        self.findings = Findings(case)
        self._check = self.findings.check
        self._affected: list[str] = []
        self._others: list[str] = []
        # The requests of one interval without a fault.
        self._round: Counter[tuple[str | None, str]] = Counter()
        held = case.row.held if case.row.held < LONGEST_WAIT else 0.0
        self._lasts = _FAULT_SECONDS + _WAITS * held

    async def run(self) -> Findings:
        """Live through the cell."""
        place = self._case.place
        async with open_world(place, self._folder, **(self._case.row.simulator or {})) as world:
            self._choose(world)
            if place.from_start:
                self._inject(world)
                before = None
            else:
                await world.clock.sleep(_SLACK)
                first = _sent(world)
                await world.clock.sleep(INTERVAL)
                self._round = _sent(world) - first
                before = await self._scrape(world, "before the fault")
                self._check(not _failures(before) and before.value("kimono_up") == 1, "it fails without a fault")
                self._prepare(world)
                self._inject(world)
            sent = _sent(world)
            await self._during(world, before, sent)
            world.simulator.faults.clear()
            await self._after(world, before)
        return self.findings

    # The three times

    def _choose(self, world: World) -> None:
        tenants = world.simulator.tenants()
        able = [one.id for one in tenants if one.credentials.type == "oauth2" or not self._case.place.tokens]
        number = {"one": 1, "third": TENANTS // 3, "all": TENANTS, ACCOUNT: 0}[self._case.scope]
        self._affected = able[:number]
        self._others = [one.id for one in tenants if one.id not in self._affected]

    def _prepare(self, world: World) -> None:
        """Let an ingestion of each tenant leave the list."""
        for tenant in world.simulator.tenants():
            world.simulator.finish_ingestion(tenant.id, f"{tenant.id}-0")

    def _inject(self, world: World) -> None:
        row, place = self._case.row, self._case.place
        fault = row.fault
        if fault.kind in ("redirect", "next_elsewhere"):
            fault = replace(fault, location=world.elsewhere.url)
        for tenant_id in self._affected or [FAULT_OF_ACCOUNT]:
            world.simulator.faults.add(replace(fault, endpoint=place.endpoint, tenant_id=tenant_id))

    async def _during(self, world: World, before: Page | None, sent: Counter[tuple[str | None, str]]) -> None:
        await world.clock.sleep(self._lasts / 2)
        page = await self._scrape(world, "in the fault")
        self._check_others(world, page)
        if before is not None:
            self._check_series(before, page, {*self._affected, *self._others})
        await world.clock.sleep(self._lasts / 2)
        page = await self._scrape(world, "in the fault")
        self._check_others(world, page)
        self._check_failures(world, page)
        if before is not None:
            self._check_counters(world, before, page, sent)
            # The last good series of a tenant that fails may have expired: three intervals after the last success.
            self._check_series(before, page, set(self._others))
        self._check(world.elsewhere.connections == 0, "the other host got a connection")

    async def _after(self, world: World, before: Page | None) -> None:
        await world.clock.sleep(self._case.row.held + 2 * INTERVAL + _SLACK)
        page = await self._scrape(world, "after the fault")
        self._check(not _failures(page), f"has not recovered: {_failures(page)}")
        self._check(page.value("kimono_up") == 1, "discovery has not recovered")
        self._check(page.value("kimono_tenants") == TENANTS, "not every tenant is watched")
        self._check(set(page.all("kimono_tenant_up").values()) == {1}, "not every tenant is up")
        if before is not None:
            gone = {key for key in _facts(before) - _facts(page) if not key[0].startswith(_RUNNING)}
            self._check(not gone, f"series did not come back: {sorted(name for name, _ in gone)}")
        self._check_ledger(world, page)
        self._check_ingestions(page)

    # Checks

    async def _scrape(self, world: World, when: str) -> Page:
        page = await world.page()
        self._check(await world.healthy(), f"the process does not live {when}")
        for word in ("poisoned", "S3CR3T"):
            self._check(word not in page.text, f"{word} is on the page {when}")
        return page

    def _check_others(self, world: World, page: Page) -> None:
        """Those whom the fault does not concern are as before, and no staler than an interval."""
        failing = {dict(labels)["tenant_id"] for labels in page.all("kimono_tenant_failure_info")}
        self._check(not failing & set(self._others), "tenants fail that are not affected")
        known = TENANTS - (len(self._affected) if self._case.place.from_start and self._fails else 0)
        self._check(page.value("kimono_tenants") == known, f"{page.value('kimono_tenants')} tenants are watched")
        if self._may_hold_all:
            return
        for labels, at in page.all(_LAST_SUCCESS).items():
            age = world.clock.now() - at
            late = dict(labels)["tenant_id"] in self._others and age > INTERVAL + _SLACK
            self._check(not late, f"another tenant's {dict(labels)['collector']} is {age:.0f} s old")

    @property
    def _fails(self) -> bool:
        return self._case.expected in REASONS

    @property
    def _may_hold_all(self) -> bool:
        """Whether the API has asked the account, or all tenants, to wait: then all wait."""
        return self._case.row.held > 0 and self._case.scope in (ACCOUNT, "all") and self._fails

    def _check_failures(self, world: World, page: Page) -> None:
        """Exactly the expected reasons are shown."""
        expected, place = self._case.expected, self._case.place
        discovery = world.exporter.status().discovery
        wanted_discovery = expected if self._fails and DISCOVERY in place.fails else ""
        self._check(discovery.reason == wanted_discovery, f"discovery: {discovery.reason or 'ok'}")
        self._check(page.value("kimono_up") == (not wanted_discovery), "kimono_up is wrong")
        # A tenant that is asked to wait for long is not polled at all, whichever of its requests was answered so.
        failing = place.collectors if self._case.row.held == LONGEST_WAIT else place.fails
        collectors = [] if place.of_account or DISCOVERY in place.fails else failing
        wanted = {(ident, name, expected) for ident in self._affected for name in collectors if self._fails}
        found = _failures(page)
        self._check(found == wanted, f"failures: {_summary(found)}, not {_summary(wanted)}")
        ups = {dict(labels)["tenant_id"]: value for labels, value in page.all("kimono_tenant_up").items()}
        down = {ident for ident, _, _ in wanted}
        self._check({ident for ident, up in ups.items() if up == 0} == down, "kimono_tenant_up is wrong")
        reasons = {reason for _, _, reason in found} | {discovery.reason} - {""}
        reasons |= {reason for reason in self._account_outcomes(page) - {"success"} if ACCOUNT in place.fails}
        self.findings.outcome = "/".join(sorted(reasons - {""})) or (expected if not self._fails else "ok")

    def _account_outcomes(self, page: Page) -> set[str]:
        return page.labels(_POLLS, "outcome", collector=ACCOUNT)

    def _check_counters(self, world: World, before: Page, page: Page, sent: Counter[tuple[str | None, str]]) -> None:
        """The right outcomes of polls and codes of requests are counted, and no more is sent than may be."""
        row, place, expected = self._case.row, self._case.place, self._case.expected
        for name in place.fails:
            if name == DISCOVERY:
                continue
            grown = _grown(before, page, _POLLS, "outcome", collector=name)
            allowed = {"success", expected} if self._fails else {"success"}
            self._check(grown.keys() <= allowed, f"polls of {name} ended with {sorted(grown)}")
            least = max(1, len(self._affected)) if self._fails else 0
            self._check(grown.get(expected, 0) >= least, f"failed polls of {name}: {dict(grown)}")
        codes = _grown(before, page, _REQUESTS, "code", endpoint=place.endpoint)
        concerned = self._fails or expected in ("absent", "kept", "lost")
        if concerned:
            self._check(codes.keys() & set(row.code.split()), f"requests are counted as {dict(codes)}")
            self._check_requests(world, sent)

    def _check_requests(self, world: World, sent: Counter[tuple[str | None, str]]) -> None:
        """No tenant gets more requests than its polls may send, and a transient failure gets its retries."""
        row, place = self._case.row, self._case.place
        now = _sent(world)
        rounds = int(self._lasts // INTERVAL) + 1
        polls = rounds * (len(place.fails) if place.column == "token" else 1)
        for tenant_id in self._affected or [None]:
            requests = now[tenant_id, place.endpoint] - sent[tenant_id, place.endpoint]
            most = row.requests * polls
            self._check(1 <= requests <= most, f"{requests} requests of one caller, not 1 to {most}")
            if self._case.expected == "auth" and place.column != "token":
                # As many as the same rounds and one token take without a fault, and then three times that.
                each_round = _of(self._round, tenant_id) + (place.column == "by_id")
                healthy, of_all = rounds * each_round + 1, _of(now - sent, tenant_id)
                self._check(of_all <= 3 * healthy, f"{of_all} requests of one caller, {healthy} of a healthy one")
            if self._case.expected in _TRANSIENT and row.requests > 1:
                self._check(requests >= 3, f"{requests} requests of one caller: no retries")

    def _check_series(self, before: Page, page: Page, tenants: set[str]) -> None:
        """All facts of these tenants stay, but those of a resource that is said not to exist."""
        gone = _facts(before) - _facts(page)
        if self._case.expected == "absent":
            tenants = tenants - set(self._affected)
            self._check(gone, "nothing of the absent resource has gone")
        gone = {(name, labels) for name, labels in gone if dict(labels).get("tenant_id") in tenants}
        self._check(not gone, f"series have gone: {sorted({name for name, _ in gone})}")

    def _check_ledger(self, world: World, page: Page) -> None:
        """Every request that the server got is counted, and no other."""
        counted: Counter[str] = Counter()
        for labels, value in page.all(_REQUESTS).items():
            counted[dict(labels)["endpoint"]] += int(value)
        got = Counter(world.simulator.counts)
        self._check(counted == got, f"requests counted {counted - got} too often, not counted {got - counted}")
        cookies = [each for each in world.simulator.requests if each.cookie]
        self._check(not cookies, "a cookie was sent")

    def _check_ingestions(self, page: Page) -> None:
        """Each ingestion that has left the list counts once, or is lost."""
        if "ingestions" not in self._case.place.collectors:
            return
        lost = self._affected if self._case.expected == "lost" else []
        self._check(page.value(_LOST) == len(lost), f"{page.value(_LOST)} ingestions are lost")
        counts = {
            dict(labels)["tenant_id"]: value
            for labels, value in page.all(_FINISHED, ingestion_type="mirror", state="success").items()
        }
        wanted = {ident: 0 if ident in lost else 1 for ident in self._affected + self._others}
        self._check(counts == wanted, f"ends counted: {sorted(counts.values())}")


def _sent(world: World) -> Counter[tuple[str | None, str]]:
    return Counter((each.tenant_id, each.endpoint) for each in world.simulator.requests)


def _of(sent: Counter[tuple[str | None, str]], tenant_id: str | None) -> int:
    return sum(times for (caller, _), times in sent.items() if caller == tenant_id)


def _failures(page: Page) -> set[tuple[str, str, str]]:
    shown = (dict(labels) for labels in page.all("kimono_tenant_failure_info"))
    return {(one["tenant_id"], one["collector"], one["reason"]) for one in shown}


def _summary(failures: set[tuple[str, str, str]]) -> dict[str, int]:
    return dict(Counter(f"{collector} {reason}" for _, collector, reason in failures))


def _facts(page: Page) -> Keys:
    return {key for key in page.series if not key[0].startswith(_HEALTH)}


def _grown(before: Page, page: Page, name: str, label: str, **labels: str) -> Counter[str]:
    """By how much each series of a counter has grown, by the value of one label."""
    grown: Counter[str] = Counter()
    for have, value in page.all(name, **labels).items():
        grown[dict(have)[label]] += int(value - before.all(name).get(have, 0))
    return +grown


def problems(findings: list[Findings]) -> Iterator[str]:
    """All broken promises."""
    for each in findings:
        yield from each.problems
