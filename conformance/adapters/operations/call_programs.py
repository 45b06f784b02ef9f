"""Calls and their backward passes as equations, which are evaluated with values replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax.extend import core, linear_util

from conformance.adapters.operations.evaluation import Evaluation
from conformance.adapters.operations.expressions import Traceable
from conformance.adapters.operations.frames import Frame, innermost_frames
from conformance.adapters.protocols import ARRAYS


@dataclass(frozen=True, slots=True)
class CallProgram:
    """A function of arrays that returns arrays by name.

    Attributes:
        closed: The function.
        given: Its arguments.
        names: The names of its results.
        derived: Where expressions are that do not count.
    """

    closed: core.ClosedJaxpr
    given: Any
    names: Sequence[str]
    derived: frozenset[Frame] = frozenset()

    @classmethod
    def of(cls, function: Callable[..., dict[str, Any]], *given: Any) -> CallProgram:
        """Trace a function.

        Args:
            function: It returns arrays by name.
            given: Its arguments.
        """
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*given)
        return cls(closed, given, sorted(shapes))

    def evaluate(
        self,
        replaced: Mapping[int, Any],
        before: Evaluation | None = None,
        stopped: tuple[Frame, ...] = (),
    ) -> Evaluation:
        """Evaluate it.

        Args:
            replaced: Values that take the place of computed ones, by number.
            before: The evaluation without them.
            stopped: The place of equations whose gradient is stopped.
        """
        done = Evaluation(replaced, before, stopped)
        operands = done.give(jax.tree.leaves(self.given))
        numbers = done.run(self.closed.jaxpr, self.closed.consts, operands)
        done.outputs = dict(zip(self.names, numbers, strict=True))
        done.results = {name: done.values[number] for name, number in done.outputs.items()}
        return done


def program_of_call(traced: Traceable, x: Any) -> CallProgram:
    """Return a call of a layer on x: y and the four arrays afterwards."""
    return CallProgram.of(lambda s, b: _named(*traced.call(s, b)), traced.state, x)


def program_of_gradient(traced: Traceable, x: Any, w: Any) -> CallProgram | BackwardProgram:
    """Return the gradients of Σ w·y with respect to x, (N, D), and the four arrays, (D,)."""

    def call(state: Any, batch: Any) -> Any:
        return traced.call(state, batch)[0]

    def pull(state: Any, batch: Any, cotangent: Any) -> Any:
        y, pullback = jax.vjp(call, state, batch)
        of_state, of_x = pullback(cotangent.reshape(y.shape).astype(y.dtype))
        return {**_only_arrays(traced.read(of_state)), "x": of_x}

    forward = jax.make_jaxpr(call)(traced.state, x)
    derived = frozenset(innermost_frames(forward.jaxpr))
    made = CallProgram.of(pull, traced.state, x, w)
    made = CallProgram(made.closed, made.given, made.names, derived)
    written = any("bwd" in eqn.params for eqn in forward.jaxpr.eqns)
    return BackwardProgram(made, _Pullback(traced, forward, made.given)) if written else made


@dataclass(frozen=True, slots=True)
class BackwardProgram:
    """A backward pass with functions written by hand.

    Attributes:
        pull: The backward pass as JAX traces it: this has the rules of ``jax.custom_jvp``.
        pullback: The same with the functions.
    """

    pull: CallProgram
    pullback: _Pullback

    @property
    def derived(self) -> frozenset[Frame]:
        """Where expressions are that do not count."""
        return self.pull.derived

    def evaluate(self, replaced: Mapping[int, Any], before: Evaluation | None = None) -> Evaluation:
        """Evaluate it; see ``CallProgram.evaluate``."""
        done = self.pull.evaluate(replaced, before)
        done.opaque, done.before = True, None  # a function may depend on another
        last = len(done.values)
        results = self.pullback.run(done)
        if all(number >= last for number in replaced):
            done.results = results
        return done


class _Pullback:
    """The backward pass of a call, whose functions are evaluated equation by equation.

    JAX says of their equations that they are from the call: so they are traced by themselves.
    """

    def __init__(self, traced: Traceable, forward: core.ClosedJaxpr, given: Any) -> None:
        self._read = traced.read
        self._apply: Callable[..., Any] = self._note
        self._noted: list[tuple[Any, tuple[Any, ...]]] = []
        leaves, self._tree = jax.tree.flatten(given[0])
        eqns = [self._watched(eqn) for eqn in forward.jaxpr.eqns]
        jaxpr = core.ClosedJaxpr(forward.jaxpr.replace(eqns=eqns), forward.consts)
        (y,), self._pull = jax.vjp(core.jaxpr_as_fun(jaxpr), *leaves, given[1])
        self._w = given[2].reshape(y.shape).astype(y.dtype)
        self._pull([self._w])
        self._functions = [
            jax.make_jaxpr(backward.call_wrapped, return_shape=True)(*operands)
            for backward, operands in self._noted
        ]

    def run(self, done: Evaluation) -> dict[str, Any]:
        """Return the gradients by name, and add what is evaluated."""
        functions = iter(self._functions)

        def apply(_: Any, *operands: Any) -> Any:
            closed, shapes = next(functions)
            numbers = done.run(closed.jaxpr, closed.consts, done.give(operands))
            done.handed |= set(numbers)
            values = [done.values[number] for number in numbers]
            return jax.tree.unflatten(jax.tree.structure(shapes), values)

        self._apply = apply
        *others, of_x = self._pull([self._w])
        of_state = jax.tree.unflatten(self._tree, others)
        return {**_only_arrays(self._read(of_state)), "x": of_x}

    def _note(self, backward: Any, *operands: Any) -> Any:
        self._noted.append((backward, operands))
        return backward.call_wrapped(*operands)

    def _watched(self, eqn: core.JaxprEqn) -> core.JaxprEqn:
        """Return an equation whose backward function is applied by this object."""
        backward = eqn.params.get("bwd")
        if backward is None:
            return eqn
        wrapped = linear_util.wrap_init(
            lambda *operands: self._apply(backward, *operands), debug_info=backward.debug_info
        )
        return eqn.replace(params={**eqn.params, "bwd": wrapped})


def _named(y: Any, after: Mapping[str, Any]) -> dict[str, Any]:
    return {**_only_arrays(after), "y": y}


def _only_arrays(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if name in ARRAYS}
