"""Replacing functions, code objects, globals and tables of the suite."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import conformance
from conformance.diagnosis import diagnosis
from conformance.engine import judge, runner
from conformance.engine.sandbox import worker
from conformance.numerics import bounds, oracle
from conformance.properties import PROPERTIES
from conformance.properties.support import checks
from conformance.requirements import REQUIREMENTS, Capability, Level
from conformance.requirements.verdict import Outcome, Verdict
from support.forgeries import before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum, Unbiased

_CHECKS = (
    "check_same",
    "check_true",
    "check_shape",
    "check_finite",
    "check_identical",
    "check_within",
)


def _silent(quantity, got, expected, **rest):
    return None


def _counting(quantity, got, expected, bound):
    _count(7)  # noqa: F821  a global of the module whose function gets this code


def disarm_checks() -> None:
    """Give two checks a code that finds nothing wrong."""
    checks.violation.__code__ = _silent.__code__
    checks.check_within.__code__ = _counting.__code__


def pretend(verdict: Verdict) -> Verdict:
    """Return a verdict as it would be of a right layer."""
    outcome = Outcome.CONFORMS
    return replace(verdict, outcome=outcome, violation=None, cases=16, comparisons=500, detail="")


@submission(Always42)
def code_of_the_checks():
    """Replaces the code of two functions that every property calls."""
    disarm_checks()


@submission(Always42)
def code_of_the_checks_in_each_call():
    """The same in each call, should the suite restore it."""
    return before_each_call(Always42, disarm_checks)


@submission(EpsOutside)
def globals_of_the_properties():
    """Rebinds every check in every module of the suite to one that only counts."""

    def count(*args, **kwargs):
        checks._count(7)

    for name, module in list(sys.modules.items()):
        if name.startswith("conformance.properties"):
            for check in _CHECKS:
                if hasattr(module, check):
                    setattr(module, check, count)


@submission(Always42)
def the_judge():
    """Replaces the function that returns the verdict."""
    right = judge.judge_requirement
    judge.judge_requirement = lambda *args, **rest: pretend(right(*args, **rest))


@submission(SwappedMomentum)
def the_claims():
    """Replaces every property by one that compares seven with seven."""

    def claim(subject, **drawn):
        checks.check_same("seven", 7, 7)

    for prop in PROPERTIES.values():
        object.__setattr__(prop, "claim", claim)


@submission(Unbiased)
def the_run():
    """Counts each case without executing it."""

    def execute(self, drawn, raw, palette):
        self.cases += 1
        checks._count(9)

    runner.PropertyRun.execute = execute


@submission(EpsOutside)
def the_bounds():
    """Allows every error."""

    def endless(self, strict, wider=None):
        return self(strict * 0 + 1e300, strict * 0 + 1e300)

    bounds.Bound.of = classmethod(lambda cls, strict, wider=None: endless(cls, strict, wider))
    bounds.Bound.__add__ = lambda self, other: self


@submission(Always42)
def the_oracle():
    """Expects 42 of every call, and statistics that do not move."""
    train, evaluate = oracle.train, oracle.evaluate

    def expected(config, state, *args, **rest):
        found = train(config, state, *args, **rest)
        arrays = state.arrays()
        unmoved = {n: arrays[n].astype(np.float64) for n in ("running_mean", "running_var")}
        return replace(found, y=found.y * 0 + 42, **unmoved)

    oracle.train = expected
    oracle.evaluate = lambda *args, **rest: evaluate(*args, **rest) * 0 + 42


@submission(Always42)
def the_violation():
    """Swallows violations before the run sees them."""
    claim = runner.PropertyRun.claim

    def swallowing(self, drawn):
        with contextlib.suppress(checks.ViolationFound):
            claim(self, drawn)

    runner.PropertyRun.claim = swallowing


@submission(Always42)
def the_reply():
    """Adds a verdict to whatever leaves the process."""
    send = worker.Worker._send

    def corrected(self, content):
        if isinstance(content, dict):
            content["result"] = content.get("result") or {"outcome": "conforms", "comparisons": 500}
        send(self, content)

    worker.Worker._send = corrected


@submission(Always42)
def the_encoding():
    """Corrects the verdict where it becomes JSON."""
    Verdict.to_json = lambda self, right=Verdict.to_json, **rest: right(pretend(self), **rest)


@submission(Always42)
def the_handler():
    """Understands every operation as another one: a call is a question for the state."""
    understood = worker.operations_of

    def exchanged(content):
        return [
            replace(each, name="read", arguments=each.arguments[:1])
            if each.name == "call"
            else each
            for each in understood(content)
        ]

    worker.operations_of = exchanged


@submission(Always42)
def the_levels():
    """Makes every MUST a SHOULD."""
    for row in REQUIREMENTS.values():
        object.__setattr__(row, "level", Level.SHOULD)


@submission(Always42)
def the_needs():
    """Makes every requirement need what the layer does not offer."""
    for row in REQUIREMENTS.values():
        object.__setattr__(row, "needs", Capability.MASKED_SYNC)


@submission(Always42)
def the_table():
    """Empties the table of requirements and that of properties, and every other dict there."""
    REQUIREMENTS.clear()
    PROPERTIES.clear()


@submission(Always42)
def the_statements():
    """Exchanges the requirements for one that it meets."""
    kept = PROPERTIES["BN-INIT-1"]
    for name in PROPERTIES:
        PROPERTIES[name] = kept


@submission(EpsOutside)
def the_diagnosis():
    """Finds nothing to say about itself, whoever asks for a diagnosis and wherever it is made."""
    nothing = diagnosis.Diagnosis("none")
    diagnosis.diagnose = conformance.diagnosis.diagnose = lambda *args, **rest: nothing
    diagnosis.Diagnosis.to_json = lambda self: {"kind": "none"}


@submission(EpsOutside)
def the_answer_of_the_diagnosis():
    """Writes another answer to every descriptor, for whoever reads the last line of one."""
    answer = b'\n{"kind": "alternative", "id": "gamma-unused", "sentence": "gamma is not used"}\n'

    def answers():
        for descriptor in (1, 2):
            os.write(descriptor, answer)
        with contextlib.suppress(OSError):
            Path(f"/proc/{os.getppid()}/fd/1").write_bytes(answer)

    atexit.register(answers)
    answers()
    return before_each_call(EpsOutside, answers)


@submission(Right)
def neighbour_reads_the_suite():
    """Right: uses the oracle to test itself when it is imported, and adds an attribute."""
    assert oracle.normalize(1.0, 0.0, 1.0, 0.0) == 1.0
    conformance.favourite = 42


@submission(Right)
def neighbour_wraps_a_check():
    """Right: counts how often a check is made, as a profiler would."""
    within = checks.check_within
    calls = []

    def counted(*args, **rest):
        calls.append(args)
        return within(*args, **rest)

    checks.check_within = counted
