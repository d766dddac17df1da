"""Judges a backtest: which incidents an alert found, how soon, and which alerts were false.

Holds what fired against what was wrong. Alerts that Alertmanager inhibits count as not sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from exporter.simulator import Incident
from tests.support.backtest.engine import Firing
from tests.support.backtest.expectations import BLINDING, EXPECTED, HOUR, OWN_BLINDING, POLL, STANDING

# An alert may be this late to begin after its incident is over: the exporter has to see the end, Prometheus has to
# scrape it, and a rule group has to be evaluated.
_AFTERMATH = 2 * POLL + 300.0
# Alertmanager delays new groups (`group_wait`), and resolved notifications.
_GRACE = 300.0
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"?([^"]*)"?\s*')


@dataclass(frozen=True)
class Outcome:
    """The result of an incident: `delay` in seconds, None if it was not found; `short` if it need not have been.

    `fired` is how often the same alert of the same severity fired for it: more than once is flapping.
    """

    incident: Incident
    delay: float | None
    short: bool = False
    fired: int = 0


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


def judge(
    incidents: Sequence[Incident], firings: Iterable[Firing], inhibits: Sequence[Inhibit], ends: float
) -> Verdict:
    """Compare what fired with the incidents; `ends` is the end of the recording in Unix seconds."""
    verdict = Verdict()
    everything = list(firings)
    heard = [one for one in everything if not _inhibited(one, everything, inhibits)]
    for firing in everything:
        if firing not in heard:
            verdict.inhibited[firing.alert] = verdict.inhibited.get(firing.alert, 0) + 1
    wrong = [incident for incident in incidents if incident.kind in EXPECTED]
    blind = [incident for incident in wrong if incident.kind in BLINDING]
    for incident in wrong:
        verdict.outcomes.append(_outcome(incident, heard, blind, ends))
    unseen = [incident for incident in wrong if incident.kind in (*BLINDING, *OWN_BLINDING)]
    real = [incident for incident in incidents if incident.kind in EXPECTED or incident.kind in STANDING]
    seen = [replace(incident, until=_seen_to_end(incident, unseen)) for incident in real]
    for firing in heard:
        _place(firing, [one for one in seen if _concerns(one, firing)], verdict)
    return verdict


def _outcome(incident: Incident, heard: Sequence[Firing], blind: Sequence[Incident], ends: float) -> Outcome:
    expected = EXPECTED[incident.kind]
    until = ends if incident.until is None else min(incident.until, ends)
    found = [
        one
        for one in heard
        if one.alert in expected.alerts
        and _same(incident, one)
        and one.until > incident.since
        and one.since <= until + _AFTERMATH
    ]
    short = until < _should_be_known(incident, blind)
    delay = min((max(0.0, one.since - incident.since) for one in found), default=None)
    times = Counter(frozenset(one.labels.items()) for one in found)
    return Outcome(incident, delay, short, max(times.values(), default=0))


def _should_be_known(incident: Incident, blind: Sequence[Incident]) -> float:
    """The moment by which it should be known; after an outage of the whole the count of a tenant's begins anew."""
    expected = EXPECTED[incident.kind]
    moment = incident.since + expected.promised
    for one in blind:
        if incident.tenant_id and one.since <= moment and (one.until is None or moment < one.until + 2 * POLL):
            moment = float("inf") if one.until is None else one.until + min(expected.within, HOUR) + 2 * expected.poll
    return moment


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
    until = float("inf") if incident.until is None else incident.until + _AFTERMATH
    return incident.since <= firing.since <= until


def _company(kind: str) -> Mapping[str, str]:
    return EXPECTED[kind].company if kind in EXPECTED else STANDING[kind]


def _place(firing: Firing, about: Sequence[Incident], verdict: Verdict) -> None:
    if any(firing.alert in EXPECTED[one.kind].alerts for one in about if one.kind in EXPECTED):
        count = verdict.justified
    elif any(firing.alert in _company(one.kind) for one in about):
        count = verdict.company
    else:
        verdict.false.append(firing)
        return
    count[firing.alert] = count.get(firing.alert, 0) + 1


# Inhibition


@dataclass(frozen=True)
class Inhibit:
    """One of Alertmanager's inhibition rules."""

    source: tuple[tuple[str, str, str], ...]
    target: tuple[tuple[str, str, str], ...]
    equal: tuple[str, ...]


def inhibits(config: Path) -> list[Inhibit]:
    """The inhibition rules of an Alertmanager configuration."""
    rules = yaml.safe_load(config.read_text()).get("inhibit_rules") or []
    return [
        Inhibit(_matchers(rule, "source"), _matchers(rule, "target"), tuple(rule.get("equal") or ())) for rule in rules
    ]


def _matchers(rule: Mapping[str, Any], side: str) -> tuple[tuple[str, str, str], ...]:
    found = [_MATCHER.fullmatch(text) for text in rule.get(f"{side}_matchers") or ()]
    if None in found:
        raise ValueError(f"a matcher that can't be read, in {rule}")
    return tuple((match[1], match[2], match[3].strip()) for match in found if match)


def _inhibited(firing: Firing, others: Sequence[Firing], rules: Sequence[Inhibit]) -> bool:
    """Whether Alertmanager sent no notification: it was inhibited when it began, and for as long as it lasted."""
    labels = {**firing.labels, "alertname": firing.alert}
    for rule in rules:
        if not _matches(labels, rule.target):
            continue
        for other in others:
            theirs = {**other.labels, "alertname": other.alert}
            covers = other.since <= firing.since + _GRACE and other.until >= firing.until - _GRACE
            if (
                other is not firing
                and covers
                and _matches(theirs, rule.source)
                and not _matches(theirs, rule.target)
                and all(labels.get(name, "") == theirs.get(name, "") for name in rule.equal)
            ):
                return True
    return False


def _matches(labels: Mapping[str, str], matchers: Iterable[tuple[str, str, str]]) -> bool:
    return all(_match(labels.get(name, ""), how, wanted) for name, how, wanted in matchers)


def _match(value: str, how: str, wanted: str) -> bool:
    same = bool(re.fullmatch(wanted, value)) if "~" in how else value == wanted
    return same != how.startswith("!")
