"""What judging costs beside the calls that it makes: run time with and without everything else.

One process judges an implementation three times. The first time compiles. The second is measured,
and everything that the oracle and the bounds return is kept, in order. The third makes the same
calls on the same inputs in the same order, and nothing else: no Hypothesis, nothing is drawn or
checked, and the oracle and the bounds answer with what was kept.

Usage: python benchmarks/overhead.py [IMPL]
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from functools import partial, wraps
from types import FunctionType
from typing import Any

from conformance.engine.jax_runtime import remember_compilations

remember_compilations()  # before jax is imported

from conformance.adapters.resolve import resolve  # noqa: E402
from conformance.engine.budget import budget  # noqa: E402
from conformance.engine.judge import PropertyRun, judge, unsupported  # noqa: E402
from conformance.numerics import bounds, oracle  # noqa: E402
from conformance.properties import PROPERTIES  # noqa: E402
from conformance.properties.support import checks  # noqa: E402
from conformance.properties.support.checks import taking_notes  # noqa: E402
from conformance.properties.support.subject import Subject  # noqa: E402
from conformance.requirements import REQUIREMENTS  # noqa: E402

Call = tuple[str, dict[str, Any]]


class Kept:
    """Records results of functions, outermost calls only; then returns them without calling."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Any]] = []
        self.calls: list[Call] = []
        self.depth = 1  # nothing is kept outside of a claim

    def claim(self, name: str, claim: Callable[[Any], None], drawn: dict[str, Any]) -> None:
        """Execute a claim on what was drawn, and keep both that and all answers."""
        self.calls.append((name, drawn))
        self.depth = 0
        try:
            claim(drawn)
        finally:
            self.depth = 1

    def keeping(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function; what it returns is kept."""

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            self.depth += 1
            try:
                answer = function(*args, **kwargs)
            finally:
                self.depth -= 1
            if self.depth == 0:
                self.answers.append((function.__name__, answer))
            return answer

        return called

    def giving(self) -> Callable[[FunctionType], Callable[..., Any]]:
        """Return what makes of each function one that answers with what was kept, in order."""
        answers = iter(self.answers)

        def of(function: FunctionType) -> Callable[..., Any]:
            def give(*_: Any, **__: Any) -> Any:
                name, answer = next(answers)
                assert name == function.__name__, f"{function.__name__} is called, and was {name}"
                return answer

            return give

        return of


def functions(*modules: Any) -> list[FunctionType]:
    """Return the public functions of modules."""
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and not name.startswith("_")
    ]


def replaced(by: Callable[[FunctionType], Callable[..., Any]], wanted: list[FunctionType]) -> Any:
    """Put other functions in place of those, wherever the suite has them; return how to undo it."""
    undo = []
    new = {id(function): by(function) for function in wanted}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] != "conformance":
            continue
        for attribute, value in list(vars(module).items()):
            if id(value) in new:
                setattr(module, attribute, new[id(value)])
                undo.append((module, attribute, value))
    return lambda: [setattr(*each) for each in undo]


def time_cases(subject: Subject, kept: Kept | None = None) -> float:
    """Judge everything that applies; return the processor's seconds."""
    started = time.process_time()
    for row in REQUIREMENTS.values():
        if unsupported(row, subject) is not None:
            continue
        trial = PropertyRun(PROPERTIES[row.id], subject, budget())
        if kept is not None:
            trial.claim = partial(kept.claim, row.id, trial.claim)
        verdict = judge(trial)
        assert not verdict.outcome.bad, verdict
    return time.process_time() - started


def bare(subject: Subject, calls: list[Call]) -> float:
    """Make the calls and nothing else; return the processor's seconds."""
    started = time.process_time()
    with taking_notes():
        for name, drawn in calls:
            subject.session.begin_case()
            PROPERTIES[name].claim(subject, **drawn)
            subject.session.finish()
    return time.process_time() - started


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", nargs="?", default="impl")
    gc.set_threshold(20_000, 10, 10)  # as in the process that judges
    subject = Subject(resolve(parser.parse_args().implementation))
    time_cases(subject)
    whole = min(time_cases(subject) for _ in range(2))
    truths, kept = functions(oracle, bounds), Kept()
    undo = replaced(kept.keeping, truths)
    time_cases(subject, kept)
    undo()
    only = []
    for _ in range(2):
        undo = replaced(kept.giving(), truths)
        undo_checks = replaced(lambda _: lambda *_, **__: None, functions(checks))
        only.append(bare(subject, kept.calls))
        undo_checks()
        undo()
    print(f"{len(kept.calls)} cases, CPU s: judged {whole:.2f}, the calls alone {min(only):.2f}")
    print(f"judging ÷ bare calls: {whole / min(only):.2f}")


if __name__ == "__main__":
    main()
