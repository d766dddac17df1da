"""Stands for a number in the rules that a template fills in later, such as that of the Helm chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

# How the number is computed: a threshold's name, a constant, or an operation with its operands.
Formula = str | float | tuple["Formula", ...]
# A plain number, or a duration as people read it: `2 * 3600`.
Form = Literal["number", "units"]
# What stands for a number in the text.
Show = Callable[["Deferred", Form], str]


@dataclass(frozen=True)
class _Origin:
    formula: Formula
    show: Show


class Deferred(float):
    """A number of which only the formula is known. Its value is that of the defaults, in the threshold's unit.

    Sums, products and differences from a constant are deferred as well. Other operations give a plain number: a test
    changes all thresholds of the chart, and so finds a rule in which that happens.
    """

    origin: _Origin

    def __new__(cls, value: float, formula: Formula, show: Show) -> Self:
        """`show` returns the text for the number, and for all numbers that are computed from it."""
        made = super().__new__(cls, value)
        made.origin = _Origin(formula, show)
        return made

    @property
    def formula(self) -> Formula:
        """How it is computed."""
        return self.origin.formula

    def __format__(self, _: str) -> str:
        return self.origin.show(self, "number")

    def in_units(self) -> str:
        """The text for a duration."""
        return self.origin.show(self, "units")

    def __add__(self, other: float) -> Deferred:
        return self._computed(float(self) + float(other), "add", self, other)

    def __rsub__(self, other: float) -> Deferred:
        return self._computed(float(other) - float(self), "subtract", other, self)

    def __rmul__(self, other: float) -> Deferred:
        return self._computed(float(other) * float(self), "multiply", other, self)

    def rounded(self, digits: int) -> Deferred:
        """The same to so many decimals."""
        return self._computed(round(float(self), digits), "round", self, float(digits))

    def extreme(self, which: str, value: float, *others: float) -> Deferred:
        """The least (`min`) or greatest (`max`) of some numbers; `value` is the one with the defaults."""
        return self._computed(value, which, *others)

    def _computed(self, value: float, operation: str, *operands: float) -> Deferred:
        formulas = (one.formula if isinstance(one, Deferred) else float(one) for one in operands)
        return Deferred(value, (operation, *formulas), self.origin.show)
