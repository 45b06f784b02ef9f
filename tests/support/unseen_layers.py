"""Layers that were written before recognition, and that it read right when it first met them."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import nnx

stop = jax.lax.stop_gradient


class NewValueImages(nnx.Module):
    """NCHW, (1, C, 1, 1) arrays, call argument is_training, pytorch momentum of new value."""

    def __init__(self, channels, *, decay=0.1, epsilon=1e-5, rngs):
        s = (1, channels, 1, 1)
        self.g, self.b = nnx.Param(jnp.ones(s)), nnx.Param(jnp.zeros(s))
        self.avg_mean, self.avg_var = nnx.BatchStat(jnp.zeros(s)), nnx.BatchStat(jnp.ones(s))
        self.decay, self.epsilon = decay, epsilon

    def __call__(self, inputs, is_training):
        if is_training:
            m = inputs.mean((0, 2, 3), keepdims=True)
            v = inputs.var((0, 2, 3), keepdims=True)
            self.avg_mean[...] = stop((1 - self.decay) * self.avg_mean[...] + self.decay * m)
            self.avg_var[...] = stop((1 - self.decay) * self.avg_var[...] + self.decay * v)
        else:
            m, v = self.avg_mean[...], self.avg_var[...]
        return self.g[...] * (inputs - m) / jnp.sqrt(v + self.epsilon) + self.b[...]


class Nameless(nnx.Module):
    """Opaque names everywhere, rows."""

    def __init__(self, k, q=0.8, z=1e-3):
        self.p1, self.p2 = nnx.Param(jnp.zeros(k)), nnx.Param(jnp.ones(k))
        self.s1, self.s2 = nnx.Variable(jnp.ones(k)), nnx.Variable(jnp.zeros(k))
        self.q, self.z = q, z

    def __call__(self, h, live=True):
        if live:
            a, b = h.mean(0), h.var(0)
            self.s2.set_value(stop(self.q * self.s2[...] + (1 - self.q) * a))
            self.s1.set_value(stop(self.q * self.s1[...] + (1 - self.q) * b))
        else:
            a, b = self.s2[...], self.s1[...]
        return self.p2[...] * (h - a) / jnp.sqrt(b + self.z) + self.p1[...]


class FixedSequences(nnx.Module):
    """Own train()/eval() methods, fixed both, sequences (B, T, C) only, no beta."""

    def __init__(self, d_model):
        self.weight = nnx.Param(jnp.ones((d_model,)))
        self.rm, self.rv = nnx.BatchStat(jnp.zeros(d_model)), nnx.BatchStat(jnp.ones(d_model))
        self._on = True

    def train(self):
        self._on = True

    def eval(self):
        self._on = False

    def __call__(self, seq):
        b, t, c = seq.shape
        m, v = (seq.mean((0, 1)), seq.var((0, 1))) if self._on else (self.rm[...], self.rv[...])
        if self._on:
            self.rm[...] = stop(0.95 * self.rm[...] + 0.05 * m)
            self.rv[...] = stop(0.95 * self.rv[...] + 0.05 * v)
        return (seq - m) * jax.lax.rsqrt(v + 0.001) * self.weight[...]


class SyncedMoments(nnx.Module):
    """Not affine, any rank; the call's deterministic=None falls back on the attribute."""

    def __init__(
        self, features, *, momentum=0.9, epsilon=1e-5, deterministic=False, axis_name=None
    ):
        self.mean, self.var = nnx.BatchStat(jnp.zeros(features)), nnx.BatchStat(jnp.ones(features))
        self.momentum, self.epsilon, self.deterministic = momentum, epsilon, deterministic
        self.axis_name = axis_name

    def __call__(self, x, *, deterministic=None):
        det = self.deterministic if deterministic is None else deterministic
        if det:
            m, v = self.mean[...], self.var[...]
        else:
            over = tuple(range(x.ndim - 1))
            m, s = x.mean(over), (x * x).mean(over)
            if self.axis_name is not None:
                m, s = jax.lax.pmean((m, s), self.axis_name)
            v = s - m * m
            self.mean[...] = stop(self.momentum * self.mean[...] + (1 - self.momentum) * m)
            self.var[...] = stop(self.momentum * self.var[...] + (1 - self.momentum) * v)
        return (x - m) / jnp.sqrt(v + self.epsilon)


class Renamed(nnx.Module):
    """Wrapper around flax with renamed arguments, flag forwarded under another name."""

    def __init__(self, width, ema=0.99, rngs=None):
        self.inner = nnx.BatchNorm(
            width, momentum=ema, use_fast_variance=False, rngs=rngs or nnx.Rngs(0)
        )

    def __call__(self, x, train=False):
        return self.inner(x, use_running_average=not train)


class BatchOnly(nnx.Module):
    """No running statistics at all."""

    def __init__(self, num_features, eps=1e-5):
        self.scale, self.shift = (
            nnx.Param(jnp.ones(num_features)),
            nnx.Param(jnp.zeros(num_features)),
        )
        self.eps = eps

    def __call__(self, x):
        m, v = x.mean(0), x.var(0)
        return self.scale * (x - m) / jnp.sqrt(v + self.eps) + self.shift


class RequiredDtype(nnx.Module):
    """Setter with a known name, dtype required, unbiased variance, NDHWC only."""

    def __init__(self, num_channels: int, dtype, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma, self.beta = (
            nnx.Param(jnp.ones(num_channels, dtype)),
            nnx.Param(jnp.zeros(num_channels, dtype)),
        )
        self.running_mean = nnx.BatchStat(jnp.zeros(num_channels, dtype))
        self.running_var = nnx.BatchStat(jnp.ones(num_channels, dtype))
        self.momentum, self.eps, self._training = momentum, eps, True

    def set_mode(self, training):
        self._training = training

    def __call__(self, x):
        if x.ndim != 5:
            raise ValueError("volumes only")
        if not self._training:
            m, v = self.running_mean[...], self.running_var[...]
        else:
            n = x.size // x.shape[-1]
            m, v = x.mean((0, 1, 2, 3)), x.var((0, 1, 2, 3))
            u = v * n / max(n - 1, 1)
            self.running_mean[...] = stop(
                self.momentum * self.running_mean[...] + (1 - self.momentum) * m
            )
            self.running_var[...] = stop(
                self.momentum * self.running_var[...] + (1 - self.momentum) * u
            )
        return (x - m) / jnp.sqrt(v + self.eps) * self.gamma[...] + self.beta[...]


class _Base(nnx.Module):
    def __init__(self, size, momentum, epsilon, affine, rngs):
        self.weight = nnx.Param(jnp.ones(size)) if affine else None
        self.bias = nnx.Param(jnp.zeros(size)) if affine else None
        self.running_mean, self.running_var = (
            nnx.BatchStat(jnp.zeros(size)),
            nnx.BatchStat(jnp.ones(size)),
        )
        self.momentum, self.epsilon = momentum, epsilon

    def __call__(self, x, training: bool = True):
        if training:
            m, v = x.mean(0), x.var(0)
            self.running_mean[...] = stop(
                self.momentum * self.running_mean[...] + (1 - self.momentum) * m
            )
            self.running_var[...] = stop(
                self.momentum * self.running_var[...] + (1 - self.momentum) * v
            )
        else:
            m, v = self.running_mean[...], self.running_var[...]
        y = (x - m) / jnp.sqrt(v + self.epsilon)
        return y if self.weight is None else y * self.weight[...] + self.bias[...]


bound = functools.partial(_Base, affine=False, epsilon=1e-3)


class _Mid(_Base):
    def __init__(self, size, **kw):
        super().__init__(size, affine=True, **kw)


class PassedOn(_Mid):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class InvertedTrain(nnx.Module):
    """Flag named "train" but inverted (a wrong layer): name must win."""

    def __init__(self, d, momentum, eps, rngs):
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean, self.running_var = (
            nnx.BatchStat(jnp.zeros(d)),
            nnx.BatchStat(jnp.ones(d)),
        )
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, train):
        if train:
            m, v = self.running_mean[...], self.running_var[...]
        else:
            m, v = x.mean(0), x.var(0)
            k = self.momentum
            self.running_mean[...] = stop(k * self.running_mean[...] + (1 - k) * m)
            self.running_var[...] = stop(k * self.running_var[...] + (1 - k) * v)
        return (x - m) / jnp.sqrt(v + self.eps) * self.gamma[...] + self.beta[...]


def pure(x, gamma, beta, moving_mean, moving_var, training, momentum=0.9, eps=1e-5):
    if training:
        m, v = x.mean(0), x.var(0)
        moving_mean = momentum * moving_mean + (1 - momentum) * m
        moving_var = momentum * moving_var + (1 - momentum) * v
    else:
        m, v = moving_mean, moving_var
    return gamma * (x - m) / jnp.sqrt(v + eps) + beta, moving_mean, moving_var


class TwoInside(nnx.Module):
    """Two independent layers, both used: ambiguous."""

    def __init__(self, num_features, rngs):
        self.a = nnx.BatchNorm(num_features, rngs=rngs)
        self.b = nnx.BatchNorm(num_features, rngs=rngs)

    def __call__(self, x, use_running_average):
        return self.b(
            self.a(x, use_running_average=use_running_average),
            use_running_average=use_running_average,
        )


class Warmup(_Base):
    """Required unknown argument that no rule knows."""

    def __init__(self, size, momentum, epsilon, warmup_policy, rngs):
        super().__init__(size, momentum, epsilon, True, rngs)
        self.k = warmup_policy.rate
