"""What is judged: how the suite builds and calls one implementation, and what it declares.

Imports the standard library only; frameworks are imported when a layer is first built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import InitVar, asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from conformance.adapters.calling import calling_of
from conformance.adapters.class_constructors import ClassConstructors
from conformance.adapters.construction import Construction
from conformance.adapters.design import PLAIN, Design, deviations_of
from conformance.adapters.domain import Precision, Wider
from conformance.adapters.errors import AdapterError
from conformance.adapters.mining import MOST, mine
from conformance.adapters.protocols import ARRAYS, COUNT, Config, Layer
from conformance.adapters.recognized import Recognition
from conformance.requirements.deviations import LARGEST_DEBIASED, Deviation, visibility_of
from conformance.requirements.requirement import Capability


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the judging process knows about an implementation that it does not import.

    Attributes:
        name: The name in reports.
        kind: What the implementation was recognized as.
        capabilities: What it offers.
        deviations: The declared deviations.
        nnx_module: The layers are ``nnx.Module``.
        wider: The declared domain beyond float32 batches (N, D).
        design: What is fixed, absent or added by design.
        recognition: How it was recognized, if it is not an author's adapter.
        mined: Numbers that its source mentions.
    """

    name: str
    kind: str
    capabilities: frozenset[Capability]
    deviations: frozenset[Deviation]
    nnx_module: bool
    wider: Wider | None = None
    design: Design = PLAIN
    recognition: Recognition | None = None
    mined: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as JSON values."""
        wider = None if self.wider is None else asdict(replace(self.wider, build=None))
        return {
            "name": self.name,
            "kind": self.kind,
            "capabilities": sorted(each.name for each in self.capabilities),
            "deviations": sorted(each.name for each in self.deviations),
            "nnx_module": self.nnx_module,
            "wider": wider,
            "design": self.design.to_json(),
            "recognition": self.recognition and self.recognition.to_json(),
            "mined": list(self.mined),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Declaration:
        """Return the declaration that ``to_json`` wrote.

        Raises:
            KeyError: A name in it is not known.
            TypeError: It is something else.
        """
        texts = [data[name] for name in ("name", "kind")]
        if not all(type(text) is str for text in texts) or type(data["nnx_module"]) is not bool:
            raise TypeError("a field has another type")
        wider = data["wider"]
        if wider is not None:
            precisions = tuple(Precision(**each) for each in wider["precisions"])
            wider = Wider(**{**wider, "precisions": precisions})
        named: dict[str, Any] = {
            "capabilities": frozenset(Capability[each] for each in data["capabilities"]),
            "deviations": frozenset(Deviation[each] for each in data["deviations"]),
        }
        recognition = data["recognition"] and Recognition.from_json(data["recognition"])
        mined = data["mined"]
        if len(mined) > MOST or not all(type(each) in {int, float} for each in mined):
            raise TypeError("mined numbers are of another kind")
        named |= {"wider": wider, "design": Design.from_json(data["design"])}
        return cls(**{**data, **named, "recognition": recognition, "mined": tuple(mined)})


@dataclass(frozen=True, kw_only=True)
class Implementation(ClassConstructors):
    """One implementation, ready to be judged.

    Attributes:
        name: The name in reports.
        build: Makes a fresh ``Layer`` from a ``Config``; None if there is no layer.
        forward: The function ``f(seed, x, use_running_average)``; None if there is none.
        nnx_module: The layers are ``conformance.adapters.nnx.NnxLayer``.
        pure: The layers are ``conformance.adapters.pure.PureLayer``, and so ``Transformable``.
        own_gradients: The layers are ``Differentiable`` by means of their framework, not of JAX.
        own_second: The calls of such layers are ``TwiceDifferentiableCall``.
        differentiable: JAX can differentiate the layers' calls in reverse mode.
        forward_mode: The calls, if they can be differentiated, can be in forward mode, too: False
            for a ``jax.custom_vjp``, which refuses it.
        twice_differentiable: The gradients can be differentiated in reverse mode.
        deviations: The declared deviations from the conventions of the requirements.
        wider: The declared domain beyond float32 batches (N, D).
        design: What is fixed, absent or added by design.
        kind: What the implementation was recognized as, for reports.
        construction: How the layers are constructed, if ``Implementation.nnx`` made this; the
            script that reproduces a counterexample repeats it.
        recognition: How it was recognized, if it is not an author's adapter.

    Raises:
        AdapterError: Neither ``build`` nor ``forward`` is given, or nothing that is offered
            could verify a declared deviation.
    """

    name: str
    build: Callable[[Config], Layer] | None = None
    forward: Callable[[Any, Any, Any], Any] | None = None
    nnx_module: bool = False
    pure: bool = False
    own_gradients: bool = False
    own_second: bool = False
    differentiable: bool = True
    forward_mode: bool = True
    twice_differentiable: bool = True
    deviations: frozenset[Deviation] = field(default_factory=frozenset)
    wider: Wider | None = None
    design: Design = PLAIN
    kind: str = "Implementation object"
    construction: Construction | None = field(default=None, compare=False, repr=False)
    recognition: Recognition | None = field(default=None, compare=False, repr=False)
    state_dtype: InitVar[object] = None  # the name of an earlier version, which is refused

    def __post_init__(self, state_dtype: object) -> None:
        if state_dtype is not None:
            both = (
                f"Deviation.{kind}_in({state_dtype!r})" for kind in ("parameters", "statistics")
            )
            msg = f"state_dtype={state_dtype!r} is now deviations={{{', '.join(both)}}}"
            raise AdapterError(msg)
        if self.build is None and self.forward is None:
            msg = (
                f"Implementation(name={self.name!r}) offers nothing to judge: give `build`, a "
                "function from Config to Layer, or `forward`, a function of (seed, x, flag)."
            )
            raise AdapterError(msg)
        object.__setattr__(self, "deviations", frozenset(self.deviations))  # given as any set
        for deviation in sorted(self.deviations, key=lambda d: d.name):
            self._check_verifiable(deviation)
            self._check_alone(deviation)
        self._check_momentum()

    def _check_verifiable(self, deviation: Deviation) -> None:
        offered = self.capabilities
        place = visibility_of(deviation, offered)
        if place.needs not in offered:
            msg = (
                f"{self.name!r} declares {deviation.name} ({deviation.value}), which shows "
                f"in {place.words} alone, and offers none: no requirement could tell "
                f"whether that is true. Remove the declaration, or {place.offer}."
            )
            raise AdapterError(msg)

    def _check_alone(self, deviation: Deviation) -> None:
        alike = sorted(each.name for each in self.deviations if each.kind == deviation.kind)
        if len(alike) > 1:
            msg = f"{self.name!r} declares {' and '.join(alike)}, of which only one can be true."
            raise AdapterError(f"{msg} Remove the others.")

    def _check_momentum(self) -> None:
        momentum = dict(self.design.fixed).get("momentum", 0.0)
        if Deviation.ZERO_DEBIASED_STATISTICS in self.deviations and momentum > LARGEST_DEBIASED:
            msg = (
                f"{self.name!r} has a fixed momentum of {momentum:g} and declares "
                "ZERO_DEBIASED_STATISTICS, which divides by 1 − mᵗ and is judged up to "
                f"{LARGEST_DEBIASED:g}. Pass a smaller momentum in `arguments`, or leave the "
                "declaration out."
            )
            raise AdapterError(msg)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the implementation offers; requirements that need more do not apply."""
        jax_layers = self.nnx_module or self.pure
        jax_gradients = jax_layers and self.differentiable
        beyond = self.own_second if self.own_gradients else jax_gradients
        offered = {
            Capability.LAYER: self.build is not None,
            Capability.FORWARD: self.forward is not None,
            Capability.NNX: self.nnx_module,
            Capability.GRAD: self.own_gradients or jax_gradients,
            Capability.NNX_GRAD: self.nnx_module and self.differentiable,
            Capability.FORWARD_MODE: beyond and self.forward_mode,
            Capability.FORWARD_OVER_REVERSE: jax_gradients and self.forward_mode,
            Capability.SECOND: beyond and self.twice_differentiable,
            Capability.TRANSFORMS: jax_layers,
            Capability.TRANSFORMS_GRAD: jax_gradients,
        }
        found = frozenset(capability for capability, is_offered in offered.items() if is_offered)
        return found if self.wider is None else found | self.wider.capabilities

    @property
    def declaration(self) -> Declaration:
        """What the judging process knows about the implementation."""
        return Declaration(
            name=self.name,
            kind=self.kind,
            capabilities=self.capabilities,
            deviations=self.deviations,
            nnx_module=self.nnx_module,
            wider=None if self.wider is None else replace(self.wider, build=None),
            design=self.design,
            recognition=self.recognition,
            mined=self.mined,
        )

    @cached_property
    def mined(self) -> tuple[float, ...]:
        """Numbers that the source of the layer, or else of the function, mentions."""
        layer = self.build if self.construction is None else self.construction.module
        found = [number for each in (layer, self.forward) if each for number in mine(each)]
        return tuple(dict.fromkeys(found))[:MOST]

    def read(self, *, strictly: bool) -> Implementation:
        """Return the implementation to judge: without its deviations by the strict requirements.

        Args:
            strictly: Whether declared deviations are ignored.
        """
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
        rngs: str | bool = "rngs",
        gamma: str | None = "gamma",
        beta: str | None = "beta",
        running_mean: str | None = "running_mean",
        running_var: str | None = "running_var",
        count: str = "",
        flag: str | None = "use_running_average",
        flag_means: str = "evaluation",
        flag_values: tuple[str, str] | None = None,
        layout: str = "last",
        ndim: int = 2,
        fixed: Mapping[str, float] | None = None,
        extra: Iterable[str] = (),
        modes: str = "both",
        arguments: Mapping[str, Any] | None = None,
        forward: Callable[[Any, Any, Any], Any] | None = None,
        deviations: Iterable[Deviation] = (),
        kind: str = "nnx.Module",
        differentiable: bool = True,
        forward_mode: bool = True,
        twice_differentiable: bool = True,
        wider: Wider | None = None,
        takes_numpy: bool = True,
    ) -> Implementation:
        """Return the implementation for an ``nnx.Module`` class.

        The class is constructed as ``module(<features>=D, <momentum>=m, <eps>=e, <rngs>=…,
        **arguments)`` and called as ``layer(x, <flag>=…)``.

        Args:
            module: The class, or another callable that returns a module.
            name: The name in reports; by default, that of the class.
            features: Name of the constructor argument for the number of features D; with a dot,
                "config.dim", like the others, for a field of an argument that is annotated with
                the class of a configuration object.
            momentum: Name of the constructor argument for the weight of the old value.
            eps: Name of the constructor argument for ε.
            rngs: Name of the constructor argument for ``nnx.Rngs``; False if there is none.
            gamma: Name of the attribute with γ, of any shape that has D numbers along one axis;
                with dots, "bn.scale", for a submodule's; "both[0]" or "both['scale']" for one of
                several arrays that an attribute holds; None if the layer has no γ.
            beta: Name of the attribute with β; None if there is none.
            running_mean: Name of the attribute with the running mean; None if there is none.
            running_var: Name of the attribute with the running variance; None if there is none.
            count: Name of the attribute with the number of updates, if the layer has one.
            flag: Where the mode goes: "train" for an argument of the call, ".training" for an
                attribute, "train()/eval()" for two methods, "set_view(deterministic)" for a method
                with that argument, None for a layer without modes.
            flag_means: What a true value of it means: "evaluation" or "training".
            flag_values: The words that train and that evaluate, ``("train", "eval")``, if the mode
                is not a boolean.
            layout: Where inputs have their features: "last", or "first" for axis 1.
            ndim: The number of axes of inputs, 2 to 5.
            fixed: Values of "momentum" and "eps" that the layer has no argument for.
            extra: Names of attributes with further state, such as a counter.
            modes: "both"; "evaluation" for a layer that evaluates in every call, because it is
                frozen or for inference only; "training" for one without running statistics.
            arguments: Further constructor arguments.
            forward: The function ``f(seed, x, use_running_average)``, if there is one as well.
            deviations: The declared deviations.
            kind: What the class was recognized as, for reports.
            differentiable: False for a layer that leaves JAX, such as for a callback.
            forward_mode: False for a layer with a ``jax.custom_vjp``, which refuses ``jax.jvp``.
            twice_differentiable: False for one whose backward pass JAX cannot differentiate.
            wider: Names of the arguments for masks, axes, dtypes and named axes.
            takes_numpy: False for a layer that refuses NumPy arrays; x is then a JAX array.

        Raises:
            AdapterError: A value is none of those that are listed here.
        """
        arrays = dict(zip(ARRAYS, (gamma, beta, running_mean, running_var), strict=True))
        attributes = {ours: own for ours, own in arrays.items() if own}
        if not (running_mean or running_var) and modes == "both":
            modes = "training"
        calling = calling_of(flag, flag_means, layout, ndim, flag_values, takes_numpy=takes_numpy)
        design = Design(
            fixed=tuple(sorted((fixed or {}).items())),
            absent=frozenset(ours for ours, own in arrays.items() if not own),
            extra=tuple(extra),
            flag_argument=calling.takes_flag,
            layout=calling.layout,
            takes_numpy=takes_numpy,
        )
        keywords = {"features": features, "momentum": momentum, "eps": eps, "rngs": rngs or ""}
        construction = Construction(
            module=module,
            keywords={
                ours: str(own) for ours, own in keywords.items() if ours not in dict(design.fixed)
            },
            attributes=attributes | ({COUNT: count} if count else {}),
            arguments=dict(arguments or {}),
            calling=calling,
            extra=design.extra,
        )
        if wider is not None:
            wider = replace(wider, build=partial(construction.build_wide, wider))
        return cls(
            name=name or str(getattr(module, "__name__", module)),
            build=construction.build,
            forward=forward,
            nnx_module=True,
            differentiable=differentiable,
            forward_mode=forward_mode,
            twice_differentiable=twice_differentiable,
            deviations=frozenset(deviations) | deviations_of(modes),
            wider=wider,
            design=design,
            kind=kind,
            construction=construction,
        )


def reading_of(
    judged: Declaration | Implementation, device: str, versions: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what a report says was read of an implementation, as JSON values.

    Args:
        judged: The implementation.
        device: What the device calls itself on which it is judged.
        versions: The versions in its environment, if that is not the one of the suite.
    """
    recognition = judged.recognition and judged.recognition.to_json()
    reading = {"recognition": recognition, "mined": list(judged.mined), "device": device}
    reading["environment"] = dict(versions or {})
    return {name: part for name, part in reading.items() if part}
