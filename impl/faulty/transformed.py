"""Faults that show when the layer is mapped, scanned, shared, donated or built abstractly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from impl.faulty.box import Boxed
from impl.faulty.lanes import averaged
from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_SEEN: list[Array] = []


@fault("means-collected", "BN-JIT-5")
class MeansCollected(StepwiseBatchNorm):
    """Batch means are collected in a global list, tracers included."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        _SEEN.append(mean)
        return mean


@fault("tracer-in-a-box", "BN-JIT-5", diagnosed="varies")
class TracerInABox(Boxed):
    """The last batch mean is kept beside the state, and the next batch is shifted by it."""

    def batch_mean(self, x: Any) -> Array:
        shift = self.box.contents.get("mean", jnp.zeros(x.shape[1]))
        mean = super().batch_mean(x - shift) + shift
        self.box.contents["mean"] = mean
        return mean


@fault("last-input-kept", "BN-JIT-5")
class LastInputKept(Boxed):
    """The last input is kept for debugging."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.box.contents["x"] = x
        return super().__call__(x, use_running_average)


@fault("initial-buffer-kept", "BN-JIT-7", raises=True)
class InitialBufferKept(Boxed):
    """The initial running variance is kept, and compared with in each evaluation."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.box.contents["var"] = self.running_var[...]

    def evaluate(self, x: Any) -> Any:
        start = self.box.contents["var"]
        return super().evaluate(x) + 0 * start


@fault("buffer-shared-at-birth", "BN-JIT-7", "BN-STATE-9", raises=True)
class BufferSharedAtBirth(StepwiseBatchNorm):
    """gamma and the running variance start as one array."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        ones = jnp.ones((d,), jnp.float32)
        self.gamma, self.running_var = nnx.Param(ones), nnx.Variable(ones)


@jax.custom_batching.custom_vmap
def _scaled(x: Array, mean: Array, r: Array) -> Array:
    return (x - mean) * r


@_scaled.def_vmap
def _scaled_lanes(size: int, batched: Any, x: Array, mean: Array, r: Array) -> Any:
    del size
    statistics = [
        a if b else jnp.broadcast_to(a[:1], a.shape)
        for a, b in zip((mean, r), batched[1:], strict=True)
    ]
    means, roots = (s[:, None] if b else s for s, b in zip(statistics, batched[1:], strict=True))
    return (x - means) * roots, True


@fault("batching-rule-takes-first-feature", "BN-VMAP-2")
class BatchingRuleTakesFirstFeature(StepwiseBatchNorm):
    """The batching rule takes statistics without a lane axis for statistics of one feature."""

    def evaluate(self, x: Any) -> Any:
        r = self.inverse_std(self.running_var[...])
        return self.affine(_scaled(jnp.asarray(x), self.running_mean[...], r))


@jax.custom_batching.custom_vmap
def _standardized(x: Array, mean: Array, r: Array) -> Array:
    return (x - mean) * r


@_standardized.def_vmap
def _standardized_lanes(size: int, batched: Any, x: Array, mean: Array, r: Array) -> Any:
    del size
    first_mean, first_r = (a[0] if b else a for a, b in zip((mean, r), batched[1:], strict=True))
    return (x - first_mean) * first_r, True


@fault("batching-rule-takes-first-layer", "BN-VMAP-1")
class BatchingRuleTakesFirstLayer(StepwiseBatchNorm):
    """The batching rule of evaluation takes all lanes to be calls of one layer, the first."""

    def evaluate(self, x: Any) -> Any:
        r = self.inverse_std(self.running_var[...])
        return self.affine(_standardized(jnp.asarray(x), self.running_mean[...], r))


@fault("batching-rule-over-all-lanes", "BN-VMAP-1", "BN-VMAP-2")
class BatchingRuleOverAllLanes(StepwiseBatchNorm):
    """The batching rule of the mean averages over the lanes, too."""

    def batch_mean(self, x: Any) -> Array:
        return averaged(jnp.asarray(x))


@fault("callback-sees-all-lanes", "BN-VMAP-1", "BN-VMAP-2")
class CallbackSeesAllLanes(StepwiseBatchNorm):
    """The mean comes from a NumPy callback that gets all lanes at once."""

    def batch_mean(self, x: Any) -> Array:
        def mean(batch: Any) -> Any:
            flat = np.asarray(batch).reshape(-1, batch.shape[-1])
            return np.broadcast_to(flat.mean(0), (*batch.shape[:-2], batch.shape[-1]))

        x = jnp.asarray(x)
        row = jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
        return jax.pure_callback(mean, row, x, vmap_method="broadcast_all")


@fault("one-update-per-pass", "BN-SHARED-1")
class OneUpdatePerPass(Boxed):
    """Within one traced pass the statistics are moved at the first use only."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        contents = self.box.contents
        if isinstance(mean, jax.core.Tracer):
            here = jax.core.get_opaque_trace_state()
            if contents.get("pass") == here:
                return
            contents["pass"] = here
        super().update(x, mean, var)


@fault("second-use-from-old-statistics", "BN-SHARED-1")
class SecondUseFromOldStatistics(Boxed):
    """Within one traced pass each use starts from the statistics that the pass began with."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        contents = self.box.contents
        if not isinstance(mean, jax.core.Tracer):
            super().update(x, mean, var)
            return
        here = jax.core.get_opaque_trace_state()
        if contents.get("pass") != here:
            contents["pass"], contents["start"] = (
                here,
                (self.running_mean[...], self.running_var[...]),
            )
        old_mean, old_var = contents["start"]
        self.running_mean[...] = self.moved(old_mean, mean)
        self.running_var[...] = self.moved_var(old_var, var)


@fault("own-output-skipped", "BN-SHARED-1")
class OwnOutputSkipped(Boxed):
    """A batch that the layer has just returned does not move the statistics."""

    def train_step(self, x: Any) -> Any:
        old = self.running_mean[...], self.running_var[...]
        y = super().train_step(x)
        last = self.box.contents.get("y")
        if last is not None and not _traced(x) and np.array_equal(last, x):
            self.running_mean[...], self.running_var[...] = old
        self.box.contents["y"] = None if _traced(y) else np.asarray(y)
        return y


def _traced(*values: Any) -> bool:
    return any(isinstance(value, jax.core.Tracer) for value in values)


@fault("constructor-looks-at-values", "BN-SHAPE-EVAL-1", raises=True)
class ConstructorLooksAtValues(StepwiseBatchNorm):
    """The constructor checks that all starting values are finite."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        if not bool(jnp.isfinite(self.gamma[...]).all()):
            msg = "gamma must be finite"
            raise ValueError(msg)


@fault("numpy-in-the-constructor", "BN-SHAPE-EVAL-1", raises=True)
class NumpyInTheConstructor(StepwiseBatchNorm):
    """The constructor copies the starting values through NumPy."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_var = nnx.Variable(jnp.asarray(np.array(self.gamma[...])))


@fault("rebound-with-metadata", "BN-SCAN-1", raises=True)
class ReboundWithMetadata(Boxed):
    """A Variable is rebound at each call with a note of the shape that it was made for."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.running_mean = nnx.Variable(self.running_mean[...], made_for=str(np.shape(x)))
