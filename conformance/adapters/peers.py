"""The bundled adapters by name; importing this module imports none of the frameworks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from conformance.adapters.domain import FLAX_DOMAIN, Options, Precision, Wider
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config, Layer
from conformance.requirements.deviations import Deviation

_GRADIENT_THROUGH = frozenset({Deviation.GRADIENT_THROUGH_STATISTICS})
_DEBIASED = _GRADIENT_THROUGH | {Deviation.ZERO_DEBIASED_STATISTICS}
_FAST = _GRADIENT_THROUGH | {Deviation.ONE_PASS_VARIANCE}
_AVERAGED = _GRADIENT_THROUGH | {Deviation.EMA_NORMALISED_TRAINING, Deviation.FIRST_BATCH_REPLACES}
_UNBIASED = frozenset({Deviation.UNBIASED_RUNNING_VARIANCE, Deviation.SINGLE_ROW_REFUSED})


_ANY_DTYPE = (
    Precision(x="bfloat16", y="float32"),
    Precision(x="float16", y="float32"),
    Precision(x="float64", dtype="float64", y="float64", state="float64"),
)
"""Float32 arrays, which promote an output of 16 bits; or everything in float64."""

_MAPPED = Wider(ndim=True, dtype="dtype", precisions=_ANY_DTYPE, axis_name="axis_name")
"""Dtypes and a named axis."""

_POLICIES = (
    Precision(x="bfloat16", y="float32"),
    Precision(x="float16", y="float32"),
    Precision(x="bfloat16", dtype="mixed_bfloat16", y="bfloat16"),
    Precision(x="float16", dtype="mixed_float16", y="float16"),
    Precision(x="float64", dtype="float64", y="float64", state="float64"),
)
"""Dtype policies that keep variables in at least float32, as the documentation of Keras advises."""


def linen() -> Implementation:
    """Return ``flax.linen.BatchNorm`` with its defaults, which declares its one-pass variance."""
    return _peer("linen", "flax", "flax.linen.BatchNorm", _FAST, wider=FLAX_DOMAIN)


def equinox() -> Implementation:
    """Return ``equinox.nn.BatchNorm(mode="batch")``, which evaluates with debiased sums."""
    kind = 'equinox.nn.BatchNorm, mode="batch"'
    return _peer("equinox", "equinox", kind, _DEBIASED, arguments={"mode": "batch"}, wider=_MAPPED)


def equinox_ema() -> Implementation:
    """Return ``equinox.nn.BatchNorm(mode="ema")``, where the first batch replaces statistics."""
    kind = 'equinox.nn.BatchNorm, mode="ema"'
    return _peer("equinox", "equinox", kind, _AVERAGED, arguments={"mode": "ema"}, wider=_MAPPED)


def haiku() -> Implementation:
    """Return ``haiku.BatchNorm``, which declares its one-pass variance and debiased averages."""
    return _peer("haiku", "haiku", "haiku.BatchNorm", _FAST | _DEBIASED, wider=_MAPPED)


def keras() -> Implementation:
    """Return ``keras.layers.BatchNormalization`` on the JAX backend."""
    kind = "keras.layers.BatchNormalization"
    wider = Wider(
        ndim=True, axis="axis", mask="mask", mask_by_row=True, dtype="dtype", precisions=_POLICIES
    )
    return _peer("keras", "keras", kind, _GRADIENT_THROUGH, wider=wider)


def torch_1d() -> Implementation:
    """Return ``torch.nn.BatchNorm1d``, differentiated by torch.autograd."""
    return _torch("torch.nn.BatchNorm1d", images=False)


def torch_2d() -> Implementation:
    """Return ``torch.nn.BatchNorm2d`` on images of several sizes."""
    return _torch("torch.nn.BatchNorm2d", images=True)


def _torch(kind: str, *, images: bool) -> Implementation:
    layer = _peer("torch", "torch", kind, _UNBIASED, arguments={"images": images})
    return replace(layer, own_gradients=True, own_second=True)


def mlx() -> Implementation:
    """Return ``mlx.nn.BatchNorm`` on the CPU."""
    return _peer("mlx", "mlx", "mlx.nn.BatchNorm", _UNBIASED)


def onnx() -> Implementation:
    """Return the operator BatchNormalization in the reference evaluator of ONNX."""
    return _peer("onnx", "onnx", "ONNX BatchNormalization")


def _peer(
    adapter: str,
    package: str,
    kind: str,
    deviations: frozenset[Deviation] = frozenset(),
    *,
    arguments: dict[str, Any] | None = None,
    wider: Wider | None = None,
) -> Implementation:
    """Return the layer of an adapter; one with an extended domain is a pure function."""
    if find_spec(package) is None:
        msg = f"{kind}: {package} is not installed; pip install 'batchnorm-conformance[{adapter}]'"
        raise AdapterError(msg)
    given = arguments or {}
    if wider is not None:
        wider = replace(wider, build=partial(_build_wide, adapter, given))
    return Implementation(
        name=adapter,
        build=partial(_build, adapter, given),
        pure=wider is not None,
        deviations=deviations,
        wider=wider,
        kind=kind,
    )


def _build_wide(adapter: str, arguments: dict[str, Any], config: Config, options: Options) -> Any:
    module = import_module(f"conformance.adapters.{adapter}")
    return module.build_wide(config, options, **arguments)


def _build(adapter: str, arguments: dict[str, Any], config: Config) -> Layer:
    layer: Layer = import_module(f"conformance.adapters.{adapter}").build(config, **arguments)
    return layer
