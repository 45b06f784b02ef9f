"""What is known where no mistake is named: what is right, and the first quantity that is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from conformance.diagnosis.conditions import condition_of, run_trials
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.prediction import error_ratios
from conformance.diagnosis.scopes import EVERYWHERE, scopes
from conformance.diagnosis.several import mode_of
from conformance.properties.support.subject import Subject
from conformance.requirements.finding import Finding
from conformance.requirements.requirement import family_of
from conformance.requirements.verdict import Verdict

_ORDER = ("running_mean", "running_var", "y", "gamma", "beta", "x afterwards")
"""Quantities in the order in which a training call computes them; gradients come after them."""

_SHOWN = 4

_EXPERIMENTS = 2
"""Violated requirements, of different families, that are tried on more cases."""

_EXPERIMENT = 6
"""Seconds after which no more cases of one are tried."""

_OUTSIDE = 4
"""The fewest calls of a mode that must be right outside a condition, for it to be named."""

_MOSTLY = 0.7
"""The share of the calls under a condition that must be wrong, for it to be named."""

Place = tuple[str, str]
"""A mode and a quantity."""


def known_facts(calls: Evidence, evidence: Evidence) -> list[str]:
    """Return sentences about what was observed.

    Args:
        calls: The observed calls.
        evidence: What the mistake was sought in: the calls, or gradients if they are right.
    """
    wrong: dict[Place, list[int]] = {}
    seen: dict[Place, list[int]] = {}
    for place, index, bad in _compare(calls):
        seen.setdefault(place, []).append(index)
        if bad:
            wrong.setdefault(place, []).append(index)
    if not calls.observations or all(o.raised for o in calls.observations):
        return []
    order = sorted(seen, key=_rank)
    facts = []
    faulty = [place for place in order if place in wrong]
    if faulty:
        described = [_describe(calls, place, wrong[place], seen[place]) for place in faulty]
        facts.append(f"First wrong: {described[0]}.")
        facts += [f"Wrong, too: {words}." for words in described[1:_SHOWN]]
    elif evidence is not calls and evidence.deviant:
        describe = _wrong_ranks if evidence.has_ranks else _wrong_gradients
        facts.append(describe(evidence))
    right = _right(order, set(wrong))
    return facts + [f"Right: {'; '.join(right)}."] * bool(right)


_CONDITIONS = {
    "MASK": "with a mask",
    "ND": "on inputs of several axes",
    "TYPE": "in 16 or 64 bits",
    "SYNC": "with a named axis",
    "JIT": "under jit",
    "VMAP": "under vmap",
    "SCAN": "under scan",
    "REMAT": "under remat",
    "SHARED": "in a layer that is used twice",
    "SER": "after copying or restoring",
    "SHAPE-EVAL": "under eval_shape",
    "FWD": "in the forward function",
}
"""By family of requirements, the condition under which it judges what others judge, too."""


def where_seen(subject: Subject, verdicts: Sequence[Verdict], until: float) -> list[str]:
    """Return what is wrong first, and under which condition, where all designed calls are right.

    Args:
        subject: The implementation.
        verdicts: The violations, those that bind first.
        until: When to stop trying cases, in seconds since 1970.
    """
    seen: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.violation is not None and not verdict.ended_worker:
            seen.setdefault(family_of(verdict.requirement), verdict)
    chosen = [*seen.values()][:_EXPERIMENTS]
    found = [_where_wrong(subject, each, until) for each in chosen]
    return list(dict.fromkeys(fact for facts in found for fact in facts))


def _where_wrong(subject: Subject, verdict: Verdict, until: float) -> list[str]:
    """Return what a violated requirement finds wrong first, in which of the cases tried."""
    assert verdict.violation is not None, "it is violated"  # noqa: S101
    trials = run_trials(subject, verdict.requirement, min(until, time.time() + _EXPERIMENT))
    wrong = [trial for trial in trials if trial.finding is not None]
    findings = [trial.finding for trial in wrong if trial.finding is not None]
    first = min(findings or [verdict.violation.finding], key=lambda f: _rank_of_label(f.label))
    under = _CONDITIONS.get(family_of(verdict.requirement), "")
    where = ", ".join(filter(None, (_words_of(first), under, condition_of(trials))))
    tried = f"{len(wrong)} of {len(trials)} tries" if wrong else "in a single case"
    before = [name for trial in wrong if trial.finding is first for name in trial.right]
    right = [f"Right in that case: {', '.join(before[:_SHOWN])}."] * bool(before)
    return [f"First wrong: {where} ({tried} of {verdict.requirement}).", *right]


def _words_of(finding: Finding) -> str:
    """Return what is wrong, without the step of a program in which it was seen."""
    if finding.kind.without_result:
        return f"{finding.operation or finding.quantity} raises {finding.got}"
    return finding.quantity


def _rank_of_label(label: str) -> int:
    """Return the place of a quantity in the order of computation; gradients come last."""
    if "gradient" in label:
        return len(_ORDER)
    return next((at for at, name in enumerate(_ORDER) if name in label.split()), len(_ORDER))


def _right(order: list[Place], wrong: set[Place]) -> list[str]:
    """Return what is right in each mode."""
    modes: dict[str, list[str]] = {}
    for mode, name in order:
        modes.setdefault(mode, []).append(name)
    found = []
    for mode, names in modes.items():
        good = [name for name in names if (mode, name) not in wrong]
        if good:
            found.append(f"{'all' if good == names else ', '.join(good)} {mode}")
    return found


def _compare(calls: Evidence) -> Iterator[tuple[Place, int, bool]]:
    """Yield each quantity of each call, and whether it is wrong."""
    for index, observation in enumerate(calls.observations):
        mode, truth = _MODES[mode_of(observation)], calls.truth[index]
        if truth is None or observation.raised:
            yield (mode, "whether the call returns"), index, truth is not None
            continue
        for name, ratio in error_ratios(truth, calls.seen[index]).items():
            yield (mode, name), index, bool((ratio > 1).any())


_MODES = {
    "fresh": "of a fresh layer",
    "training": "in training",
    "evaluation": "in evaluation",
    "forward": "of the forward function",
}
"""Words for what ``mode_of`` returns, in the order of reports."""


def _rank(place: Place) -> tuple[int, int]:
    mode, name = place
    return [*_MODES.values()].index(mode), _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _describe(calls: Evidence, place: Place, wrong: list[int], seen: list[int]) -> str:
    mode, name = place
    if len(wrong) == len(seen):
        return f"{name} {mode}, in each of {len(seen)} calls"
    for scope in scopes(calls.observations, set(wrong)):
        inside = [index for index in seen if scope.holds(calls.observations[index])]
        if scope is EVERYWHERE or len(inside) > len(seen) - _OUTSIDE:
            continue
        if len(inside) == len(wrong):
            words = scope.words.replace("seen only", "exactly")
            return f"{name} {mode}, {words} ({len(wrong)} of {len(seen)} calls)"
        if len(wrong) >= _MOSTLY * len(inside):
            words = scope.words.replace("seen only", "only")
            return f"{name} {mode}, {words} ({len(wrong)} of {len(inside)} such calls)"
    return f"{name} {mode}, in {len(wrong)} of {len(seen)} calls"


def _wrong_ranks(evidence: Evidence) -> str:
    """Return which quantities are wrong for inputs of several axes, and for which shapes."""
    wrong: dict[str, None] = {}
    shapes: dict[str, None] = {}
    for (mode, name), index, bad in sorted(_compare(evidence), key=lambda each: _rank(each[0])):
        call = evidence.observations[index].call
        if bad and call is not None:
            wrong[f"{name} {mode}"] = None
            axis = call.axis % (len(call.around) + 1)
            shape = (*call.around[:axis], call.x.shape[1], *call.around[axis:])
            shapes[f"x {shape} with the features on axis {axis}"] = None
    return f"First wrong: {', '.join(wrong)}, for {'; '.join(shapes)}; all calls on rows are right."


def _wrong_gradients(evidence: Evidence) -> str:
    """Return which gradients are wrong."""
    names: dict[str, int] = {}
    for index in evidence.deviant:
        truth = evidence.truth[index]
        if truth is not None and not evidence.observations[index].raised:
            for name, ratio in error_ratios(truth, evidence.seen[index]).items():
                names[name] = names.get(name, 0) + bool((ratio > 1).any())
    shown = ", ".join(f"{name} ({count})" for name, count in names.items() if count)
    return f"First wrong: {shown or 'gradients'}; all calls are right."
