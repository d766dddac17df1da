"""What else happens to a tenant, if somebody asks for it?

These plots are never made up by chance: they are for stories from a book (`exporter.simulator.storybook`). Most
of them are harmless, and look as if they were not.
"""

from __future__ import annotations

from exporter.simulator.fleet import DAY
from exporter.simulator.life import HOUR
from exporter.simulator.stories import PLOTS, Plot, Raised


class Holiday(Plot):
    """Somebody turns the schedules off for a few days, and on again."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - that is all
        """Turn off what is on."""
        self.turned_off = [one for one in self.life.schedules if one.enabled]
        for schedule in self.turned_off:
            schedule.enabled = False

    def end(self, at: float) -> None:  # noqa: ARG002 - likewise
        """Turn the same on again."""
        for schedule in self.turned_off:
            schedule.enabled = True


class Dormant(Holiday):
    """Nobody turns them on again, and nothing runs."""

    def begin(self, at: float) -> None:
        """Fall asleep, with a schedule that could have woken it."""
        self.life.daily_schedule()
        super().begin(at)
        self.life.wrong(self.kind, at)

    def end(self, at: float) -> None:
        """Somebody notices, and collects at once."""
        super().end(at)
        if not self.life.paused():
            self.life.run_if_idle("collection", at)
        self.life.right(self.kind, at)


class RolloverPause(Raised):
    """Syncing is suspended around a rollover window, as people do it: nothing is wrong."""

    flag = "synchronization_suspended"

    def begin(self, at: float) -> None:
        """Suspend, half a day before the window opens."""
        self.life.flags[self.flag] = True
        self.rollover = self.life.plan_rollover(at + DAY / 2, at + 14 * DAY)

    def end(self, at: float) -> None:
        """Be done with the rollover, and sync again."""
        self.life.flags[self.flag] = False
        if self.rollover.status == "ongoing":
            self.life.leave(self.rollover, at)
        self.life.rollovers.remove(self.rollover)


class LongLoad(Plot):
    """A bulk load executes for hours, as a first one does, and ends well."""

    def begin(self, at: float) -> None:
        """Start it beside whatever else is under way."""
        self.ingestion = self.life.add_ingestion("bulk_load", "executing", at, at)
        self.ingestion.stuck = True

    def end(self, at: float) -> None:
        """It is in."""
        self.life.finish(self.ingestion, "success", at)


class NewHour(Plot):
    """The clocks change, and the schedules, which are in UTC, are moved by an hour to keep the district's time."""

    hours = 0

    def begin(self, at: float) -> None:  # noqa: ARG002 - the life knows the time
        """Move them all."""
        for schedule in self.life.schedules:
            self.life.move(schedule, (schedule.hour + self.hours) % 24)

    def end(self, at: float) -> None:  # noqa: ARG002 - likewise
        """Move them all back."""
        for schedule in self.life.schedules:
            self.life.move(schedule, (schedule.hour - self.hours) % 24)


class ClockForward(NewHour):
    """Spring: the district's hour comes earlier in UTC."""

    hours = -1


class ClockBack(NewHour):
    """Autumn: the district's hour comes later in UTC."""

    hours = 1


class Hiccup(Plot):
    """One run fails, and the next one, soon after, ends well."""

    def begin(self, at: float) -> None:
        """Fail."""
        self.life.add_ingestion("collection", "failed", at, at)
        self.life.at(at + HOUR / 4, lambda then: self.life.run_if_idle("collection", then))

    def end(self, at: float) -> None:
        """Nothing is left to do."""


ON_DEMAND: dict[str, type[Plot]] = {
    "dormant": Dormant,
    "holiday": Holiday,
    "rollover_pause": RolloverPause,
    "long_load": LongLoad,
    "clock_forward": ClockForward,
    "clock_back": ClockBack,
    "hiccup": Hiccup,
}
TOLD = PLOTS | ON_DEMAND
