"""Evaluates a jaxpr equation by equation; some of its values may be replaced by others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from conformance.adapters.operations.frames import Frame, frames_of

MOST_STEPS = 400

CALLS = frozenset(
    {"checkpoint", "closed_call", "custom_jvp_call", "custom_vjp_call", "jit", "pjit", "remat"}
)
"""Primitives that apply one function to their operands."""

_MOVES = frozenset(
    {"broadcast_in_dim", "copy", "copy_p", "reshape", "squeeze", "stop_gradient", "transpose"}
)
"""Primitives that compute no number."""


class TooLongError(Exception):
    """A call has too many equations."""


@dataclass(frozen=True, slots=True)
class Step:
    """An equation that was evaluated; values have numbers, in the order of their computation.

    Attributes:
        eqn: The equation.
        frames: Where it is from.
        operands: The values that it uses, without literals.
        results: The values that it computes.
    """

    eqn: core.JaxprEqn
    frames: tuple[Frame, ...]
    operands: tuple[int, ...]
    results: tuple[int, ...]

    @property
    def moves(self) -> bool:
        """Whether it computes no number."""
        return self.eqn.primitive.name in _MOVES


@dataclass(slots=True)
class Evaluation:
    """Equations and their values; the functions that they call are evaluated in their place.

    Attributes:
        replaced: Values that take the place of computed ones, by number.
        before: The evaluation without them, whose values are used where nothing has changed.
        stopped: The place of equations whose gradient is stopped.
        values: All values by number.
        given: The numbers of what was given.
        steps: The equations, but those that call functions.
        outputs: The numbers of the results, by name.
        results: The results by name.
        handed: The numbers of values that others than the steps use.
        opaque: Whether it is unknown which results depend on which values.
    """

    replaced: Mapping[int, Any] = field(default_factory=dict)
    before: Evaluation | None = None
    stopped: tuple[Frame, ...] = ()
    values: dict[int, Any] = field(default_factory=dict)
    given: set[int] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, int] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    handed: set[int] = field(default_factory=set)
    opaque: bool = False
    _changed: set[int] = field(default_factory=set)
    _moved: dict[int, int] = field(default_factory=dict)

    def give(self, values: Sequence[Any]) -> list[int]:
        """Add values that are given; return their numbers."""
        numbers = [self._add(each) for each in values]
        self.given |= set(numbers)
        return numbers

    def root(self, number: int) -> int:
        """Return the value of which a value is a copy in another shape."""
        return self._moved.get(number, number)

    def reached(self) -> dict[int, frozenset[str]]:
        """Return the names of the results that depend on each value; all, if that is unknown."""
        every = frozenset(self.outputs)
        found: dict[int, frozenset[str]] = {}
        for name, number in self.outputs.items():
            found[number] = found.get(number, frozenset()) | {name}
        for step in reversed(self.steps):
            results = (found.get(each, frozenset()) for each in step.results)
            names = frozenset[str]().union(*results)
            for each in step.operands:
                found[each] = found.get(each, frozenset()) | names
        return {each: every if self.opaque else found.get(each, every) for each in self.values}

    def run(self, jaxpr: core.Jaxpr, consts: Sequence[Any], operands: Sequence[int]) -> list[int]:
        """Evaluate a function, and return the numbers of its results.

        Args:
            jaxpr: The function.
            consts: What it closes over.
            operands: The numbers of its arguments.

        Raises:
            TooLongError: There are more than 400 equations.
        """
        at = dict(zip(jaxpr.constvars, self.give(consts), strict=True))
        at |= dict(zip(jaxpr.invars, operands, strict=True))
        for eqn in jaxpr.eqns:
            found = next((self._run_called(*each, eqn, at) for each in _called(eqn)), None)
            at |= zip(eqn.outvars, found or self._evaluate(eqn, at), strict=True)
        return [self._number(each, at) for each in jaxpr.outvars]

    def _run_called(
        self, jaxpr: core.Jaxpr, consts: Sequence[Any], eqn: core.JaxprEqn, at: Mapping[Any, int]
    ) -> list[int]:
        return self.run(jaxpr, consts, [self._number(each, at) for each in eqn.invars])

    def _number(self, atom: Any, at: Mapping[Any, int]) -> int:
        return self.give([atom.val])[0] if isinstance(atom, core.Literal) else at[atom]

    def _evaluate(self, eqn: core.JaxprEqn, at: Mapping[Any, int]) -> list[int]:
        if len(self.steps) >= MOST_STEPS:
            raise TooLongError
        used = tuple(at[v] for v in eqn.invars if not isinstance(v, core.Literal))
        first = len(self.values)
        if self.before is not None and self._changed.isdisjoint(used):
            results = [self.before.values[first + k] for k in range(len(eqn.outvars))]
        else:
            values = [_value(each, at, self.values) for each in eqn.invars]
            results = _apply_wider(eqn, values) if self._wider(used) else _apply(eqn, values)
            self._changed |= set(range(first, first + len(results)))
        frames = frames_of(eqn)
        if self.stopped and frames == self.stopped:
            results = [lax.stop_gradient(each) for each in results]
        numbers = [self._add(each) for each in results]
        self.steps.append(Step(eqn, frames, used, tuple(numbers)))
        if eqn.primitive.name in _MOVES:
            self._moved |= dict.fromkeys(numbers, self.root(used[0]) if used else numbers[0])
        return numbers

    def _wider(self, numbers: Sequence[int]) -> bool:
        """Return whether a value among some has more numbers than it had before."""
        if self.before is None:
            return False
        pairs = [(self.values[each], self.before.values[each]) for each in numbers]
        return any(np.shape(new) != np.shape(old) for new, old in pairs)

    def _add(self, value: Any) -> int:
        number = len(self.values)
        if number in self.replaced:
            new = jnp.asarray(self.replaced[number], value.dtype)
            value = new.reshape(value.shape) if new.size == value.size else new
            self._changed.add(number)
        self.values[number] = value
        return number


def _value(atom: Any, at: Mapping[Any, int], values: Mapping[int, Any]) -> Any:
    return atom.val if isinstance(atom, core.Literal) else values[at[atom]]


def _apply(eqn: core.JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    bound = eqn.primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # before JAX 0.8
    found = eqn.primitive.bind(*functions, *operands, **params)
    return list(found) if eqn.primitive.multiple_results else [found]


def _apply_wider(eqn: core.JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    """Apply an equation elementwise to operands of which some have more numbers than expected."""
    (out,) = eqn.outvars
    shape = np.broadcast_shapes(out.aval.shape, *map(np.shape, operands))
    wide = [jnp.broadcast_to(each, shape) for each in operands]
    return wide[:1] if eqn.primitive.name in _MOVES else _apply(eqn, wide)


def _called(eqn: core.JaxprEqn) -> Iterator[tuple[core.Jaxpr, Sequence[Any]]]:
    """Yield the function that an equation applies to its operands, if it does."""
    if eqn.primitive.name not in CALLS:
        return
    for value in eqn.params.values():
        closed = isinstance(value, core.ClosedJaxpr)
        jaxpr = value.jaxpr if closed else value
        if isinstance(jaxpr, core.Jaxpr) and len(jaxpr.invars) == len(eqn.invars):
            yield jaxpr, value.consts if closed else ()
            return
