"""Unusual classes, and values from the host."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from corpus.third.correct.shared import _F32, _Base, _sg
from corpus.third.correct.derived import _Scaler, _Tracker
from corpus.third.correct.sums import _lr_bwd


class SubmodulesBehindProperties(nnx.Module):
    """Parameters and statistics live in two inner modules (one with an nnx.Dict); the four attributes are properties that hand out the real Variables and accept replacements."""

    def __init__(self, d, momentum, eps, rngs):
        self.scaler = _Scaler(d)
        self.tracker = _Tracker(d, float(momentum))
        self.width = int(d)
        self.eps = float(eps)

    gamma = property(lambda s: s.scaler.weight, lambda s, v: setattr(s.scaler, "weight", v))
    beta = property(lambda s: s.scaler.offset, lambda s, v: setattr(s.scaler, "offset", v))
    running_mean = property(
        lambda s: s.tracker.cells["mean"], lambda s, v: s.tracker.cells.__setitem__("mean", v)
    )
    running_var = property(
        lambda s: s.tracker.cells["var"], lambda s, v: s.tracker.cells.__setitem__("var", v)
    )

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, _F32)
        n, width = x.shape
        if width != self.width:
            raise IndexError(f"{width} features instead of {self.width}")
        if use_running_average:
            centre, var = self.running_mean[...], self.running_var[...]
        else:
            # Newton's method on the least-squares objective, whose minimiser is the mean: two exact steps
            slope = jax.grad(lambda c: 0.5 * jnp.sum(jnp.square(x - c)))
            centre = x[n // 2]
            centre = centre - slope(centre) / n
            centre = centre - slope(centre) / n
            var = jnp.sum(jnp.square(x - centre), axis=0) / n
            self.tracker.absorb(mean=centre, var=var)
        return self.scaler((x - centre) / jnp.sqrt(var + self.eps))


class _Registering(type(nnx.Module)):
    registry = {}

    def __new__(mcs, name, bases, namespace, **kwargs):
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        mcs.registry[name] = cls.__qualname__
        return cls


class _Gain(nnx.Param):
    pass


class _Stat(nnx.BatchStat):
    def set_value(self, value, **kwargs):
        super().set_value(jax.tree.map(_sg, value), **kwargs)


class _StatsMixin:
    def _statistics(self, x):
        # FFT: the DC line is the sum; by Parseval the other lines carry N^2 * var
        n = x.shape[0]
        z = x - x[0]
        dc = jnp.fft.rfft(z, axis=0)[0].real / n
        dev = z - dc
        lines = jnp.fft.rfft(dev, axis=0)[1:]
        weight = np.full((lines.shape[0], 1), 2.0, np.float32)
        if n % 2 == 0:
            weight[-1] = 1.0  # the Nyquist line has no mirror image
        power = jnp.square(lines.real) + jnp.square(lines.imag)
        return x[0] + dc, dev, jnp.sum(weight * power, axis=0) / (float(n) * n)


class _OutputMixin:
    def _output(self, dev, var):
        return self.beta[...] + dev / (jnp.sqrt(var + self.eps)) * self.gamma[...]


class MetaclassParsevalSetter(_StatsMixin, _OutputMixin, nnx.Module, metaclass=_Registering):
    """Own metaclass, mixins, own Variable subclasses whose set_value detaches; variance comes from the Fourier lines of the centred data by Parseval's identity."""

    def __init__(self, d, momentum, eps, rngs):
        self.momentum, self.eps, self.size = float(momentum), float(eps), int(d)
        self.gamma = _Gain(jnp.ones((d,), _F32), role="gain")
        self.beta = _Gain(jnp.zeros((d,), _F32), role="bias")
        self.running_mean = _Stat(jnp.zeros((d,), _F32))
        self.running_var = _Stat(jnp.ones((d,), _F32))

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, _F32)
        if x.shape != (x.shape[0], self.size):
            raise ValueError("features")
        if use_running_average:
            return self._output(x - self.running_mean[...], self.running_var[...])
        mean, dev, var = self._statistics(x)
        self.running_mean.set_value(
            self.momentum * self.running_mean[...] + (1.0 - self.momentum) * mean
        )
        self.running_var.set_value(
            self.momentum * self.running_var[...] + (1.0 - self.momentum) * var
        )
        return self._output(dev, var)


def _np_stats(x):
    x64 = np.asarray(x).astype(np.float64)
    with np.errstate(all="ignore"):
        mean = x64.mean(axis=-2)
        dev = x64 - mean[..., None, :]
        var = np.square(dev).mean(axis=-2)
        return mean.astype(np.float32), var.astype(np.float32), dev.astype(np.float32)


def _call_np_stats(x):
    vec = jax.ShapeDtypeStruct((x.shape[1],), np.float32)
    return jax.pure_callback(
        _np_stats,
        (vec, vec, jax.ShapeDtypeStruct(x.shape, np.float32)),
        x,
        vmap_method="expand_dims",
    )


@jax.custom_vjp
def _host_stats(x):
    return _call_np_stats(x)


def _host_bwd(dev, cts):
    ct_mean, ct_var, ct_dev = cts
    n = dev.shape[0]
    return (ct_mean / n + dev * (2.0 / n * ct_var) + ct_dev - jnp.mean(ct_dev, axis=0),)


_host_stats.defvjp(lambda x: (lambda out: (out, out[2]))(_call_np_stats(x)), _host_bwd)


class HostFloat64Callback(_Base):
    """Mean, variance and deviations come from NumPy float64 through a pure_callback that accepts leading batch axes; a custom_vjp supplies their linearisation."""

    def _train(self, x):
        mean, var, dev = _host_stats(x)
        return self._affine(dev, var), mean, var


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _scaled_bn(x, gamma, beta, eps):
    return _scaled_fwd(x, gamma, beta, eps)[0]


def _scaled_fwd(x, gamma, beta, eps):
    n = x.shape[0]
    mean = jnp.mean(x, axis=0)
    dev = x - mean
    slip = jnp.mean(dev, axis=0)
    dev, mean = dev - slip, mean + slip
    top = jnp.max(jnp.abs(dev), axis=0)
    ok = jnp.isfinite(top) & (top > 0)
    _, e = jnp.frexp(jnp.where(ok, top, 1.0))
    e = jnp.clip(e, -100, 100)
    unit = jnp.ldexp(dev, -e)  # within [-1, 1], exact
    mean_sq = jnp.sum(unit * unit, axis=0) / n
    rms = jnp.ldexp(jnp.sqrt(mean_sq), e)
    inv = 1.0 / jnp.hypot(rms, np.float32(math.sqrt(eps)))
    var = jnp.ldexp(jnp.ldexp(mean_sq, e), e)
    return (gamma * (dev * inv) + beta, mean, var), (dev, inv, gamma)


_scaled_bn.defvjp(_scaled_fwd, _lr_bwd)


class ExponentScaledHypot(_Base):
    """Scales deviations by an exact power of two before squaring and divides by hypot(rms, sqrt(eps)), immune to under- and overflow of squares; closed-form custom_vjp."""

    def _train(self, x):
        return _scaled_bn(x, self.gamma[...], self.beta[...], self.eps)
