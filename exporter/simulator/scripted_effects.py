"""Lists the effects of stories that only a scenario file asks for. The simulator never makes them up.

Many of them are harmless, but look like an incident.
"""

from __future__ import annotations

from exporter.simulator.effects import RANDOM_EFFECTS, StoryEffect
from exporter.simulator.rollover_effects import ROLLOVER_EFFECTS
from exporter.simulator.run_effects import RUN_EFFECTS
from exporter.simulator.schedule_effects import SCHEDULE_EFFECTS

SCRIPTED_EFFECTS: dict[str, type[StoryEffect]] = {**RUN_EFFECTS, **SCHEDULE_EFFECTS, **ROLLOVER_EFFECTS}
ALL_EFFECTS = RANDOM_EFFECTS | SCRIPTED_EFFECTS
