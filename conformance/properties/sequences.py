"""SEQ: whole programs of calls, writes and copies, against a NumPy model.

After every step the output, the state of every live layer, the inputs and the earlier outputs
are checked. On layers that are not an ``nnx.Module`` a jitted call is a plain one, and copies are
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from conformance.adapters.operations.values import Given, Ref
from conformance.adapters.protocols import ARRAYS
from conformance.numerics.state import AnyArray, Float32, State
from conformance.properties.support.checks import ViolationFound, check_identical, check_within
from conformance.properties.support.claims import check_evaluated
from conformance.properties.support.layer_handle import WRITE, LayerHandle
from conformance.properties.support.property import requirement
from conformance.properties.support.sequence_model import Expected
from conformance.properties.support.session import Answer, as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.programs import AGAIN, RUNS, Program, Step, mutate, programs


@requirement("BN-SEQ-1", share=0.3, program=programs)
def any_sequence_follows_the_model(subject: Subject, program: Program) -> None:
    """after each step of a program: y, all states, inputs and earlier outputs are right"""
    run = Run.start(subject, program)
    run.check(None)
    for number, step in enumerate(program.steps, 1):
        subject.session.later(partial(run.enter, number))
        run.check(run.take(step))
    try:
        subject.session.finish()
    except ViolationFound as found:
        if run.entered == 0:
            raise
        step = program.steps[run.entered - 1]
        call = run.calls if step.times > 1 else None
        where = replace(found.finding, step=run.entered, call=call, action=repr(step))
        raise ViolationFound(where, found.comparison) from found


@dataclass(slots=True)
class Live:
    """A live layer and what it must hold."""

    layer: LayerHandle
    expected: Expected


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be repeated.

    Attributes:
        evaluate: Whether it evaluates.
        x: The very object that was passed.
        batch: The number of the batch that it stands for.
        of: The numbers in it, (N, D), if they do not change with the batch.
    """

    evaluate: bool
    x: Ref
    batch: int
    of: AnyArray | None = None


ALIVE = 3
"""Live layers at most: a copy beyond that takes the place of another."""


@dataclass(slots=True)
class Run:
    """A program in progress: the operations of a step come first, its checks after them.

    ``buffers`` are the NumPy arrays that the layers are passed, the same objects throughout;
    ``inputs`` are what they must contain. ``outputs`` pairs each y, as it was returned, with
    its copy. ``entered`` is the number of the step that is being checked, of which ``calls`` calls
    have been checked, or are being checked.
    """

    subject: Subject
    program: Program
    live: list[Live]
    buffers: list[Ref]
    inputs: list[Float32]
    outputs: list[tuple[Ref, AnyArray]]
    last: Call
    now: int = 0
    entered: int = 0
    calls: int = 0

    @classmethod
    def start(cls, subject: Subject, program: Program) -> Run:
        """Build the two layers."""
        buffers = [subject.put(batch) for batch in program.batches]
        inputs = [batch.copy() for batch in program.batches]
        layers = (
            subject.build(program.case.config, program.case.state),
            subject.build(program.other.config),
        )
        states = [layer.usable_state for layer in layers]
        live = [
            Live(layer, Expected.from_state(layer.fresh_config, state, subject.conventions))
            for layer, state in zip(layers, states, strict=True)
        ]
        return cls(subject, program, live, buffers, inputs, [], Call(True, buffers[0], 0))

    @property
    def current(self) -> Live:
        """The layer that the steps are about."""
        return self.live[self.now]

    @property
    def _nnx(self) -> bool:
        return self.subject.implementation.nnx_module

    def enter(self, number: int) -> None:
        """Note that the checks of a step begin."""
        self.entered, self.calls = number, 0

    def take(self, step: Step) -> Live | None:
        """Take one step; return the layer that it has trained, if any."""
        kind = step.kind
        if kind in RUNS:
            return self._run(step)
        if kind in COPIED_BY:
            self._copy(COPIED_BY[kind])
        elif kind == "split and merge":
            self.current.layer = self.current.layer.restore()
        elif kind == "switch":
            self._switch()
        elif kind == "mutate":
            self._mutate(step.batch)
        elif kind == "reset":
            self._write(State.fresh(self.current.layer.fresh_config.features), ARRAYS)
        elif kind == "set":
            self._write(self.program.states[step.state], ARRAYS)
        elif kind.startswith("set "):
            self._write(self.program.states[step.state], (kind.removeprefix("set "),))
        else:
            return self._call(self._next(step), jit=step.jit and self._nnx)
        return None

    def _next(self, step: Step) -> Call:
        """Return the call of a step; ``again`` hands over the very object of the last one."""
        if step.kind in AGAIN:
            if step.kind != "again":
                self._mutate(step.batch)
            return self._up_to_date(self.last)
        buffer = self.buffers[step.batch]
        call = Call(step.kind == "evaluate", buffer, step.batch)
        return self._with_jax_array(call) if step.as_jax else call

    def _with_jax_array(self, call: Call) -> Call:
        numbers = self.inputs[call.batch].copy()
        return replace(call, x=self.subject.put(Given(numbers, "jnp.asarray")), of=numbers)

    def _switch(self) -> None:
        self.now = (self.now + 1) % len(self.live)

    def _mutate(self, batch: int) -> None:
        mutate(self.inputs[batch])
        changing = "changing x in place"
        self.subject.session.do(
            "overwrite", self.buffers[batch], self.inputs[batch].copy(), label=changing
        )

    def _up_to_date(self, call: Call) -> Call:
        """Return a call whose JAX array, if it has one, has what the buffer has by now."""
        if call.of is None or np.array_equal(call.of, self.inputs[call.batch]):
            return call
        return self._with_jax_array(call)

    def _call(self, call: Call, *, jit: bool = False) -> Live | None:
        """Make one call; return the layer if it is trained."""
        session, live, x = self.subject.session, self.current, self.inputs[call.batch].copy()
        session.later(self._count_call)
        mode = "evaluation" if call.evaluate else "training"
        label = f"the call in {mode}{' under nnx.jit' * jit}"
        name = "call_jitted_live" if jit else "call_live"
        y = live.layer.keep(name, call.x, call.evaluate, label=label)
        copied = self.subject.reread("y", y)
        self.outputs.append((y, copied))
        self.last = call
        check = self._check_evaluated if call.evaluate else self._check_trained
        session.later(partial(check, live, x, copied))
        return None if call.evaluate else live

    def _count_call(self) -> None:
        self.calls += 1

    def _check_evaluated(self, live: Live, x: Float32, y: AnyArray) -> None:
        """Check y of an evaluation at the state that was seen last."""
        expected, conventions = live.expected, self.subject.conventions
        check_evaluated(expected.config, expected.seen, x, y, conventions)

    def _check_trained(self, live: Live, x: Float32, y: AnyArray) -> None:
        """Check y of a training call, which moves what is expected of the layer."""
        live.expected.train(x)
        check_within("y in training", y, *live.expected.model.output(x, live.expected.seen))

    def _run(self, step: Step) -> Live | None:
        """Make many calls; the two batches take turns, so that nothing converges."""
        trained = None
        for turn in range(step.times):
            batch, mode = step.batches[turn % 2], RUNS[step.kind][turn % 2]
            call = Call(mode == "evaluate", self.buffers[batch], batch)
            trained = self._call(call)
            if step.kind in {"alternate", "interleave"}:
                self._check_states(trained)  # a call is judged at the state as seen before it
                trained = None
            if step.kind == "interleave":
                self._switch()
        return trained

    def _copy(self, name: str) -> None:
        """Go on with a copy; the layer copied stays alive, and one switch away."""
        if not self._nnx:
            return
        original = self.current
        ref = original.layer.keep("copy_by", name, label=name)
        copied = Live(original.layer.at(ref), original.expected)
        self.subject.session.later(partial(_copy_expected, copied, original))
        self.live.insert(self.now, copied)
        if len(self.live) > ALIVE:
            neither = (self.now + 2) % len(self.live)  # the copy nor what was copied
            del self.live[neither]
            self.now -= neither < self.now

    def _write(self, state: State, names: tuple[str, ...]) -> None:
        given = {name: array for name, array in state.arrays().items() if name in names}
        self.current.layer.do("write", given, label=WRITE)
        live = self.current
        self.subject.session.later(lambda: live.expected.write(given))

    def check(self, trained: Live | None) -> None:
        """Check everything that is not an output of the step."""
        self._check_states(trained)
        self._check_untouched()

    def _check_states(self, trained: Live | None) -> None:
        session = self.subject.session
        for live in self.live:
            if live is trained:
                session.later(partial(_check_moved, live, live.layer.usable_state))
            else:
                beside = "" if live is self.current else " of another layer"
                session.later(partial(_check_still, live, live.layer.state, beside))

    def _check_untouched(self) -> None:
        """Check inputs, and the outputs of the last calls."""
        session = self.subject.session
        kept = [*self.buffers, *(y for y, _ in self.outputs)]
        answer = session.request("reread", kept, label="reading x and earlier y again")
        inputs = [batch.copy() for batch in self.inputs]
        copies = [copied for _, copied in self.outputs]
        session.later(partial(_check_kept, answer, inputs, copies))
        del self.outputs[:-_KEPT]


def _copy_expected(copied: Live, original: Live) -> None:
    copied.expected = original.expected.copy()


def _check_moved(live: Live, state: State) -> None:
    live.expected.check_moved(state)


def _check_still(live: Live, state: State, beside: str) -> None:
    live.expected.check_still(state, beside)


def _check_kept(answer: Answer, inputs: list[Float32], outputs: list[AnyArray]) -> None:
    """Check that inputs and earlier outputs are as they were."""
    for i, wanted in enumerate(inputs):
        check_identical(f"x{i}", answer.value[i], wanted, rule="untouched by the layer")
    for copied, y in zip(outputs, answer.value[len(inputs) :], strict=True):
        got = as_array("an earlier y", y)
        check_identical("an earlier y", got, copied, rule="as it was returned")


_KEPT = 12
"""Earlier outputs that are looked at again."""

COPIED_BY = {"clone": "nnx.clone", "deepcopy": "copy.deepcopy", "pickle": "pickle"}
"""The kinds of step that copy, and how; only stored programs have others than clones."""
