"""Draws the delays of each kind of event against the rate limit, as SVG.

Each kind has a panel. Both axes are logarithmic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_COLOURS = {"plain": "#8a8f98", "priority": "#1f6fd6"}
_SHARES = {"1/50": 0.02, "1/20": 0.05, "1/10": 0.1, "1/5": 0.2, "1/2": 0.5, "1": 1.0}
_DELAYS = {"1 s": 1.0, "10 s": 10.0, "1 min": 60.0, "10 min": 600.0, "1 h": 3600.0, "3 h": 10_800.0}
_LEAST, _MOST = 1.0, 10_800.0
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 250.0, 150.0, 60.0, 64.0, 58.0
_COLUMNS = 3


@dataclass(frozen=True)
class Curve:
    """The points of a kind of event: the share of the rate limit, the median and the 95 % delay, in seconds."""

    kind: str
    strategy: str
    points: Sequence[tuple[float, float, float]]


def chart(curves: Sequence[Curve]) -> str:
    """The chart, as SVG."""
    kinds = list(dict.fromkeys(each.kind for each in curves))
    rows = math.ceil(len(kinds) / _COLUMNS)
    width, height = _LEFT + _COLUMNS * (_WIDTH + _GAP), _TOP + rows * (_HEIGHT + _GAP)
    font = 'font-family="sans-serif" font-size="11" fill="#333"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" {font}>',
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        *_heading(),
    ]
    for number, kind in enumerate(kinds):
        left = _LEFT + number % _COLUMNS * (_WIDTH + _GAP)
        top = _TOP + number // _COLUMNS * (_HEIGHT + _GAP)
        lines += [f'<g transform="translate({left:g} {top:g})">', *_panel(kind), *_lines(kind, curves), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _heading() -> Iterator[str]:
    yield f'<text x="{_LEFT:g}" y="20" font-size="14">Time from an event to its metric</text>'
    legend = "; solid: median, dashed: 95 %; x: rate limit as a share of what the poll intervals take"
    yield (
        f'<text x="{_LEFT:g}" y="38"><tspan fill="{_COLOURS["priority"]}">blue: priority</tspan>, '
        f'<tspan fill="{_COLOURS["plain"]}">grey: plain</tspan>{legend}</text>'
    )


def _panel(kind: str) -> Iterator[str]:
    yield f'<text y="-6" font-weight="bold">{kind}</text>'
    for text, delay in _DELAYS.items():
        y = _y(delay)
        yield f'<path d="M0 {y:.1f}H{_WIDTH:g}" stroke="#ddd"/>'
        yield f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{"never" if delay == _MOST else text}</text>'
    for text, share in _SHARES.items():
        yield f'<text x="{_x(share):.1f}" y="{_HEIGHT + 16:g}" text-anchor="middle">{text}</text>'


def _lines(kind: str, curves: Sequence[Curve]) -> Iterator[str]:
    for curve in (each for each in curves if each.kind == kind):
        for which, dashes in ((1, ""), (2, ' stroke-dasharray="4 3"')):
            drawn = [(_x(point[0]), _y(point[which])) for point in sorted(curve.points) if not math.isnan(point[which])]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
            colour = _COLOURS[curve.strategy]
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def _x(share: float) -> float:
    return _WIDTH * math.log(share / 0.02) / math.log(50)


def _y(delay: float) -> float:
    """Delays beyond the axis, and infinite ones, are at its end."""
    return _HEIGHT * (1 - math.log(min(max(delay, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST))
