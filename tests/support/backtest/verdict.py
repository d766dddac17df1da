"""Judges a backtest: which incidents an alert found, how soon, which were forgotten, and which alerts were false.

Holds what fired against what was wrong. Alerts that Alertmanager inhibits count as not sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from exporter.simulator import Incident
from tests.support.backtest.engine import Firing
from tests.support.backtest.expectations import (
    BLINDING,
    EXPECTED,
    GAPS,
    HOUR,
    ONCE_A_NIGHT,
    OWN_BLINDING,
    POLL,
    RESTARTS,
    STANDING,
    UNSEEING,
)
from tests.support.backtest.inhibition import Inhibit, inhibited

# An alert may be this late to begin after its incident is over: the exporter has to see the end, Prometheus has to
# scrape it, and a rule group has to be evaluated.
_AFTERMATH = 2 * POLL + 300.0
# After a gap, the exporter has to poll all tenants, and a rule group has to be evaluated.
_BACK = 2 * POLL + 600.0
# What a rename may change of an alert.
_NAMES = ("tenant_name", "account_name", "integration")


@dataclass(frozen=True)
class Outcome:
    """The result of an incident: `delay` in seconds, None if it was not found; `short` if it need not have been.

    `fired` is how often the same alert of the same severity fired for it: more than once is flapping. `names` is under
    how many names: more than one is a renamed tenant that is reported twice. `forgotten` are the gaps after which it
    was not found again in time.
    """

    incident: Incident
    delay: float | None
    short: bool = False
    fired: int = 0
    names: int = 0
    forgotten: tuple[Incident, ...] = ()


@dataclass
class Verdict:
    """The result. `justified` and `company` count firings by alert."""

    outcomes: list[Outcome] = field(default_factory=list)
    false: list[Firing] = field(default_factory=list)
    justified: dict[str, int] = field(default_factory=dict)
    company: dict[str, int] = field(default_factory=dict)
    inhibited: dict[str, int] = field(default_factory=dict)

    def missed(self) -> list[Outcome]:
        """Incidents that lasted long enough, and that no alert found."""
        return [one for one in self.outcomes if one.delay is None and not one.short]

    def forgotten(self) -> list[Outcome]:
        """Incidents that were found, and not again after a gap."""
        return [one for one in self.outcomes if one.forgotten]


def judge(
    incidents: Sequence[Incident],
    firings: Iterable[Firing],
    inhibits: Sequence[Inhibit],
    ends: float,
    *,
    state_file: bool = False,
) -> Verdict:
    """Compare what fired with the incidents; `ends` is the end of the recording in Unix seconds.

    Without `state_file`, a restart of the exporters delays what depends on a history.
    """
    verdict = Verdict()
    everything = list(firings)
    heard = [one for one in everything if not inhibited(one, everything, inhibits)]
    for firing in everything:
        if firing not in heard:
            verdict.inhibited[firing.alert] = verdict.inhibited.get(firing.alert, 0) + 1
    judging = _Judging(incidents, heard, ends, state_file=state_file)
    wrong = [incident for incident in incidents if incident.kind in EXPECTED]
    verdict.outcomes += [judging.outcome(incident) for incident in wrong]
    unseen = [incident for incident in wrong if incident.kind in (*UNSEEING, *OWN_BLINDING)]
    real = [incident for incident in incidents if incident.kind in EXPECTED or incident.kind in STANDING]
    seen = [replace(incident, until=_seen_to_end(incident, unseen)) for incident in real]
    for firing in heard:
        _place(firing, [one for one in seen if _concerns(one, firing)], verdict)
    return verdict


class _Judging:
    """Judges each incident by what was heard, and by what made the alerts blind or forgetful."""

    def __init__(
        self, incidents: Sequence[Incident], heard: Sequence[Firing], ends: float, *, state_file: bool
    ) -> None:
        self._heard = heard
        self._ends = ends
        self._state_file = state_file
        ordered = sorted(incidents, key=lambda one: one.since)
        self._blind = [one for one in ordered if one.kind in BLINDING]
        self._restarts = [one for one in ordered if one.kind in RESTARTS and not state_file]
        self._gaps = [one for one in ordered if one.kind in GAPS]

    def outcome(self, incident: Incident) -> Outcome:
        """The outcome of an incident that an alert should find."""
        expected = EXPECTED[incident.kind]
        until = self._ends if incident.until is None else min(incident.until, self._ends)
        found = [
            one
            for one in self._heard
            if one.alert in expected.alerts
            and _same(incident, one)
            and one.until > incident.since
            and one.since <= until + _AFTERMATH
        ]
        delay = min((max(0.0, one.since - incident.since) for one in found), default=None)
        fired = Counter(_identity(one) for one in found)
        names = Counter(identity for identity, _ in {(_identity(one), _names(one)) for one in found})
        return Outcome(
            incident,
            delay,
            short=until < self._should_be_known(incident),
            fired=max(fired.values(), default=0),
            names=max(names.values(), default=0),
            forgotten=tuple(self._forgotten(incident, until, found)),
        )

    def _should_be_known(self, incident: Incident) -> float:
        """The moment by which it should be known.

        After an outage of the whole the count of a tenant's begins anew, and so it does after a restart without state.
        """
        expected = EXPECTED[incident.kind]
        moment = incident.since + expected.promised
        for one in self._blind if incident.tenant_id else ():
            if one.since <= moment and (one.until is None or moment < one.until + 2 * POLL):
                moment = _later(one, min(expected.within, HOUR) + 2 * expected.poll)
        for one in self._restarts if incident.kind not in RESTARTS else ():
            ended = one.until is not None and one.until <= incident.since
            if one.since <= moment and not ended:
                moment = inf if incident.kind in ONCE_A_NIGHT else max(moment, _later(one, expected.promised))
        return moment

    def _forgotten(self, incident: Incident, until: float, found: Sequence[Firing]) -> Iterable[Incident]:
        """The gaps before which it was found, and after which it was not found again in time."""
        for gap in self._gaps:
            if (
                gap is incident
                or gap.until is None
                or not any(one.since < gap.since <= one.until + POLL for one in found)
            ):
                continue
            silent = EXPECTED[incident.kind].silent
            again = gap.until + self._time_back(incident, gap)
            disturbed = any(
                one is not gap and one.since < again and _later(one, 0.0) > gap.since for one in self._blind
            )
            back = any(one.since <= again and one.until > again - silent for one in found)
            # The run that ends an incident may be under way for an hour, which suppresses the alert.
            if until > again + HOUR and not disturbed and not back:
                yield gap

    def _time_back(self, incident: Incident, gap: Incident) -> float:
        """Within how many seconds after a gap it must be found again."""
        expected = EXPECTED[incident.kind]
        known = _BACK + 2 * (expected.poll - POLL) + expected.silent
        if self._state_file or gap.kind not in RESTARTS:
            return known
        return inf if incident.kind in ONCE_A_NIGHT else known + expected.promised


def _later(incident: Incident, seconds: float) -> float:
    """So many seconds after its end."""
    return inf if incident.until is None else incident.until + seconds


def _identity(firing: Firing) -> tuple[str, frozenset[tuple[str, str]]]:
    """What an alert is about, whatever the names."""
    return firing.alert, frozenset(each for each in firing.labels.items() if each[0] not in _NAMES)


def _names(firing: Firing) -> tuple[str, ...]:
    return tuple(firing.labels.get(name, "") for name in _NAMES)


def _seen_to_end(incident: Incident, unseen: Sequence[Incident]) -> float | None:
    """When its end could be seen. What ended within an outage looks, for a while after that, as it did before."""
    until, threshold = incident.until, EXPECTED.get(incident.kind, EXPECTED["failing"]).promised
    for one in unseen:
        concerned = incident.tenant_id and one is not incident and one.tenant_id in ("", incident.tenant_id)
        if concerned and until and one.until and one.since <= until < one.until + 2 * POLL:
            until = one.until + threshold
    return until


def _same(incident: Incident, firing: Firing) -> bool:
    return not incident.tenant_id or not firing.tenant_id or incident.tenant_id == firing.tenant_id


def _concerns(incident: Incident, firing: Firing) -> bool:
    """Whether the alert may be about this incident; a fleet's alert is not about one tenant."""
    if incident.tenant_id and incident.tenant_id != firing.tenant_id:
        return False
    until = inf if incident.until is None else incident.until + _AFTERMATH
    return incident.since <= firing.since <= until


def _place(firing: Firing, about: Sequence[Incident], verdict: Verdict) -> None:
    """Count an alert as right, as company or as false."""
    expected = [EXPECTED[one.kind] for one in about if one.kind in EXPECTED]
    allowed = [one for one in expected if firing.severity in one.severities]
    if any(firing.alert in one.alerts for one in allowed):
        count = verdict.justified
    elif any(firing.alert in one.company for one in allowed) or any(
        firing.alert in STANDING[one.kind] for one in about if one.kind in STANDING
    ):
        count = verdict.company
    else:
        verdict.false.append(firing)
        return
    count[firing.alert] = count.get(firing.alert, 0) + 1
