"""Makes any history, of any type that its parts have, without the fields that the state file does not have."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from exporter.history import History
from exporter.history.ingestions import TypeAndState

# None, one and several are enough: an example with more takes longer to make, and tests nothing else.
MOST = 2
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_WORDS = st.from_regex(r"[A-Za-z0-9_./:-]{0,8}", fullmatch=True)
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    float: st.floats(0, 253_402_300_800, exclude_max=True),
    int: st.integers(0, 2**53),
    str: _TEXTS,
    bool: st.booleans(),
    types.NoneType: st.none(),
    TypeAndState: st.tuples(_WORDS, _WORDS),
}


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    return _dataclass(kind) if is_dataclass(kind) else _generic(kind)


def _generic(kind: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return of(arguments[0])
    if origin in (Union, types.UnionType):
        return st.one_of(*map(of, arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is Mapping:
        return st.dictionaries(*map(of, arguments), max_size=MOST)
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(of(arguments[0]), max_size=MOST).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, arguments))
    raise TypeError(f"no strategy for {kind}")


def _dataclass(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, include_extras=True)
    kept = [each.name for each in fields(kind) if not _excluded(hints[each.name])]
    return st.builds(kind, **{name: of(hints[name]) for name in kept})


def _excluded(hint: Any) -> bool:
    return any(isinstance(mark, FieldInfo) and mark.exclude for mark in getattr(hint, "__metadata__", ()))


HISTORIES: st.SearchStrategy[History] = of(History)
IDENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
FLEETS: st.SearchStrategy[dict[str, History]] = st.dictionaries(IDENTS, HISTORIES, max_size=MOST)
