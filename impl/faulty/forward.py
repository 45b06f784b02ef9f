"""Faulty forward functions: f(seed, x, use_running_average)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from impl.batchnorm import MyBatchNorm
from impl.faulty.record import fault


def _applied(x: Any, evaluate: bool, seed: int = 0, eps: float = 1e-5) -> Any:
    batch = jnp.asarray(x)
    layer = MyBatchNorm(batch.shape[1], momentum=0.9, eps=eps, rngs=nnx.Rngs(seed))
    return layer(batch, evaluate)


@fault("flag-truthy", "BN-FLAG-2")
def flag_truthy(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is taken as a truth value, so 0.3 evaluates."""
    return _applied(x, bool(use_running_average), int(seed)).reshape(-1)


@fault("flag-rounded", "BN-FLAG-2")
def flag_rounded(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is rounded to even, so 0.5 trains."""
    flag = float(use_running_average)
    return _applied(x, bool(np.round(flag) == 1) or flag > 1.5, int(seed)).reshape(-1)


@fault("flag-is-bool", "BN-FLAG-1", "BN-FWD-3", diagnosed="flag-is-true")
def flag_is_bool(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Only the object True evaluates."""
    return _applied(x, use_running_average is True, int(seed)).reshape(-1)


@fault("flag-inverted", "BN-FLAG-1", "BN-FWD-2", "BN-FWD-3", diagnosed="modes-exchanged")
def flag_inverted(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is read as 'training'."""
    return _applied(x, not use_running_average >= 0.5, int(seed)).reshape(-1)


@fault("not-flat", "BN-FWD-1")
def not_flat(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The result keeps the shape of the input."""
    return _applied(x, bool(use_running_average >= 0.5), int(seed))


@fault("column-major", "BN-FWD-1", diagnosed=("column-major", "y-transposed"))
def column_major(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The result is flattened feature by feature."""
    return _applied(x, bool(use_running_average >= 0.5), int(seed)).T.reshape(-1)


@fault("forward-eps", "BN-FWD-2", "BN-FWD-3", diagnosed="eps-hard-coded")
def forward_eps(seed: Any, x: Any, use_running_average: Any) -> Any:
    """eps is 1e-3, the default of another framework."""
    return _applied(x, bool(use_running_average >= 0.5), int(seed), eps=1e-3).reshape(-1)


@fault("float-seed", "BN-FWD-4", raises=True)
def float_seed(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The seed is passed on without the cast."""
    return _applied(x, bool(use_running_average >= 0.5), seed if seed else 0).reshape(-1)


_LAYERS: dict[int, MyBatchNorm] = {}


@fault("layer-cached", "BN-FWD-5")
def layer_cached(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The layer is cached by width, so training shows in later evaluations."""
    batch = jnp.asarray(x)
    width = batch.shape[1]
    if width not in _LAYERS:
        _LAYERS[width] = MyBatchNorm(width, 0.9, 1e-5, nnx.Rngs(int(seed)))
    return _LAYERS[width](batch, bool(use_running_average >= 0.5)).reshape(-1)


@fault("forward-in-place", "BN-FWD-5", diagnosed="rounded-in-place")
def forward_in_place(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The input is rounded in place before it is used."""
    if isinstance(x, np.ndarray):
        np.round(x, 2, out=x)
    return _applied(x, bool(use_running_average >= 0.5), int(seed)).reshape(-1)


_SEEDED: dict[tuple[int, int], MyBatchNorm] = {}


@fault("layer-cached-by-seed", "BN-FWD-5")
def layer_cached_by_seed(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The layer is cached by seed and width."""
    batch = jnp.asarray(x)
    key = (int(seed), batch.shape[1])
    if key not in _SEEDED:
        _SEEDED[key] = MyBatchNorm(batch.shape[1], 0.9, 1e-5, nnx.Rngs(int(seed)))
    return _SEEDED[key](batch, bool(use_running_average >= 0.5)).reshape(-1)


@fault(
    "trains-before-evaluating",
    "BN-FWD-3",
    diagnosed=(
        "normalizes-with-updated",
        "evaluation-updates-first@evaluation",
        "evaluation-updates-first",
    ),
)
def trains_before_evaluating(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The layer is trained on the batch before it is evaluated."""
    batch = jnp.asarray(x)
    layer = MyBatchNorm(batch.shape[1], 0.9, 1e-5, nnx.Rngs(int(seed)))
    trained = layer(batch, False)
    return (layer(batch, True) if use_running_average >= 0.5 else trained).reshape(-1)


@fault("flag-int", "BN-FLAG-2", diagnosed=("flag-int", "flag-int-positive"))
def flag_int(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is cut to an integer, so 0.9 trains."""
    return _applied(x, int(use_running_average) >= 1, int(seed)).reshape(-1)


@fault("flag-blends", "BN-FLAG-2")
def flag_blends(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag mixes the results of both modes."""
    share = float(np.clip(np.nan_to_num(float(use_running_average)), 0, 1))
    evaluated, trained = _applied(x, True, int(seed)), _applied(x, False, int(seed))
    return (share * evaluated + (1 - share) * trained).reshape(-1)


@fault("squeezed", "BN-FWD-1")
def squeezed(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Axes of length one are removed, and others kept."""
    return jnp.squeeze(_applied(x, bool(use_running_average >= 0.5), int(seed)))


@fault(
    "transposed-if-wide",
    "BN-FWD-2",
    diagnosed=("forward-transposed@wide", "layer-norm@wide", "taken-as-transposed@wide"),
)
def transposed_if_wide(seed: Any, x: Any, use_running_average: Any) -> Any:
    """A batch with more features than rows is taken as transposed."""
    batch = jnp.asarray(x)
    evaluates = bool(use_running_average >= 0.5)
    if batch.shape[0] < batch.shape[1]:
        return _applied(batch.T, evaluates, int(seed)).T.reshape(-1)
    return _applied(batch, evaluates, int(seed)).reshape(-1)


@fault("seed-in-result", "BN-FWD-10")
def seed_in_result(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The last digits of the result depend on the seed."""
    y = _applied(x, bool(use_running_average >= 0.5), int(seed)).reshape(-1)
    return y * (1 + 1e-6 * (int(seed) % 7))


@fault("forward-float16", "BN-FWD-2", "BN-FWD-3", diagnosed="y-float16")
def forward_float16(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The result is rounded to float16."""
    y = _applied(x, bool(use_running_average >= 0.5), int(seed))
    return y.astype(jnp.float16).astype(jnp.float32).reshape(-1)


@fault("memory-order", "BN-FWD-1", diagnosed=("memory-order", "memory-order-unless-c"))
def memory_order(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The result is flattened in the memory order of x."""
    y = np.asarray(_applied(x, bool(use_running_average >= 0.5), int(seed)))
    fortran = isinstance(x, np.ndarray) and not x.flags.c_contiguous
    return y.ravel(order="F" if fortran else "C")


@fault("forward-first-rows", "BN-FWD-6")
def forward_first_rows(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The statistics are those of the first 256 rows."""
    if use_running_average >= 0.5:
        return _applied(x, True, int(seed)).reshape(-1)
    batch = jnp.asarray(x)
    first = batch[:256]
    return ((batch - first.mean(0)) / jnp.sqrt(first.var(0) + 1e-5)).reshape(-1)


@fault("forward-thousands", "BN-FWD-6")
def forward_thousands(seed: Any, x: Any, use_running_average: Any) -> Any:
    """From 4097 rows on the variance is half as large again."""
    batch = jnp.asarray(x)
    if use_running_average >= 0.5 or batch.shape[0] <= 4096:
        return _applied(batch, bool(use_running_average >= 0.5), int(seed)).reshape(-1)
    return ((batch - batch.mean(0)) / jnp.sqrt(1.5 * batch.var(0) + 1e-5)).reshape(-1)


_RESULTS: dict[Any, Any] = {}


def _remembered(key: Any, seed: Any, x: Any, flag: Any) -> Any:
    key = key, bool(flag >= 0.5), np.shape(x)
    if key not in _RESULTS:
        if len(_RESULTS) > 200:
            _RESULTS.clear()
        _RESULTS[key] = _applied(x, bool(flag >= 0.5), int(seed)).reshape(-1)
    return _RESULTS[key]


@fault("remembered-by-sums", "BN-FWD-7")
def remembered_by_sums(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by the sums of the columns."""
    key = "sums", np.asarray(x).sum(axis=0).tobytes()
    return _remembered(key, seed, x, use_running_average)


@fault("remembered-by-moments", "BN-FWD-7")
def remembered_by_moments(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by the mean and the variance of the columns."""
    batch = np.asarray(x, np.float64)
    key = "moments", batch.mean(axis=0).tobytes(), np.square(batch).mean(axis=0).tobytes()
    return _remembered(key, seed, x, use_running_average)


@fault("remembered-by-identity", "BN-FWD-8")
def remembered_by_identity(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by the array object, which may have been filled anew."""
    key = "identity", use_running_average >= 0.5
    known, y = _RESULTS.get(key, (None, None))
    if known is not x:
        y = _applied(x, bool(use_running_average >= 0.5), int(seed)).reshape(-1)
        _RESULTS[key] = x, y
    return y


@fault("remembered-by-first-row", "BN-FWD-8")
def remembered_by_first_row(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by the first row and the last."""
    batch = np.asarray(x)
    key = "rows", batch[0].tobytes(), batch[-1].tobytes()
    return _remembered(key, seed, x, use_running_average)


@fault("remembered-by-size", "BN-FWD-8")
def remembered_by_size(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by the absolute values of x."""
    key = "size", np.abs(np.asarray(x)).tobytes()
    return _remembered(key, seed, x, use_running_average)


@fault("remembered-by-print", "BN-FWD-8")
def remembered_by_print(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by the printed form of x, which leaves out the middle of large x."""
    return _remembered(("print", str(np.asarray(x))), seed, x, use_running_average)


@fault("remembered-by-decimals", "BN-FWD-8")
def remembered_by_decimals(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Results are remembered by x rounded to three decimals."""
    key = "decimals", np.round(np.asarray(x), 3).tobytes()
    return _remembered(key, seed, x, use_running_average)


@fault("forward-numpy-path", "BN-FWD-9")
def forward_numpy_path(seed: Any, x: Any, use_running_average: Any) -> Any:
    """A view of NumPy with gaps is read as if it had none."""
    if isinstance(x, np.ndarray) and not (x.flags.c_contiguous or x.flags.f_contiguous):
        x = np.lib.stride_tricks.as_strided(x, x.shape, (x.itemsize * x.shape[1], x.itemsize))
    return _applied(x, bool(use_running_average >= 0.5), int(seed)).reshape(-1)


@fault("forward-jax-path", "BN-FWD-9")
def forward_jax_path(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Arrays of JAX are taken for results of an earlier layer, and normalised without eps."""
    eps = 1e-5 if isinstance(x, np.ndarray) else 0.0
    return _applied(x, bool(use_running_average >= 0.5), int(seed), eps=eps).reshape(-1)
