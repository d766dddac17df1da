"""Tests that the page is complete, whatever was put, removed and kept, in any order."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.metrics import Family, Sample
from exporter.store import FLEET, Store

A = Family("kimono_a", "gauge", "First.", ("tenant_id", "kind"))
B = Family("kimono_b_total", "counter", "Second.", ("tenant_id",))
C = Family("kimono_c", "gauge", "Third.")
PAIR, SINGLE, NONE = (A, B), (C,), ()
GROUPS = (PAIR, SINGLE)
OWNERS = ("one", "two", "three")


def text(store: Store, now: float = 0.0, *, openmetrics: bool = False) -> str:
    return b"".join(store.page(now, openmetrics=openmetrics)).decode()


def a(owner: str, kind: str = "x", value: float = 1) -> Sample:
    return A(value, tenant_id=owner, kind=kind)


def test_a_family_comes_once_with_its_header_and_all_owners_below() -> None:
    store = Store((*PAIR, *SINGLE))
    for owner in OWNERS[:2]:
        store.put(owner, PAIR, [a(owner), B(2, tenant_id=owner)])
    assert text(store) == (
        "# HELP kimono_a First.\n# TYPE kimono_a gauge\n"
        'kimono_a{kind="x",tenant_id="one"} 1.0\nkimono_a{kind="x",tenant_id="two"} 1.0\n'
        "# HELP kimono_b_total Second.\n# TYPE kimono_b_total counter\n"
        'kimono_b_total{tenant_id="one"} 2.0\nkimono_b_total{tenant_id="two"} 2.0\n'
    )
    assert "# TYPE kimono_b counter\n" in text(store, openmetrics=True)


def test_an_empty_store_gives_an_empty_page() -> None:
    assert text(Store((*PAIR, *SINGLE))) == ""


def test_a_put_replaces_all_that_the_owner_had_in_these_families() -> None:
    store = Store(PAIR)
    store.put("one", PAIR, [a("one", "old"), B(2, tenant_id="one")])
    store.put("one", PAIR, [a("one", "new")])
    assert 'kind="new"' in text(store)
    assert "old" not in text(store)
    assert "kimono_b" not in text(store)


def test_samples_expire_at_their_time_and_not_before() -> None:
    store = Store(PAIR)
    store.put("one", PAIR, [a("one")])
    store.expire("one", PAIR, 10.0)
    assert text(store, 10.0) != ""
    assert text(store, 10.1) == ""


def test_samples_that_were_put_again_no_longer_expire() -> None:
    store = Store(PAIR)
    store.put("one", PAIR, [a("one")])
    store.expire("one", PAIR, 10.0)
    store.put("one", PAIR, [a("one")])
    assert text(store, 15.0) != ""


def test_samples_of_an_unknown_owner_do_not_expire_into_being() -> None:
    store = Store(PAIR)
    store.expire("one", PAIR, 10.0)
    store.remove("one", PAIR)
    assert text(store, 15.0) == ""


def test_retain_keeps_the_fleet() -> None:
    store = Store((*PAIR, *SINGLE))
    store.put(FLEET, SINGLE, [C(1)])
    store.put("one", PAIR, [a("one")])
    store.retain([])
    assert text(store) == "# HELP kimono_c Third.\n# TYPE kimono_c gauge\nkimono_c 1.0\n"


def test_a_tenant_that_is_gone_leaves_nothing_in_memory() -> None:
    store = Store(PAIR)
    for owner in OWNERS:
        store.put(owner, PAIR, [a(owner)])
        store.expire(owner, PAIR, 10.0)
    assert "'two'" in repr(vars(store))
    store.retain(["three"])
    assert not [owner for owner in OWNERS[:2] if f"'{owner}'" in repr(vars(store))]
    text(store, 11.0)
    store.retain([])
    assert not [owner for owner in OWNERS if f"'{owner}'" in repr(vars(store))]


def test_removing_an_unknown_owner_changes_nothing() -> None:
    store = Store(PAIR)
    store.remove("one", PAIR)
    assert text(store) == ""


def test_undeclared_families_are_refused_and_nothing_is_changed() -> None:
    store = Store((*PAIR, *SINGLE))
    store.put("one", PAIR, [a("one")])
    before = text(store)
    with pytest.raises(ValueError, match="kimono_c"):
        store.put("one", PAIR, [a("one", "new"), C(1)])
    assert text(store) == before


def test_a_page_that_is_being_read_is_not_touched_by_what_comes_after() -> None:
    store = Store((*PAIR, *SINGLE))
    for owner in OWNERS:
        store.put(owner, PAIR, [a(owner), B(1, tenant_id=owner)])
        store.expire(owner, PAIR, 10.0)
    whole = text(store)
    pieces = store.page(0.0, openmetrics=False)
    read = next(pieces)
    store.put("one", PAIR, [a("one", value=5), B(5, tenant_id="one")])
    store.remove("two", PAIR)
    store.retain(["one"])
    store.put("four", PAIR, [a("four"), B(4, tenant_id="four")])
    store.page(11.0, openmetrics=False)
    assert (read + b"".join(pieces)).decode() == whole


class StoreMachine(RuleBasedStateMachine):
    """The store beside a plain dictionary that says what should be on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.store = Store((*PAIR, *SINGLE))
        self.truth: dict[tuple[str, tuple[Family, ...]], tuple[float, set[str]]] = {}
        self.reading: tuple[list[bytes], bytes] | None = None

    @rule(
        owner=st.sampled_from(OWNERS),
        kinds=st.lists(st.sampled_from("xyz")),
        counter=st.none() | st.integers(0, 9),
        lasts=st.sampled_from((0.0, 5.0, math.inf)),
    )
    def put(self, owner: str, kinds: list[str], counter: int | None, lasts: float) -> None:
        samples = [a(owner, kind) for kind in kinds]
        samples += [] if counter is None else [B(counter, tenant_id=owner)]
        self.store.put(owner, PAIR, samples)
        self.store.expire(owner, PAIR, self.now + lasts)
        lines = {f'kimono_a{{kind="{kind}",tenant_id="{owner}"}} 1.0' for kind in kinds}
        lines |= set() if counter is None else {f'kimono_b_total{{tenant_id="{owner}"}} {counter}.0'}
        self.truth[owner, PAIR] = (self.now + lasts, lines)

    @rule(number=st.integers(0, 9), lasts=st.sampled_from((0.0, 5.0, math.inf)))
    def put_fleet(self, number: int, lasts: float) -> None:
        self.store.put(FLEET, SINGLE, [C(number)])
        self.store.expire(FLEET, SINGLE, self.now + lasts)
        self.truth[FLEET, SINGLE] = (self.now + lasts, {f"kimono_c {number}.0"})

    @rule(owner=st.sampled_from((*OWNERS, FLEET)), group=st.sampled_from(GROUPS))
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

    @precondition(lambda self: self.reading is None)
    @rule()
    def begin_to_read(self) -> None:
        whole = b"".join(self.store.page(self.now, openmetrics=False))
        self.unread = self.store.page(self.now, openmetrics=False)
        self.reading = ([], whole)

    @precondition(lambda self: self.reading is not None)
    @rule()
    def read_on(self) -> None:
        assert self.reading is not None
        read, whole = self.reading
        piece = next(self.unread, None)
        if piece is not None:
            read.append(piece)
            return
        assert b"".join(read) == whole
        self.reading = None

    @invariant()
    def the_page_is_whole(self) -> None:
        lines = text(self.store, self.now).splitlines()
        fresh = [rows for expires, rows in self.truth.values() if expires >= self.now]
        assert sorted(line for line in lines if line[0] != "#") == sorted(set[str]().union(*fresh))
        headers = [line for line in lines if line[0] == "#"]
        assert len(headers) == len(set(headers))
        # Each line stands below its own header: lines of a family together, families in their order.
        below = [line.split()[2] if line[0] == "#" else line.partition(" ")[0].partition("{")[0] for line in lines]
        order = list(dict.fromkeys(below))
        assert below == sorted(below, key=order.index)
        assert order == [family.name for family in (*PAIR, *SINGLE) if family.name in order]
        assert all(below.count(name) > 2 for name in order)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
