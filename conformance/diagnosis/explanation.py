"""The diagnosis for a report: verified on the violations, and what is known without one."""

from __future__ import annotations

import re
from typing import Any

from conformance.adapters.implementation import Declaration
from conformance.adapters.operations.executor import Executor
from conformance.diagnosis.diagnosis import Diagnosis, Investigation, investigate
from conformance.diagnosis.known_facts import known_facts
from conformance.diagnosis.verification import Explained, Trial, try_declaring, verify
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Verdict

_THROUGH = "BN-GRAD-8"
"""The requirement on the gradient through the running statistics."""

_NOTHING = "No known mistake reproduces what it returned."
_RIGHT = "All designed calls return what they should: what is violated shows elsewhere."


def explain(
    declared: Declaration, executor: Executor, verdicts: list[Verdict], until: float
) -> dict[str, Any]:
    """Diagnose an implementation, and verify the diagnosis on what it violates.

    Args:
        declared: What the implementation declares.
        executor: What executes its operations.
        verdicts: The violations, as judged; none to diagnose only.
        until: When to stop verifying, in seconds since 1970.

    Returns:
        The diagnosis as JSON values. Besides its fields it has ``explains`` and ``unchecked``,
        ids of requirements, if it was verified; ``declaring``, what would remain violated if what
        it suggests were declared; ``known``, sentences on what was observed if it names nothing.
    """
    found = investigate(Subject(declared, executor))
    ordered = sorted(verdicts, key=lambda v: REQUIREMENTS[v.requirement].level is not Level.MUST)
    data = found.diagnosis.to_json()
    if found.diagnosis.kind == "none":
        facts = known_facts(found.calls, found.evidence)
        return data | (
            {"sentence": _NOTHING if found.evidence.deviant else _RIGHT, "known": facts}
            if facts
            else {}
        )
    if found.match is None or not verdicts:
        return data
    checked = _verified(found, declared, ordered, until)
    trial = _try_declaring(found.diagnosis, declared, executor, ordered, until)
    if trial is not None:
        checked = _credit(checked, trial)
        if trial.effective:
            data["declaring"] = trial.to_json()
        else:
            data.pop("convention", None)  # it would change nothing: so it is not suggested
    if checked is not None:
        data |= {"explains": checked.explains, "unchecked": checked.unchecked}
    return data


def _verified(
    found: Investigation, declared: Declaration, verdicts: list[Verdict], until: float
) -> Explained | None:
    """Return what a mistake explains; None if no layer in NumPy makes it."""
    assert found.match is not None, "there is a mistake to verify"  # noqa: S101
    deviant = [found.evidence.observations[index].call for index in found.evidence.deviant]
    if all(call is not None and call.kind == "through" for call in deviant):
        return Explained([v.requirement for v in verdicts if v.requirement == _THROUGH])
    if found.match.alternative.widens:
        return None
    return verify(found.match, declared, verdicts, until)


def _try_declaring(
    diagnosis: Diagnosis,
    declared: Declaration,
    executor: Executor,
    verdicts: list[Verdict],
    until: float,
) -> Trial | None:
    """Try what a diagnosis suggests to declare; None if it suggests nothing."""
    named = set(re.findall(r"[A-Z][A-Z_]+", diagnosis.convention))
    suggested = frozenset(d for d in Deviation if d.name in named)
    if not suggested or suggested <= declared.deviations:
        return None
    return try_declaring(declared, executor, suggested, verdicts, until)


def _credit(checked: Explained | None, trial: Trial) -> Explained:
    """Add what conforms once the mistake is declared: that the mistake explains."""
    before = checked or Explained([], [*trial.untried])
    explains = list(dict.fromkeys([*before.explains, *trial.solved]))
    return Explained(explains, [name for name in before.unchecked if name not in explains])
