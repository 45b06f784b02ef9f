"""Columns of a batch: how one block of bytes becomes a feature and its entries of the state.

A feature is ``offset + scale·pattern``. Every table has its simplest entry first, so
counterexamples, whose bytes shrink towards zero, end as short numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from conformance.numerics.state import Float32, State

BLOCK = 24
"""Bytes per feature: 8 choose family, scale and state, 16 the pattern."""

HEAD = 8
"""Bytes of a block that choose family, scale and state."""


def _normal_quantiles() -> npt.NDArray[np.float64]:
    """Return 256 quantiles of the standard normal to two decimals, nearest to zero first."""
    values = [round(NormalDist().inv_cdf((i + 0.5) / 256), 2) for i in range(256)]
    return np.array(sorted(values, key=abs)) + 0.0


_NORMAL = _normal_quantiles()
_SMALL = np.array([0.0, 1.0, 2.0, 3.0, -1.0, 4.0, -2.0, 7.0])

_KAPPA = np.array(
    [0, 0, 0, 0.3, -0.3, 0, 1, -1, 3, -3, 0, 0.3, 3, 10, -30, 30, 0, -300, 300, 1e3, -1e4, 1e4]
)
"""Offsets in units of the scale. Most are small: a large one widens the bounds."""

_SCALES = np.array([1, 2, 0.5, 3, 0.25, 10, 0.1, 100, 0.03, 1e-3, 1e3, 0.7, 1.3, 0.2])
_EPS_RATIOS = np.array([1, 0.1, 3, 0.3, 10, 0.03])
"""Standard deviations in units of √ε, for features whose variance is about ε."""

_GAMMA = np.array([1, 2, -1, 0.5, 0, 3, -0.5, -2.5, 10, 0.1, 1.7, -0.7, 1e2, -1e3, 1e-3, 1.25])
_BETA = np.array([0, 1, -1, 0.5, 2, -3, 0.25, 10, -0.1, 100, 5, -1e3, 0, 1e-3])
_MEAN = np.array([0, 1, -1, 2, 0.5, -3, 10, 0.1, -100, 300, 0, -0.25])
_VAR = np.array([1, 2, 0.5, 4, 0.25, 10, 0.1, 0, 1e2, 1e-3, 1e4, 1e-6, 0.7])


_TRAINED_FROM = 192
"""The byte from which a running statistic is about the batch's, as after training: one in four."""

_NEAR_EPS_FROM = 160
"""The byte from which the variance of a feature is about ε: three features in eight."""

_TRAINED_NEAR_EPS_FROM = 128
"""The byte from which the running variance of such a feature is about the batch's: one in two."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch x, (N, D), and the arrays of a state, (D,) each."""

    x: Float32
    gamma: Float32
    beta: Float32
    running_mean: Float32
    running_var: Float32

    @property
    def state(self) -> State:
        """γ, β, rm and rv as one value."""
        return State(self.gamma, self.beta, self.running_mean, self.running_var)


FAMILIES = (
    "integers",
    "normal",
    "constant",
    "two-valued",
    "outlier",
    "sorted",
    "duplicated",
    "zeros",
)
_FAMILY_WEIGHTS = (64, 96, 20, 18, 20, 16, 12, 10)
_FAMILY_OF_BYTE = np.repeat(np.arange(len(FAMILIES)), _FAMILY_WEIGHTS)
_FAMILY_WEIGHTS_IF_TALL = (64, 64, 20, 18, 52, 16, 12, 10)
_FAMILY_OF_BYTE_IF_TALL = np.repeat(np.arange(len(FAMILIES)), _FAMILY_WEIGHTS_IF_TALL)
_TALL = 26
"""Rows above which an outlier can lie more than five standard deviations away and so reveal
clipping. Few shapes have as many, so outliers are more frequent in them."""


def decode_columns(blocks: list[bytes], rows: int, eps: float) -> Columns:
    """Decode D blocks of bytes.

    Args:
        blocks: For each feature, ``BLOCK`` bytes; or more, one for each row after the first 8.
        rows: N, the number of rows of the batch.
        eps: The layer's ε.

    Returns:
        x, (N, D), and a state of D features.
    """
    raw = np.frombuffer(b"".join(blocks), np.uint8).reshape(len(blocks), -1)
    family, kappa, scale, gamma, beta, mean, var, unit = raw[:, :HEAD].T
    sigma = _SCALES[scale % len(_SCALES)]
    near_eps = unit >= _NEAR_EPS_FROM
    sigma = np.where(near_eps, np.sqrt(eps) * _EPS_RATIOS[scale % len(_EPS_RATIOS)], sigma)
    offset = _KAPPA[kappa % len(_KAPPA)] * sigma
    x = offset + sigma * _patterns(raw[:, HEAD:], family, rows)
    old_mean = np.where(mean >= _TRAINED_FROM, offset, _MEAN[mean % len(_MEAN)])
    as_trained = (near_eps & (var >= _TRAINED_NEAR_EPS_FROM)) | (var >= _TRAINED_FROM)
    old_var = np.where(as_trained, sigma**2, _VAR[var % len(_VAR)])
    return Columns(
        x=_to_float32(x),
        gamma=_to_float32(_GAMMA[gamma % len(_GAMMA)]),
        beta=_to_float32(_BETA[beta % len(_BETA)]),
        running_mean=_to_float32(old_mean),
        running_var=_to_float32(old_var),
    )


def _patterns(
    raw: npt.NDArray[np.uint8], family: npt.NDArray[np.uint8], rows: int
) -> npt.NDArray[np.float64]:
    """Return the patterns of all features, (N, D), from the rest of a block and a family byte."""
    row = np.arange(rows)
    cycle = row // raw.shape[1]  # more rows than bytes read them again, differently
    chosen = (raw[:, row % raw.shape[1]].astype(np.int64) + 89 * cycle) * (1 + 2 * cycle) % 256
    pattern = np.empty((rows, raw.shape[0]))
    of_byte = _FAMILY_OF_BYTE_IF_TALL if rows > _TALL else _FAMILY_OF_BYTE
    for column, index in enumerate(of_byte[family]):
        pattern[:, column] = _pattern(FAMILIES[index], chosen[column])
    return pattern


def _pattern(family: str, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the pattern of one feature, (N,); each family reaches a kind of mistake."""
    pattern = _NORMAL[chosen]
    match family:
        case "integers":  # exact arithmetic, short counterexamples, integer fast paths
            pattern = _SMALL[chosen % len(_SMALL)]
        case "constant":  # zero variance; with an offset, sums that round the same way
            pattern = np.full(len(chosen), _SMALL[chosen[0] % len(_SMALL)])
        case "two-valued":
            pattern = (chosen % 2).astype(np.float64)
        case "outlier":  # clipping at c standard deviations is visible only if N > c² + 1
            pattern[chosen[0] % len(chosen)] = 30.0 if chosen[0] % 2 else -400.0
        case "sorted":
            pattern = np.sort(pattern)
        case "duplicated":
            pattern = pattern[np.arange(len(chosen)) // 2]
        case "zeros":
            pattern = np.zeros(len(chosen))
    return pattern


def _to_float32(values: npt.NDArray[np.float64]) -> Float32:
    """Round to float32, without negative zeros: no bit-for-bit requirement is about them."""
    return (values + 0.0).astype(np.float32) + np.float32(0)
