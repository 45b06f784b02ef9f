"""What is judged: the protocol between the suite and an implementation.

Standard library only; frameworks are imported when a layer is first built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, NamedTuple

from conformance.layers import ARRAYS, COUNT, Layer
from conformance.requirements.model import Capability
from conformance.wider import Options, Wider


class AdapterError(Exception):
    """An implementation could not be found, understood or driven; nothing was judged."""


class Deviation(Enum):
    """A known convention that an implementation may declare to follow.

    What is declared is judged by the declared convention, shown as a deviation, and has to
    be borne out by the behaviour.
    """

    ONE_PASS_VARIANCE = "variance computed in one pass, as E[x²] − E[x]²"
    MOMENTUM_OF_NEW_VALUE = "momentum weighs the new value: rm' = (1−m)·rm + m·μ"
    UNBIASED_RUNNING_VARIANCE = "the running variance follows v·N/(N−1)"
    EMA_NORMALISED_TRAINING = "training normalises with the updated running statistics"
    SINGLE_ROW_REFUSED = "a training call on a single row raises, and changes nothing"
    TRUTHY_FLAG = "any flag but 0 evaluates, .3 and NaN as well"
    GRADIENT_THROUGH_STATISTICS = "the updated running statistics carry a gradient back to x"
    ZERO_DEBIASED_STATISTICS = "the averages are sums from 0, divided by 1 − mᵗ after t updates"
    STATISTICS_IN_BFLOAT16 = "the running statistics are stored in bfloat16"
    STATISTICS_IN_FLOAT16 = "the running statistics are stored in float16, which ends at 65504"
    STATISTICS_IN_FLOAT64 = "the running statistics are stored in float64"
    OUTPUT_IN_BFLOAT16 = "y is bfloat16, for an input of float32"
    OUTPUT_IN_FLOAT16 = "y is float16, for an input of float32"
    OUTPUT_IN_FLOAT64 = "y is float64, for an input of float32"
    FIRST_BATCH_REPLACES = "the first batch replaces the running statistics, whatever momentum is"


class Shown(NamedTuple):
    """Where a deviation shows: what has to be offered, what that is called, how it is given."""

    needs: Capability
    called: str
    given: str


_LAYER = Shown(Capability.LAYER, "a layer", "give `build`, a function from Config to Layer")
_FUNCTION = Shown(
    Capability.FORWARD, "a forward function", "give `forward`, a function of (seed, x, flag)"
)
_GRADIENTS = Shown(Capability.GRAD, "gradients", "let the adapter offer gradients")
_OF_EITHER = frozenset(
    {
        Deviation.ONE_PASS_VARIANCE,
        Deviation.EMA_NORMALISED_TRAINING,
        Deviation.OUTPUT_IN_BFLOAT16,
        Deviation.OUTPUT_IN_FLOAT16,
        Deviation.OUTPUT_IN_FLOAT64,
    }
)
"""What shows in y of a training call, and so in a forward function without a layer."""


def shown_in(deviation: Deviation, offered: frozenset[Capability]) -> Shown:
    """Return where the deviation shows, in an implementation that offers this."""
    if deviation is Deviation.TRUTHY_FLAG:
        return _FUNCTION
    if deviation is Deviation.GRADIENT_THROUGH_STATISTICS:
        return _GRADIENTS
    layerless = Capability.LAYER not in offered
    return _FUNCTION if layerless and deviation in _OF_EITHER else _LAYER


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Constructor arguments of a layer.

    ``features`` is D; ``momentum`` is the weight of the old value, in [0, 1]; ``eps`` > 0 is
    added to the variance; ``seed`` feeds the random streams of frameworks that ask for one.
    """

    features: int
    momentum: float = 0.9
    eps: float = 1e-5
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Construction:
    """The callable that makes a module, and the names by which it is driven.

    ``keywords``: its own names for ``features``, ``momentum`` and ``eps``; ``attributes``: those of
    the four arrays; ``arguments``: what else it is given.
    """

    module: Callable[..., Any]
    keywords: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One implementation, ready to be judged.

    ``name``: how reports call it. ``build``: makes a fresh ``Layer`` from a ``Config``;
    None if there is no layer. ``forward``: the function ``f(seed, x, use_running_average)``;
    None if there is none. ``nnx``: the layers are ``conformance.adapters.nnx.NnxLayer``;
    ``pure``: they are ``conformance.adapters.pure.PureLayer``, and so ``Transformable``;
    ``own_gradients``: they are ``Differentiable``, by whatever their framework has;
    ``differentiable``: JAX can differentiate their calls in reverse mode.
    ``deviations``: the conventions it declares. ``state_dtype``: the dtype that its four
    arrays are declared to have. ``wider``: what it takes beyond a float32 batch (N, D).
    ``kind``: what it was recognised as. ``construction``: how ``nnx`` makes its layers, which a
    script of a counterexample repeats.

    Raises:
        AdapterError: neither ``build`` nor ``forward`` is given, or a deviation is declared that
            shows in nothing that is offered.
    """

    name: str
    build: Callable[[Config], Layer] | None = None
    forward: Callable[[Any, Any, Any], Any] | None = None
    nnx_module: bool = False
    pure: bool = False
    own_gradients: bool = False
    differentiable: bool = True
    deviations: frozenset[Deviation] = field(default_factory=frozenset)
    state_dtype: str = "float32"
    wider: Wider | None = None
    kind: str = "Implementation object"
    construction: Construction | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.build is None and self.forward is None:
            msg = (
                f"Implementation(name={self.name!r}) offers nothing to judge: give `build`, a "
                "function from Config to Layer, or `forward`, a function of (seed, x, flag)."
            )
            raise AdapterError(msg)
        offered = self.capabilities
        for deviation in sorted(self.deviations, key=lambda d: d.name):
            place = shown_in(deviation, offered)
            if place.needs not in offered:
                msg = (
                    f"{self.name!r} declares {deviation.name} ({deviation.value}), which shows "
                    f"in {place.called} alone, and offers none: no requirement could tell "
                    f"whether that is true. Remove the declaration, or {place.given}."
                )
                raise AdapterError(msg)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it offers, from what it was given."""
        offered = {
            Capability.LAYER: self.build is not None,
            Capability.FORWARD: self.forward is not None,
            Capability.NNX: self.nnx_module,
            Capability.GRAD: self.own_gradients
            or ((self.nnx_module or self.pure) and self.differentiable),
            Capability.NNX_GRAD: self.nnx_module and self.differentiable,
            Capability.TRANSFORMS: self.nnx_module or self.pure,
            Capability.TRANSFORMS_GRAD: (self.nnx_module or self.pure) and self.differentiable,
        }
        given = frozenset(capability for capability, there in offered.items() if there)
        return given if self.wider is None else given | self.wider.capabilities

    def read(self, *, strictly: bool) -> Implementation:
        """Return it as it is, or without what it declares for the strict reading."""
        return replace(self, deviations=frozenset()) if strictly else self

    @classmethod
    def nnx(
        cls,
        module: Callable[..., Any],
        *,
        name: str | None = None,
        features: str = "d",
        momentum: str = "momentum",
        eps: str = "eps",
        gamma: str = "gamma",
        beta: str = "beta",
        running_mean: str = "running_mean",
        running_var: str = "running_var",
        count: str = "",
        arguments: Mapping[str, Any] | None = None,
        forward: Callable[[Any, Any, Any], Any] | None = None,
        deviations: frozenset[Deviation] | set[Deviation] = frozenset(),
        kind: str = "nnx.Module",
        differentiable: bool = True,
        wider: Wider | None = None,
    ) -> Implementation:
        """Return the implementation that an ``nnx.Module`` class is.

        It is built as ``module(<features>=D, <momentum>=m, <eps>=e, rngs=…, **arguments)`` and
        called as ``layer(x, use_running_average=flag)``; ``features``, ``momentum`` and ``eps``
        name constructor arguments, ``gamma`` to ``running_var`` name attributes, and so does
        ``count``, for a layer that keeps the number of its updates. A layer that
        leaves JAX, for a callback say, is declared as not ``differentiable``. ``wider`` names
        the arguments for masks, axes, dtypes and named axes.
        """
        keywords = {"features": features, "momentum": momentum, "eps": eps}
        attributes = dict(zip(ARRAYS, (gamma, beta, running_mean, running_var), strict=True))
        attributes |= {COUNT: count} if count else {}

        def build(config: Config, more: Mapping[str, Any] | None = None) -> Layer:
            from conformance.adapters.nnx import build_layer  # noqa: PLC0415  imports jax

            given = {**(arguments or {}), **(more or {})}
            return build_layer(module, config, keywords, attributes, given)

        def build_wide(config: Config, options: Options) -> Any:
            from conformance.adapters.wide import pure_of  # noqa: PLC0415  imports jax

            assert wider is not None, "only what declares it gets this"  # noqa: S101
            return pure_of(build(config, wider.arguments(options)), wider.mask)

        return cls(
            name=name or str(getattr(module, "__name__", module)),
            build=build,
            forward=forward,
            nnx_module=True,
            differentiable=differentiable,
            deviations=frozenset(deviations),
            wider=None if wider is None else replace(wider, build=build_wide),
            kind=kind,
            construction=Construction(
                module=module,
                keywords=keywords,
                attributes=attributes,
                arguments=dict(arguments or {}),
            ),
        )
