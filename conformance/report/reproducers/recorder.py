"""Records the operations of one case, and the comparison that fails at its end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.errors import printable
from conformance.adapters.operations.executor import Executor, ExecutorLost, LocalExecutor
from conformance.adapters.operations.values import Failed, Given, Operation, Ref
from conformance.adapters.protocols import COUNT
from conformance.engine.budget import budget
from conformance.engine.runner import PropertyRun
from conformance.numerics.sources import Source, attach, operands_of, plain_of
from conformance.numerics.state import State
from conformance.properties import PROPERTIES
from conformance.properties.support.checks import Comparison, ViolationFound
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.no_script import NoScript
from conformance.requirements.finding import Finding
from conformance.strategies.codec import CodecError, decode
from conformance.strategies.domain_cases import ALIKE
from conformance.strategies.programs import KINDS

READS = frozenset(
    {
        *("read", "reread", "reread_snapshot", "attributes", "traces", "read_arrays"),
        *("describe_holders", "paths", "list_leaves", "read_leaves", "list_buffers"),
        *(
            "put",
            "prepare_call",
            "has_graph",
            "keep_graph",
            "snapshot",
            "call_abstractly",
            "build_abstractly",
            "refuses_mask",
        ),
    }
)
"""Operations that change nothing: a script leaves them out if nothing needs their results."""

NOT_NOW = (
    "from the same inputs the layer does not show it now, so it depends on earlier calls, on "
    "chance, or on another version of the layer"
)

NAMES = {
    "build": "layer",
    "build_with": "layer",
    "call": "y",
    "call_live": "y",
    "call_jitted": "y",
    "call_jitted_live": "y",
    "forward": "result",
    "read": "state",
    "put": "given",
    "read_arrays": "state",
    "refuses": "refused",
    "copy_by": "copied",
    "restore": "restored",
    "restore_through": "restored",
}
"""The variable for the result of an operation; of others, ``found``."""


@dataclass(frozen=True, slots=True)
class Form:
    """A value in one of the forms in which a layer receives it, as an operand."""

    value: Any
    form: str


@dataclass(slots=True)
class Step:
    """An operation of the log.

    Attributes:
        operation: The operation.
        source: How its result is computed; its operands are the arguments.
        result: What came of it.
    """

    operation: Operation
    source: Source
    result: Any = None


@dataclass(slots=True)
class Recording:
    """What happened in a case.

    Attributes:
        steps: The operations, in their order.
        finding: What was found; None if nothing was.
        comparison: The comparison that failed; None if the last operation failed.
        counted: Whether a layer counts its updates.
    """

    steps: list[Step] = field(default_factory=list)
    finding: Finding | None = None
    comparison: Comparison | None = None
    counted: bool = False


class RecordingExecutor:
    """Executes operations by another executor, and records them.

    Args:
        executor: What executes them.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.recording = Recording()
        self._kept: dict[int, Source] = {}
        self._failed: Failed | None = None

    def begin_case(self) -> None:
        """Forget all live objects, and what was recorded."""
        self._executor.begin_case()
        self.recording.steps.clear()
        self._kept.clear()
        self._failed = None

    def replace_process(self) -> None:
        """Go on in a new process, after one was lost."""
        self._executor.replace_process()

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        """Execute operations; see ``Executor``."""
        results: list[Any] = []
        if self._failed is not None:  # a property may go on until it looks at the result
            return self._failed
        for operation in operations:
            source = self._record(operation)
            plain = replace(operation, arguments=tuple(map(_without_source, operation.arguments)))
            found = self._executor.perform([plain])
            if isinstance(found, Failed):
                self._failed = replace(found, before=[])
                return replace(found, before=results)
            self._keep_live(found[0], source)
            self.recording.counted |= isinstance(found[0], dict) and COUNT in found[0]
            if self.recording.steps:
                self.recording.steps[-1].result = found[0]
            results.append(attach(found[0], source))
        return results

    def _record(self, operation: Operation) -> Source:
        operands = tuple(map(self._operand, operation.arguments))
        source = Source(
            operation.name,
            operands,
            name=NAMES.get(operation.name, "found"),
            effect=operation.name not in READS,
        )
        if operation.result is not None:
            self._kept[operation.result] = source
        if operation.name != "begin_case":
            self.recording.steps.append(Step(operation, source))
        return source

    def _operand(self, argument: Any) -> Any:
        if isinstance(argument, Ref):
            return self._kept[argument.number]
        if isinstance(argument, Given):
            return Form(operands_of(argument.value), argument.form)
        if type(argument) in {list, tuple}:
            return type(argument)(map(self._operand, argument))
        return operands_of(argument)

    def _keep_live(self, found: Any, source: Source) -> None:
        """Remember where in a result live objects are."""
        if isinstance(found, Ref):
            self._kept[found.number] = source
        elif isinstance(found, list | dict):
            for key in found if isinstance(found, dict) else range(len(found)):
                self._keep_live(found[key], Source("{}[{}]", (source, key)))


def _without_source(argument: Any) -> Any:
    if isinstance(argument, Given):
        return Given(plain_of(argument.value), argument.form)
    return plain_of(argument)


def name_literals(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return drawn values whose arrays are literals with a name."""
    return {name: _named(value, name) for name, value in drawn.items()}


def _named(value: Any, name: str) -> Any:
    if isinstance(value, np.ndarray):
        return attach(value, Source("{}", (np.array(value),), name=name))
    if is_dataclass(value) and not isinstance(value, type):
        inside = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        named = {n: _named(v, _join(name, n, value)) for n, v in inside.items()}
        return replace(value, **named)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        pairs = zip(value._fields, value, strict=True)
        return type(value)(*(_named(each, field) for field, each in pairs))
    if isinstance(value, list | tuple):
        return type(value)(_named(each, name) for each in value)
    return value


def _join(owner: str, name: str, value: Any) -> str:
    """Return the name of a literal: arrays of a state other than the first are told by it."""
    first = owner in {"case", "state", "drawn", "lanes"} or not isinstance(value, State)
    return name if first else f"{owner}_{name}"


def record_case(requirement: str, subject: Subject, values: Mapping[str, Any]) -> Recording:
    """Execute a stored case, and record it.

    Args:
        requirement: The id of its requirement.
        subject: The implementation.
        values: The encoded arguments of the property, by name.

    Raises:
        NoScript: The case cannot be read or executed, or violates nothing now.
    """
    drawn = _drawn(requirement, values)
    executor = RecordingExecutor(subject.executor or LocalExecutor(subject.imported))
    recorded = Subject(subject.implementation, executor)
    run = PropertyRun(PROPERTIES[requirement], recorded, budget(minimize=False))
    recording = executor.recording
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run.claim(name_literals(drawn))
    except ViolationFound as found:
        recording.finding, recording.comparison = found.finding, _comparison_of(found)
    except ExecutorLost as lost:
        recording.finding = lost.finding
    except UnsatisfiedAssumption as error:
        raise NoScript("the implementation declares now that it does not apply") from error
    except Exception as error:
        why = printable(str(error))
        msg = f"the stored counterexample does not match {requirement}: {why}"
        raise NoScript(msg) from error
    if recording.finding is None:
        raise NoScript(NOT_NOW)
    return recording


def _comparison_of(found: ViolationFound) -> Comparison | None:
    """Return the comparison that failed; the step of a program is added by another exception."""
    cause: BaseException | None = found
    while isinstance(cause, ViolationFound):
        if cause.comparison is not None:
            return cause.comparison
        cause = cause.__cause__
    return None


def _drawn(requirement: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drawn values. They become source text, and a report may come from anybody.

    Raises:
        NoScript: A value is not a number, an array of numbers, or a word that is drawn.
    """
    if not values:
        raise NoScript("no case belongs to it")
    try:
        drawn = {name: decode(value) for name, value in values.items()}
    except CodecError as error:
        raise NoScript(f"its stored case cannot be read: {error}") from error
    for value in drawn.values():
        _vet(value)
    if drawn.keys() != PROPERTIES[requirement].strategies.keys():
        raise NoScript(f"the stored counterexample does not match {requirement}")
    return drawn


_WORDS = {*KINDS, *ALIKE, "bfloat16", "float16"}


def _vet(value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic):
        known = value.dtype.kind in "fiub"
    elif is_dataclass(value):
        known = True
        for each in fields(value):
            _vet(getattr(value, each.name))
    elif isinstance(value, list | tuple):
        known = True
        for item in value:
            _vet(item)
    else:
        known = value is None or isinstance(value, int | float) or value in _WORDS
    if not known:
        raise NoScript(f"its stored case has {printable(repr(value))}, which is never drawn")
