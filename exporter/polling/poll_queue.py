"""Keeps the polls to come in two orders: the most overdue first, and those first that are worth most."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from exporter.polling.polls import ORDINARY, CollectorSchedule, ScheduledPoll

# Invalid entries that a heap may have, besides one for each poll of the collector.
_FEW_INVALID = 100

# When the poll was due, its number, and the poll.
_Entry = tuple[float, int, ScheduledPoll]


class PollQueue:
    """The polls that wait. Each operation takes time that grows with the logarithm of their number.

    Each collector has a heap of all its polls, and one for each weight above `ORDINARY`. An entry becomes invalid when
    its poll is taken or moved, and is removed when it comes first.
    """

    def __init__(self) -> None:
        self._heaps: dict[CollectorSchedule, dict[float, list[_Entry]]] = {}

    def push(self, poll: ScheduledPoll) -> None:
        """Add a poll."""
        poll.queued = True
        heaps = self._heaps.get(poll.schedule)
        if heaps is None:
            heaps = self._heaps[poll.schedule] = {ORDINARY: []}
        entry = (poll.due, poll.number, poll)
        heappush(heaps[ORDINARY], entry)
        if poll.weight > ORDINARY:
            _add(heaps, poll.weight, entry)

    def weigh(self, poll: ScheduledPoll, weight: float) -> None:
        """Change the weight of a poll, also of one that does not wait."""
        if weight == poll.weight:
            return
        poll.weight = weight
        if poll.queued and weight > ORDINARY:
            _add(self._heaps[poll.schedule], weight, (poll.due, poll.number, poll))

    def hurry(self, poll: ScheduledPoll, due: float) -> None:
        """Make a poll due at `due`, if it is not due earlier; also one that does not wait."""
        if due < poll.due:
            poll.due = due
            if poll.queued:
                self.push(poll)

    def take(self, poll: ScheduledPoll) -> None:
        """Remove a poll."""
        poll.queued = False
        if poll.weight > ORDINARY:
            # While no poll is late, nothing else looks at this heap.
            _first(self._heaps[poll.schedule][poll.weight], poll.weight)

    def drop_empty(self) -> None:
        """Forget the collectors that have no polls left."""
        self._heaps = {schedule: heaps for schedule, heaps in self._heaps.items() if heaps[ORDINARY]}

    def clear(self) -> None:
        """Remove all polls."""
        self._heaps.clear()

    def most_overdue(self) -> ScheduledPoll | None:
        """The poll that was due first, or is due next. Of polls due together, the collectors go in their order."""
        found: ScheduledPoll | None = None
        # In plain steps: each poll asks several times, of each collector.
        for heaps in self._heaps.values():
            poll = _first(heaps[ORDINARY], ORDINARY)
            if poll and (
                found is None or poll.due < found.due or (poll.due == found.due and _before_at_once(poll, found))
            ):
                found = poll
        return found

    def worth_most(self, now: float) -> ScheduledPoll | None:
        """Of the polls that are due at `now`, the one with the largest product of its weight and its relative age.

        The relative age is the time since it was due a time earlier, in intervals.
        """
        found, found_key = None, (0.0, 0.0)
        for schedule, heaps in self._heaps.items():
            for weight, heap in heaps.items():
                poll = _first(heap, weight)
                if poll and poll.due <= now:
                    key = (weight * (1 + (now - poll.due) / schedule.interval), -poll.due)
                    if key > found_key:
                        found, found_key = poll, key
        return found


def _add(heaps: dict[float, list[_Entry]], weight: float, entry: _Entry) -> None:
    """Add an entry to the heap of a weight. If most of its entries are invalid, drop these: nothing may look at it."""
    heap = heaps.setdefault(weight, [])
    heappush(heap, entry)
    if len(heap) > 2 * len(heaps[ORDINARY]) + _FEW_INVALID:
        heap[:] = {id(each[2]): each for each in heap if _is_valid(each, weight)}.values()
        heapify(heap)


def _is_valid(entry: _Entry, weight: float) -> bool:
    due, _, poll = entry
    return poll.queued and poll.due == due and weight in (ORDINARY, poll.weight)


def _first(heap: list[_Entry], weight: float) -> ScheduledPoll | None:
    """The first poll of a heap, after invalid entries have been removed."""
    while heap:
        due, _, poll = heap[0]
        if poll.queued and poll.due == due and weight in (ORDINARY, poll.weight):
            return poll
        heappop(heap)
    return None


def _before_at_once(poll: ScheduledPoll, other: ScheduledPoll) -> bool:
    """Whether this one of two polls that are due together is first."""
    return (poll.schedule.order, poll.number) < (other.schedule.order, other.number)
