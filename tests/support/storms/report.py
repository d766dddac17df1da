"""Counts the notifications of each storm by hour and receiver, and prints them as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.storms.playing import Notification

HOUR = 3600.0
# The target: so many notifications to all receivers in the first hour of a storm, and in the four hours after it.
FIRST_HOUR, LATER = 5, 5
LASTS = 5 * HOUR


@dataclass(frozen=True)
class Counted:
    """The notifications of one storm by receiver: in its first hour, and in the four hours after it."""

    first: Mapping[str, int]
    later: Mapping[str, int]

    @property
    def reached(self) -> bool:
        """Whether the storm stays within the target."""
        return sum(self.first.values()) <= FIRST_HOUR and sum(self.later.values()) <= LATER


def count(notifications: Iterable[Notification]) -> Counted:
    """Count what was sent in the first five hours."""
    sent = [one for one in notifications if one.at < LASTS]
    return Counted(
        Counter(one.receiver for one in sent if one.at < HOUR), Counter(one.receiver for one in sent if one.at >= HOUR)
    )


def table(columns: Sequence[str], rows: Mapping[tuple[str, str, int], Sequence[Counted]]) -> str:
    """A row for each cause, kind of fleet and number of tenants, with two columns for each configuration."""
    heads = [f"{name}{', ' if name else ''}{when}" for name in columns for when in ("first hour", "next 4 h")]
    lines = [
        "Notifications to on-call + working-hours. Bold: above the target (5 in the first hour, 5 in the next four).",
        "",
        f"| cause | fleet | tenants | {' | '.join(heads)} |",
        f"|---|---|---|{'---|' * len(heads)}",
    ]
    for (cause, fleet, tenants), counted in rows.items():
        cells = [_cell(part, limit) for one in counted for part, limit in ((one.first, FIRST_HOUR), (one.later, LATER))]
        lines.append(f"| {cause} | {fleet} | {tenants:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(part: Mapping[str, int], limit: int) -> str:
    text = f"{part.get('on-call', 0)} + {part.get('working-hours', 0)}"
    return text if sum(part.values()) <= limit else f"**{text}**"
