"""SEQ: a program of calls, writes and copies as literal code, up to the step that failed.

``x0`` to ``x2`` are the required contents of the batches, ``buffers`` the arrays that the layers
receive. For each layer ``expected_…`` follows its running statistics by the definition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.numerics.state import State
from conformance.properties.sequences import ALIVE, COPIED_BY
from conformance.report.reproducers.recipes.compilation import JITTED
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.recipes.serialization import COPIES
from conformance.report.reproducers.scene import Live, build, check_evaluated
from conformance.report.reproducers.script import Script
from conformance.strategies.programs import AGAIN, RUNS, Program, Step, mutate


@recipe("BN-SEQ-1")
def program(script: Script, program: Program) -> None:
    """Write the steps; the comparisons are those after the last one."""
    step = script.finding.step
    count = len(program.steps) if step is None else step
    written = _Written.starting(script, program)
    if step is None and not script.raised:
        written.compare(None)
    for number, taken in enumerate(program.steps[:count], 1):
        script(f"# step {number}: {taken!r}")
        last = number == script.finding.step
        written.take(taken, last=last, calls=(script.finding.call or 0) * last)


@dataclass(slots=True)
class _Written:
    """A program as far as it has been written; the fields are those of ``sequences.Run``."""

    script: Script
    program: Program
    live: list[Live]
    inputs: list[np.ndarray]
    calls: dict[str, int]
    now: int = 0
    last: tuple[bool, int, np.ndarray | None] = (True, 0, None)
    copies: int = 0
    seeing: bool = False

    @classmethod
    def starting(cls, script: Script, program: Program) -> _Written:
        """Build the two layers."""
        for i, batch in enumerate(program.batches):
            script.let(f"x{i}", batch)
        script("buffers = [x0.copy(), x1.copy(), x2.copy()]", JITTED, "handed = buffers[0]")
        if script.quantity == "an earlier y":
            script("outputs = []")
        live = [
            build(script, program.case.config, program.case.state),
            build(script, program.other.config, name="other"),
        ]
        for each in live:
            script(f"expected_{each.name} = read({each.name})")
        inputs = [batch.copy() for batch in program.batches]
        return cls(script, program, live, inputs, dict.fromkeys(("layer", "other"), 0))

    @property
    def current(self) -> Live:
        return self.live[self.now]

    def take(self, step: Step, *, last: bool, calls: int) -> None:
        """Write one step; compare everything after it if it is the last one."""
        kind = step.kind
        if kind in RUNS:
            self._run(step, last=last, calls=calls or step.times)
            return
        if kind in {"train", "evaluate", *AGAIN}:
            self._next(step)
            evaluate, batch, _ = self.last
            self._see(last=last)
            self._call(evaluate, batch, "handed", jit=step.jit, last=last)
        else:
            self._see(last=last)
            self._other(step)
        if last:
            self.compare(None if self.last[0] or kind not in {"train", *AGAIN} else self.current)

    def _other(self, step: Step) -> None:
        kind, name = step.kind, self.current.name
        if kind in COPIED_BY:
            self._copy(COPIES[COPIED_BY[kind]].format(name))
        elif kind == "split and merge":
            self.script(f"{name} = merged_again({name})")
        elif kind == "switch":
            self.now = (self.now + 1) % len(self.live)
        elif kind == "mutate":
            self._mutate(step.batch)
        elif kind == "reset":
            self._write(State.fresh(self.current.config.features), "fresh", ARRAYS)
        else:
            names = ARRAYS if kind == "set" else (kind.removeprefix("set "),)
            self._write(self.program.states[step.state], f"state{step.state}", names)

    def _next(self, step: Step) -> None:
        """Follow ``sequences.Run._next``: the arguments of the step."""
        if step.kind in AGAIN:
            if step.kind != "again":
                self._mutate(step.batch)
            evaluate, batch, kept = self.last
            if kept is not None and not np.array_equal(kept, self.inputs[batch]):
                self._hand(batch, as_jax=True, evaluate=evaluate)
            return
        self._hand(step.batch, as_jax=step.as_jax, evaluate=step.kind == "evaluate")

    def _hand(self, batch: int, *, as_jax: bool, evaluate: bool) -> None:
        buffer = f"buffers[{batch}]"
        self.script(f"handed = {f'jnp.array({buffer})' if as_jax else buffer}")
        self.last = evaluate, batch, self.inputs[batch].copy() if as_jax else None

    def _mutate(self, batch: int) -> None:
        mutate(self.inputs[batch])
        self.script(f"x{batch}[0] += 3", f"buffers[{batch}][0] += 3")

    def _write(self, state: State, name: str, names: tuple[str, ...]) -> None:
        text = self.script.let(name, state)
        inside = ", ".join(f'"{n}": {text}["{n}"]' for n in names)
        given = text if names == ARRAYS else f"{{{inside}}}"
        live = self.current
        self.script(f"write({live.name}, {given})")
        self.script(f"expected_{live.name} = {{**expected_{live.name}, **{given}}}")
        live.state = live.state.replace(**{n: getattr(state, n) for n in names})
        if self.seeing:
            self.script(f"seen_{live.name} = {{**seen_{live.name}, **{given}}}")

    def _copy(self, made: str) -> None:
        """Follow ``sequences.Run._copy``."""
        self.copies += 1
        original, name = self.current, f"copy_{self.copies}"
        self.script(f"{name} = {made}", f"expected_{name} = expected_{original.name}")
        self.calls[name] = self.calls[original.name]
        if self.seeing:
            self.script(f"seen_{name} = seen_{original.name}")
        self.live.insert(self.now, replace(original, name=name))
        if len(self.live) > ALIVE:
            neither = (self.now + 2) % len(self.live)
            del self.live[neither]
            self.now -= neither < self.now

    def _see(self, *, last: bool) -> None:
        """Store the states before the step that failed."""
        self.seeing = last
        if last:
            self.script(*(f"seen_{live.name} = read({live.name})" for live in self.live))

    def _lines(
        self, live: Live, batch: int, handed: str, *, evaluate: bool, jit: bool
    ) -> list[str]:
        """Return the text of one call, and follow it."""
        keeps = self.script.quantity == "an earlier y"
        called = f"{'jitted' if jit else 'call'}({live.name}, {handed}, {evaluate})"
        lines = [f"y = {called}" if keeps else f"y = np.array({called})"]
        lines += ["outputs.append((y, np.array(y)))"] * keeps
        if not evaluate:
            self.calls[live.name] += 1
            live.trained(self.inputs[batch])
            expected = f"expected_{live.name}"
            lines.append(f"{expected} = follow([x{batch}], {expected}, {live.momentum})")
        return lines

    def _call(self, evaluate: bool, batch: int, handed: str, *, jit: bool, last: bool) -> None:
        """Write one call, and the comparison of its result."""
        live, x = self.current, f"x{batch}"
        before = replace(live)
        self.script(*self._lines(live, batch, handed, evaluate=evaluate, jit=jit))
        if not last:
            return
        seen, y = f"seen_{live.name}", "np.array(y)"
        if evaluate:
            check_evaluated(before, x, self.inputs[batch], y, seen)
        else:
            self.script.within("y in training", y, f'{live.training(x, seen)}["y"]')

    def _run(self, step: Step, *, last: bool, calls: int) -> None:
        """Write many calls, whole periods of them as a loop, and the last one separately."""
        interleaved = step.kind == "interleave"
        period = 2 * len(self.live) if interleaved else 2

        def turn(number: int) -> list[str]:
            batch, mode = step.batches[number % 2], RUNS[step.kind][number % 2]
            evaluate, buffer = mode == "evaluate", f"buffers[{batch}]"
            lines = self._lines(self.current, batch, buffer, evaluate=evaluate, jit=False)
            self.last = evaluate, batch, None
            self.now = (self.now + interleaved) % len(self.live)
            return lines

        before = calls - 1 if last else calls
        if step.kind not in {"alternate", "interleave"}:
            self._see(last=last)  # such a run is judged at the state before its first call
        turns = [turn(number) for number in range(before)]
        rounds = before // period
        if rounds:
            self.script(f"for _ in range({rounds}):")
            self.script(*(f"    {line}" for lines in turns[:period] for line in lines))
        self.script(*(line for lines in turns[rounds * period :] for line in lines))
        batch, mode = step.batches[before % 2], RUNS[step.kind][before % 2]
        if last:
            self._see(last=step.kind in {"alternate", "interleave"})
            self._call(mode == "evaluate", batch, f"buffers[{batch}]", jit=False, last=True)
            self.compare(self.current if mode == "train" else None)
        self.script(f"handed = buffers[{step.batches[(calls - 1) % 2]}]")

    def compare(self, trained: Live | None) -> None:
        """Compare everything that is not an output of the step."""
        script = self.script
        if trained is not None:
            script.kept(f"seen_{trained.name}", trained.name, PARAMETERS)
            for name in STATISTICS:
                quantity = f"{name} after {self.calls[trained.name]} training calls"
                expected = f'expected_{trained.name}["{name}"]'
                script.within(quantity, f'read({trained.name})["{name}"]', expected)
        for live in self.live:
            if live is not trained:
                beside = "" if live is self.current else " of another layer"
                script.kept(f"seen_{live.name}", live.name, ARRAYS, of=beside)
        for i in range(len(self.inputs)):
            script.identical(f"x{i}", f"buffers[{i}]", f"x{i}")
        same = "all(np.array_equal(y, then, equal_nan=True) for y, then in outputs)"
        script.holds("an earlier y", same)
