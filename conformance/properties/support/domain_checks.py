"""Shared by requirements of the extended domain: building layers, and one compiled call."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from conformance.adapters.domain import Lanes, Options, Results, Wider
from conformance.adapters.operations.values import Ref
from conformance.adapters.protocols import ARRAYS, PARAMETERS, Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_within
from conformance.properties.support.claims import check_kept, compare_statistics
from conformance.properties.support.differentiation import (
    GRADIENTS,
    as_gradients,
    expected_gradients,
)
from conformance.properties.support.layer_handle import CONSTRUCT, READ, WRITE
from conformance.properties.support.session import Session, as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case

Errors = tuple[Bound, Bound] | None
"""Bounds for mean and variance, or None for those of a single batch."""


def domain_of(subject: Subject) -> Wider:
    """Return the extended domain that the implementation declares."""
    wider = subject.implementation.wider
    assert wider is not None, "gated by the capabilities"  # noqa: S101
    return wider


@dataclass(frozen=True, slots=True)
class DomainLayer:
    """A layer of the extended domain.

    Attributes:
        session: The operations of the case.
        ref: The layer.
        x64: Whether JAX has 64 bits where it is called.
    """

    session: Session
    ref: Ref
    x64: bool = False

    @property
    def arrays(self) -> dict[str, AnyArray]:
        """The four arrays, each (D,)."""
        found = self.session.ask("read_arrays", self.ref, label=READ)
        return {name: as_array(name, found.get(name)) for name in ARRAYS}

    @property
    def state(self) -> State:
        """The four arrays as a state."""
        return State(**self.arrays)


def start(
    subject: Subject, config: Config, state: State | None, options: Options, *, x64: bool = False
) -> DomainLayer:
    """Construct a layer of the extended domain and, unless it is to stay fresh, set its state.

    Args:
        subject: The implementation.
        config: The configuration of the layer.
        state: Four arrays of (D,); None for a fresh layer.
        options: The optional arguments of the constructor.
        x64: Whether JAX has 64 bits.
    """
    asked = asdict(subject.conventions.constructed(config)), asdict(options), x64
    ref = subject.session.keep("build_with", *asked, label=CONSTRUCT, detail=_words(options))
    if state is not None:
        ref = subject.session.keep("set_arrays", ref, state.arrays(), label=WRITE)
    return DomainLayer(subject.session, ref, x64)


def _words(options: Options) -> str:
    given = ((name, getattr(options, name)) for name in ("axis", "dtype", "axis_name"))
    return (
        ", ".join(f"{name}={value!r}" for name, value in given if value is not None) or "no options"
    )


def call(
    layer: DomainLayer, x: Any, w: Any = None, mask: Any = None, lanes: Lanes | None = None
) -> Results:
    """Train, differentiate and evaluate.

    Args:
        layer: The layer.
        x: The batch, in the layout of the layer.
        w: The cotangent of y, in the same layout; None for no gradients.
        mask: The elements that count, in a shape that broadcasts; None for all.
        lanes: How the batch is split into shards; None for not at all.
    """
    where = "" if lanes is None else " under " + ("jax.vmap", "jax.shard_map")[lanes.on_devices]
    arguments = layer.ref, x, w, mask, lanes and list(lanes), layer.x64
    found = layer.session.ask("run_program", *arguments, label=f"the compiled call{where}")
    after = {name: as_array(name, found["after"].get(name)) for name in ARRAYS}
    pulled = as_gradients(found["gradients"]) if w is not None else {}
    evaluated = as_array("y", found["evaluated"])
    return Results(as_array("y", found["y"]), after, tuple(pulled.values()), evaluated)


def check_results(
    subject: Subject,
    case: Case,
    before: State,
    results: Results,
    w: AnyArray,
    *,
    of: str = "",
    errors: Errors = None,
) -> None:
    """Check all results of a call on a case: both outputs, the state, and the gradients.

    Args:
        subject: The implementation.
        case: The rows that count, (N, D), and the configuration.
        before: The state before the call.
        results: What the call returned, for the rows of the case.
        w: The cotangent of y, (N, D).
        of: What is appended to the names of the quantities.
        errors: The bounds for mean and variance, (D,), if not those of a single batch.
    """
    check_kept(State(**results.after), before, "as before the call", names=PARAMETERS)
    expected = oracle.train(case.config, before, case.x, subject.conventions)
    bound = bounds.train(case.config, before, case.x, subject.conventions, errors=errors)
    compare_statistics(results.after, expected, bound)
    check_within(f"y in training{of}", results.y, expected.y, bound.y)
    wanted = oracle.evaluate(case.config, before, case.x, conventions=subject.conventions)
    limit = bounds.evaluate(case.config, before, case.x, subject.conventions)
    check_within(f"y in evaluation{of}", results.evaluated, wanted, limit)
    if not subject.conventions.output_roundoff():  # a cotangent of 16 bits is another one
        check_gradients(subject, case, before, w, results, f"training{of}", errors)


def check_statistics(
    subject: Subject,
    case: Case,
    before: State,
    after: dict[str, AnyArray],
    *,
    of: str = "",
    errors: Errors = None,
) -> None:
    """Check both running statistics after a training call.

    Args:
        subject: The implementation.
        case: The rows that count, (N, D), and the configuration.
        before: The state before the call, four arrays of (D,).
        after: The arrays after the call, each (D,).
        of: What is appended to the names of the statistics.
        errors: The bounds for mean and variance, (D,), if not those of a single batch.
    """
    expected = oracle.train(case.config, before, case.x, subject.conventions)
    bound = bounds.train(case.config, before, case.x, subject.conventions, errors=errors)
    compare_statistics(after, expected, bound, of=of)


def check_gradients(
    subject: Subject,
    case: Case,
    before: State,
    w: AnyArray,
    results: Results,
    when: str,
    errors: Errors,
) -> None:
    """Check the three gradients of Σ w·y in training.

    Args:
        subject: The implementation.
        case: The rows that count, (N, D), and the configuration.
        before: The state before the call, four arrays of (D,).
        w: The cotangent of y, (N, D).
        results: What the call returned, for the rows of the case.
        when: The mode of the call, for a violation.
        errors: The bounds for mean and variance, (D,), if not those of a single batch.
    """
    expected, limits = expected_gradients(subject, before, case, w, evaluate=False, errors=errors)
    for name, got in reversed([*zip(GRADIENTS, results.gradients, strict=True)]):
        wanted, bound = getattr(expected, name), getattr(limits, name)
        if errors is not None:
            bound = bound.scaled(_ROUNDINGS_OF_SHARDS)
        check_within(f"the gradient of {name} in {when}", got, wanted, bound)


_ROUNDINGS_OF_SHARDS = 2
"""A sum over shards adds two roundings to the at least h+2 that a gradient is allowed."""
