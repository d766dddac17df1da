"""Compares what schedules have missed with an oracle that walks through days minute by minute."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.history.schedules import ACTIVE_SINCE, MISSED_SINCE
from tests.history.tenant import MINUTE, OFF, START, SUSPENDED, Tenant, daily, run

DAYS = 2
MINUTES = DAYS * 24 * 60
CLOCKS = 5  # minutes by which the hub's clock may differ


@dataclass(frozen=True)
class Run:
    """A run of the hub: who starts it, when, for how long, and how it ends. Times are in minutes from the start."""

    by: str
    kind: str
    began: int
    lasts: int
    good: bool


@dataclass(frozen=True)
class World:
    """What is so at a hub. `edits` are the hours of the schedule from a minute on, `pauses` begins and ends."""

    edits: dict[int, int]
    pauses: list[tuple[int, int]]
    runs: list[Run]

    def paused(self, now: int) -> bool:
        return any(begin <= now < end for begin, end in self.pauses)

    def hour(self, now: int) -> int:
        return self.edits[max(minute for minute in self.edits if minute <= now)]

    def executed(self, by: str, now: int) -> int | None:
        return max((each.began for each in self.runs if each.by == by and each.began <= now), default=None)


@dataclass
class Oracle:
    """What the contract says of the schedule "own", from what polls have seen of a world."""

    world: World
    hour: int | None = None
    paused: bool | None = None
    active: int | None = None
    missed: int | None = None
    told: dict[str, set[int]] = field(default_factory=lambda: {"own": set(), "other": set()})
    ended: set[Run] = field(default_factory=set)
    excuses: set[int] = field(default_factory=set)

    def flags(self, now: int) -> None:
        self.paused = self.world.paused(now)
        self._activate(now)

    def ingestions(self, now: int) -> set[Run]:
        """The runs that have ended."""
        return {each for each in self.world.runs if each.began + each.lasts <= now}

    def schedules(self, now: int, known: set[Run]) -> None:
        """`known` are the runs that the last poll of the ingestions has seen ended."""
        if self.world.hour(now) != self.hour:
            self.hour, self.active, self.missed = self.world.hour(now), None, None
        for by, starts in self.told.items():
            executed = self.world.executed(by, now)
            if executed is not None:
                starts.add(executed)
        for each in known - self.ended:
            others = any(abs(each.began - start) <= CLOCKS for start in self.told["other"])
            if each.good and each.kind != "mirror" and not others:
                self.excuses.add(each.began)
        self.ended |= known
        self._activate(now)
        self.missed = None
        for minute in range(MINUTES if self.active is None else self.active, now + 1):
            due = minute % (24 * 60) == self.hour * 60
            if due and not self._followed(minute):
                self.missed = minute
                break

    def _followed(self, due: int) -> bool:
        own = any(start >= due - CLOCKS for start in self.told["own"])
        return own or any(start >= due for start in self.excuses)

    def _activate(self, now: int) -> None:
        # After a restart, whether it is paused is unknown until the next poll.
        if self.paused:
            self.active = self.missed = None
        elif self.paused is False and self.hour is not None and self.active is None:
            self.active = now


_MINUTE = st.integers(0, MINUTES - 1)
# Near the full hours, at which schedules are due.
_STARTS = st.builds(lambda hour, off: max(0, hour * 60 + off), st.integers(0, DAYS * 24 - 1), st.integers(-7, 7))
_RUNS = st.builds(
    Run,
    by=st.sampled_from(("own", "other", "person")),
    kind=st.sampled_from(("collection", "bulk_load", "mirror")),
    began=_STARTS,
    lasts=st.integers(1, 400),
    good=st.booleans(),
)
_HOURS = st.sampled_from((2, 3, 9))
WORLDS = st.builds(
    World,
    edits=st.dictionaries(_MINUTE, _HOURS, max_size=2).flatmap(
        lambda edits: _HOURS.map(lambda hour: {0: hour} | edits)
    ),
    pauses=st.lists(st.builds(lambda begin, lasts: (begin, begin + lasts), _MINUTE, st.integers(1, 300)), max_size=3),
    runs=st.lists(_RUNS, max_size=8, unique_by=lambda each: each.began),
)
_INTERVALS = st.sampled_from((10, 20, 60))


def at(minute: int) -> float:
    return START + minute * MINUTE


# Shrinking would take minutes: an example has hundreds of polls.
@settings(max_examples=25, phases=[Phase.generate])
@given(world=WORLDS, flags=_INTERVALS, ingestions=_INTERVALS, schedules=_INTERVALS, restart=_MINUTE)
def test_what_is_missed_is_what_an_oracle_finds_minute_by_minute(
    world: World, flags: int, ingestions: int, schedules: int, restart: int
) -> None:
    """The polls are not in step, and there is a restart with a state file."""
    tenant, oracle, known, restarted = Tenant(), Oracle(world), set[Run](), False
    for minute in range(MINUTES):
        if minute == restart:
            tenant.restart()
            oracle.paused, restarted = None, True
        if minute % flags == 3:
            tenant.flags(at(minute), SUSPENDED if world.paused(minute) else OFF)
            oracle.flags(minute)
        if minute % ingestions == 4:
            begun = [each for each in world.runs if each.began <= minute]
            tenant.runs(at(minute), *(_ingestion(each, minute) for each in begun))
            known = oracle.ingestions(minute)
        if minute % schedules == 5:
            own, other = (
                None if each is None else at(each) for each in map(world.executed, ("own", "other"), [minute] * 2)
            )
            tenant.schedules(at(minute), daily(world.hour(minute), own), daily(5, other, ident="other"))
            oracle.schedules(minute, known)
            restarted = False
        if minute % flags == 3 or minute % schedules == 5:
            _compare(tenant, oracle, restarted=restarted)


def _ingestion(each: Run, now: int) -> object:
    state = "executing" if now < each.began + each.lasts else "success" if each.good else "failed"
    return run(f"{each.began}", state, at(each.began), type=each.kind)


def _compare(tenant: Tenant, oracle: Oracle, *, restarted: bool) -> None:
    if restarted or tenant.history.state.paused is None:
        return  # nothing is shown until both have been polled
    series = tenant.everything()
    shown = [series.get(family, {}).get(("s", "collection")) for family in (ACTIVE_SINCE, MISSED_SINCE)]
    assert shown == [None if each is None else at(each) for each in (oracle.active, oracle.missed)]
