"""Which names of an expression have a wrong value, and where they got it, by experiment."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from itertools import combinations, product
from types import CodeType, FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.operations.attribute_origins import find_attribute
from conformance.adapters.operations.frames import is_own, place_of
from conformance.adapters.operations.name_flow import expression_at, statement_at, stored_at
from conformance.adapters.operations.name_origins import Execution, Search, are_alike, plain
from conformance.adapters.protocols import Layer

_SELF = "self."
"""How names begin that stand for attributes of the module."""

_MOST = 8
"""Names of one expression that are tried."""


def try_names(
    layer: Layer,
    x: Any,
    flag: bool,
    place: Mapping[str, Any],
    got: Any,
    right: Any,
    others: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Evaluate an expression of a call on x, (N, D), anew with other values of its names.

    The layer is called operation by operation, and the expression evaluated before its statement.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        flag: The value of ``use_running_average``.
        place: Where the expression is, as ``trace_call`` reports it.
        got: The value that it has, by which its evaluation is recognized.
        right: The value that it should have; None to find the names that have the value ``got``.
        others: Values to try, by name; or what such a name should have.

    Returns:
        For each way to make it right with one name, or with two that got their values together:
        ``name``, that of the value tried, ``value``, what the name has instead of it, ``right``,
        and where it got that, described as a place is.
    """
    node = expression_at(place) or stored_at(place)
    if node is None:
        return []
    watch = _Watch(place, _Trials(node, plain(got), plain(right), others))
    before = sys.gettrace()
    with jax.disable_jit(), suppress(Exception):  # what it raises then is no answer
        sys.settrace(watch.enter)
        try:
            layer(x, flag)
        finally:
            sys.settrace(before)
    return watch.trials.found


class _Watch:
    """Follows a call through the functions of the implementation."""

    def __init__(self, place: Mapping[str, Any], trials: _Trials) -> None:
        self.trials, self._file = trials, place["file"]
        statement = statement_at(place["file"], place["line"], place["end_line"])
        self._lines = range(statement.lineno, (statement.end_lineno or 0) + 1) if statement else ()
        self._running: dict[FrameType, Execution] = {}
        self._own: dict[CodeType, bool] = {}

    def enter(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if event != "call" or not self._own.setdefault(code, is_own(code.co_filename)):
            return None
        around = frame.f_back
        while around is not None and around not in self._running:
            around = around.f_back
        execution = Execution(code, None)
        if around is not None:
            site = place_of(around.f_code, around.f_lasti)
            execution = Execution(code, self._running[around], site)
        execution.note(frame.f_locals)
        self._running[frame] = execution
        return self._step

    def _step(self, frame: FrameType, event: str, _: Any) -> Any:
        execution = self._running[frame]
        execution.note(frame.f_locals)
        if event == "line":
            execution.line = frame.f_lineno
            if frame.f_lineno in self._lines and frame.f_code.co_filename == self._file:
                sys.settrace(None)
                self.trials.make(execution, frame)
                sys.settrace(self.enter)
        if event == "return":
            del self._running[frame]
        return self._step


class _Trials:
    """Evaluates one expression with other values of its names.

    Attributes:
        found: What makes it right; see ``try_names``.
    """

    def __init__(self, node: ast.expr, got: Any, right: Any, others: Mapping[str, Any]) -> None:
        self.found: list[dict[str, Any]] = []
        self._got, self._right, self._others = got, right, others
        node = _Attributes().visit(deepcopy(node))
        self._code = compile(ast.Expression(node), "<expression>", "eval")
        names = (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
        self._names = [*dict.fromkeys(names)][:_MOST]

    def make(self, execution: Execution, frame: FrameType) -> None:
        """Try all values, just before the statement of the expression is executed."""
        names = {**frame.f_globals, **frame.f_locals}
        owned = (name for name in self._names if name.startswith(_SELF))
        with suppress(AttributeError):
            names |= {name: getattr(names.get("self"), name[len(_SELF) :]) for name in owned}
        local = [name for name in self._names if name in frame.f_locals or name.startswith(_SELF)]
        if self._right is None:
            held = [name for name in local if are_alike(names.get(name), self._got)]
            wanted = next(iter(self._others.items()))
            self._add(execution, names, dict.fromkeys(held, wanted))
        elif not self.found and are_alike(self._evaluate(names, {}), self._got):
            self._try(execution, names, local)

    def _try(self, execution: Execution, names: dict[str, Any], local: list[str]) -> None:
        fitting = {name: [*self._fitting(names.get(name))] for name in local}
        for name in local:
            for other in fitting[name]:
                if self._is_right(names, {name: other}):
                    self._add(execution, names, {name: other})
        if self.found:
            return
        for one, two in combinations(local, 2):
            if not _bound_together(execution, one, two):
                continue
            for pair in product(fitting[one], fitting[two]):
                if self._is_right(names, dict(zip((one, two), pair, strict=True))):
                    self._add(execution, names, {one: pair[0], two: pair[1]})
                    return

    def _fitting(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield the values to try in the place of one, by name."""
        here = plain(value)
        for name, each in self._others.items():
            other = np.asarray(each)
            if here is None or other.size != here.size or are_alike(here, other):
                continue
            if isinstance(value, bool | np.bool_):
                continue
            if isinstance(value, int | float):
                yield name, float(other.ravel()[0])
            elif other.ndim:
                yield name, jnp.asarray(other.reshape(here.shape), value.dtype)

    def _is_right(self, names: dict[str, Any], changed: dict[str, tuple[str, Any]]) -> bool:
        values = {name: value for name, (_, value) in changed.items()}
        return are_alike(self._evaluate(names, values), self._right)

    def _evaluate(self, names: dict[str, Any], changed: dict[str, Any]) -> Any:
        try:
            return plain(eval(self._code, names | changed))  # noqa: S307  of the implementation
        except Exception:  # noqa: BLE001  whatever it raises, it has no value
            return None

    def _add(
        self, execution: Execution, names: dict[str, Any], changed: dict[str, tuple[str, Any]]
    ) -> None:
        for name, (other, value) in changed.items():
            if name.startswith(_SELF):
                origin = find_attribute(type(names["self"]), name[len(_SELF) :])
            else:
                search = Search(value, find_attribute, exchanged=self._right is None)
                origin = search.of_name(execution, name)
            if origin is not None:
                values = {"value": plain(names[name]), "right": plain(value)}
                self.found.append({**origin, **values, "name": other})


class _Attributes(ast.NodeTransformer):
    """Turns the attributes of a module that an expression uses into names."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.value, ast.Name) or node.value.id != "self":
            return node
        return ast.copy_location(ast.Name(_SELF + node.attr, ast.Load()), node)


def _bound_together(execution: Execution, one: str, two: str) -> bool:
    """Return whether two names got their values by one statement."""
    lines = {each and each.line for each in map(execution.last, (one, two))}
    return len(lines) == 1 and None not in lines
