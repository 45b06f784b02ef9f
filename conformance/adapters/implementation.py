"""What is judged: the protocol between the suite and an implementation.

Standard library only; frameworks are imported when a layer is first built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.adapters.domain import Options, Wider
from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import ARRAYS, COUNT, Config, Layer
from conformance.requirements.deviations import Deviation, shown_in
from conformance.requirements.requirement import Capability


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
            from conformance.adapters.wide import split_layer  # noqa: PLC0415  imports jax

            assert wider is not None, "only what declares it gets this"  # noqa: S101
            return split_layer(build(config, wider.arguments(options)), wider.mask)

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
