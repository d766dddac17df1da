"""Tests that pages are those of prometheus-client to the byte, whatever has changed since the last scrape."""

from __future__ import annotations

import gzip
import math
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import table
from exporter.blocks import Block, Section, gzip_page, plain_page
from exporter.metrics import Family, Sample
from exporter.store import FLEET, Store

A = Family("kimono_a", "gauge", 'First, "quoted".', ("tenant_id", "kind"))
B = Family("kimono_b_total", "counter", "Second.", ("tenant_id",))
C = Family("kimono_c", "gauge", "Third.")
PAIR, SINGLE = (A, B), (C,)
OWNERS = tuple("abcdefg")


class _Collected:
    """What prometheus-client calls a registry."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def oracle(samples: Iterable[Sample], *, openmetrics: bool) -> bytes:
    """The page that prometheus-client makes of these samples, in this order."""
    metrics = []
    for family in (A, B, C):
        kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        metric = kind(family.name, family.help, labels=family.labels)
        for sample in samples:
            if sample.family is family:
                metric.add_metric(sample.values, sample.value)
        metrics += [metric] if metric.samples else []
    source = _Collected(metrics)
    return generate_openmetrics(source).removesuffix(b"# EOF\n") if openmetrics else generate_latest(source)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two owners, so that a few owners fill several; more than three samples are large."""
    monkeypatch.setattr(table, "OWNERS", 2)
    monkeypatch.setattr(table, "LARGE_BYTES", 120)


class ChangingPage(RuleBasedStateMachine):
    """The store beside a dictionary that says what should be on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.store = Store((*PAIR, *SINGLE))
        self.truth: dict[tuple[str, tuple[Family, ...]], tuple[float, list[Sample]]] = {}
        self.held: list[tuple[list[Section], bytes]] = []

    @rule(
        owner=st.sampled_from(OWNERS), kinds=st.integers(0, 5), value=st.sampled_from((1, 12345.5)), ends=st.booleans()
    )
    def put(self, owner: str, kinds: int, value: float, ends: bool) -> None:  # noqa: FBT001 - of hypothesis
        samples = [A(value, tenant_id=owner, kind=f"kind {number}") for number in range(kinds)]
        samples += [B(value, tenant_id=owner)] if ends else []
        self.store.put(owner, PAIR, samples)
        self.truth[owner, PAIR] = (math.inf, samples)

    @rule(value=st.integers(0, 3))
    def put_fleet(self, value: int) -> None:
        self.store.put(FLEET, SINGLE, [C(value)])
        self.truth[FLEET, SINGLE] = (math.inf, [C(value)])

    @rule(owner=st.sampled_from((*OWNERS, FLEET)), seconds=st.sampled_from((0.0, 5.0)))
    def expire(self, owner: str, seconds: float) -> None:
        group = PAIR if owner else SINGLE
        self.store.expire(owner, group, self.now + seconds)
        if (owner, group) in self.truth:
            self.truth[owner, group] = (self.now + seconds, self.truth[owner, group][1])

    @rule(owner=st.sampled_from((*OWNERS, FLEET)), group=st.sampled_from((PAIR, SINGLE)))
    def remove(self, owner: str, group: tuple[Family, ...]) -> None:
        self.store.remove(owner, group)
        self.truth.pop((owner, group), None)

    @rule(owners=st.sets(st.sampled_from(OWNERS)))
    def retain(self, owners: set[str]) -> None:
        self.store.retain(owners)
        self.truth = {key: kept for key, kept in self.truth.items() if key[0] == FLEET or key[0] in owners}

    @rule(seconds=st.sampled_from((0.5, 3.0, 8.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(openmetrics=st.booleans(), compressed=st.booleans())
    def scrape(self, openmetrics: bool, compressed: bool) -> None:  # noqa: FBT001 - of hypothesis
        sections = list(self.store.sections(self.now, openmetrics=openmetrics))
        page = gzip.decompress(b"".join(gzip_page(sections))) if compressed else b"".join(plain_page(sections))
        assert page == oracle(self.fresh(page), openmetrics=openmetrics)

    @rule()
    def begin_to_read(self) -> None:
        whole = b"".join(self.store.page(self.now, openmetrics=False))
        self.held.append((list(self.store.sections(self.now, openmetrics=False)), whole))

    @rule(compressed=st.booleans())
    def end_to_read(self, compressed: bool) -> None:  # noqa: FBT001 - of hypothesis
        if self.held:
            sections, whole = self.held.pop(0)
            page = gzip.decompress(b"".join(gzip_page(sections))) if compressed else b"".join(plain_page(sections))
            assert page == whole

    @invariant()
    def places_have_no_gaps_but_free_ones(self) -> None:
        places = [*self.store._places.values(), *self.store._free]
        assert sorted(places) == list(range(len(places)))

    def fresh(self, page: bytes) -> list[Sample]:
        """The samples that should be on the page. Their order is that of the page: it depends on who came and went."""
        samples = [sample for at, each in self.truth.values() if at >= self.now for sample in each]
        lines = page.decode().splitlines()
        return sorted(samples, key=lambda sample: lines.index(line_of(sample)))


def line_of(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in zip(sample.family.labels, sample.values, strict=True))
    return (
        f"{sample.family.name}{{{labels}}} {float(sample.value)}"
        if labels
        else f"{sample.family.name} {float(sample.value)}"
    )


TestChangingPage = ChangingPage.TestCase
TestChangingPage.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def filled(owners: Iterable[str]) -> Store:
    store = Store((*PAIR, *SINGLE))
    for owner in owners:
        store.put(owner, PAIR, [A(1, tenant_id=owner, kind="x"), B(1, tenant_id=owner)])
    return store


def sections(store: Store, *, openmetrics: bool = False) -> list[Section]:
    return list(store.sections(0.0, openmetrics=openmetrics))


def blocks(store: Store) -> Iterator[Block]:
    return (block for section in sections(store) for block in section.blocks)


def test_a_change_makes_one_block_again_and_leaves_the_others_as_they_are() -> None:
    store = filled(OWNERS)
    assert b"".join(gzip_page(sections(store)))
    before = set(blocks(store))
    store.put("c", PAIR, [A(2, tenant_id="c", kind="x"), B(1, tenant_id="c")])
    new = set(blocks(store)) - before
    assert [block.plain.count(b"\n") for block in new] == [2]
    assert sum(len(section.undeflated()) for section in sections(store)) == 1


def test_samples_that_are_put_again_unchanged_change_no_section() -> None:
    store = filled(OWNERS)
    before = sections(store)
    for owner in OWNERS:
        store.put(owner, PAIR, [A(1, tenant_id=owner, kind="x"), B(1, tenant_id=owner)])
    assert sections(store) == before


def test_text_and_openmetrics_share_all_but_the_headers() -> None:
    store = filled(OWNERS)
    text, openmetrics = sections(store), sections(store, openmetrics=True)
    assert [ours is theirs for ours, theirs in zip(text, openmetrics, strict=True)] == [False, True] * 2


def test_large_samples_are_a_block_of_their_own_until_they_are_small_again() -> None:
    store = filled("ab")
    shared = next(block for block in blocks(store) if b'kimono_a{kind="x",tenant_id="a"}' in block.plain)
    store.put("b", PAIR, [A(1, tenant_id="b", kind=f"{number}") for number in range(9)])
    before = set(blocks(store))
    store.put("b", PAIR, [A(2, tenant_id="b", kind=f"{number}") for number in range(9)])
    assert [block.plain.count(b"\n") for block in set(blocks(store)) - before] == [9]
    store.put("b", PAIR, [A(1, tenant_id="b", kind="x"), B(1, tenant_id="b")])
    assert shared.plain in {block.plain for block in blocks(store)}


def test_what_many_removals_leave_is_joined_when_a_page_needs_it() -> None:
    store = filled(OWNERS)
    for owner in "bdf":
        store.expire(owner, PAIR, 1.0)
    left = list(store.sections(2.0, openmetrics=False))
    unjoined = [block for section in left for block in section.unjoined()]
    assert len(unjoined) == 6
    assert b'"b"' not in b"".join(plain_page(left))
    assert all(block.joined for block in unjoined)


def test_removals_that_no_page_follows_keep_nothing_of_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "OWNERS", 2000)
    tenants = [f"tenant {number}" for number in range(2000)]
    store = filled(tenants)
    for tenant in tenants[1:]:  # a chain of these would end in a RecursionError
        store.remove(tenant, PAIR)
    assert b"".join(store.page(0.0, openmetrics=False)).count(b'"tenant 0"') == 2


def test_blocks_stay_full_however_many_tenants_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "OWNERS", 4)
    random_numbers = random.Random(1)  # noqa: S311 - no secret
    tenants = [f"tenant {number}" for number in range(120)]
    store = filled(tenants)
    for number in range(40):
        tenants = random_numbers.sample(tenants, 100)
        store.retain(tenants)
        tenants += [f"new {number}.{each}" for each in range(20)]
        for tenant in tenants[-20:]:
            store.put(tenant, PAIR, [A(1, tenant_id=tenant, kind="x")])
    assert [len(section.blocks) for section in sections(store)][1::2] == [30]
    # Most leave for good: with time, the others move together.
    tenants = random_numbers.sample(tenants, 24)
    for _ in range(3):
        store.retain(tenants)
    assert [len(section.blocks) for section in sections(store)][1::2] == [6]
    assert sorted(store._places.values()) == list(range(24))
    assert all(f'"{tenant}"' in b"".join(store.page(0.0, openmetrics=False)).decode() for tenant in tenants)
