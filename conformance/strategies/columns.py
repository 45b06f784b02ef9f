"""Columns with a character: how a few bytes become one feature of a batch and its state.

A feature is ``offset + scale·pattern``. Drawing it as one block of bytes has three reasons:
it costs one draw instead of one per number; Hypothesis shrinks bytes towards zero, and every
table below has its simplest entry first, so counterexamples end as short numbers; and blocks
of a fixed length are never replaced by constants from the user's source code, which would make
the cases depend on what else is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

BLOCK = 24
"""Bytes per feature: 8 choose its character, 16 its pattern."""

_HEAD = 8


def _normal_quantiles() -> npt.NDArray[np.float64]:
    """256 quantiles of the standard normal, nearest to zero first, two decimals each."""
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


_TRAINED = 192
"""One running statistic in four is about that of the batch, as in a layer that has trained."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One batch and one state, feature by feature."""

    x: npt.NDArray[np.float32]
    gamma: npt.NDArray[np.float32]
    beta: npt.NDArray[np.float32]
    running_mean: npt.NDArray[np.float32]
    running_var: npt.NDArray[np.float32]


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
"""Rows above which an outlier is more than five standard deviations away: there it can show that
something is clipped, and there are few such shapes, so there outliers are more frequent."""


def decode_columns(blocks: list[bytes], rows: int, eps: float) -> Columns:
    """Return the batch (rows, D) and the state (D,) that D blocks stand for."""
    raw = np.frombuffer(b"".join(blocks), np.uint8).reshape(len(blocks), BLOCK)
    family, kappa, scale, gamma, beta, mean, var, unit = raw[:, :_HEAD].T
    sigma = _SCALES[scale % len(_SCALES)]
    near_eps = unit >= 160  # three features in eight have a variance of about ε
    sigma = np.where(near_eps, np.sqrt(eps) * _EPS_RATIOS[scale % len(_EPS_RATIOS)], sigma)
    offset = _KAPPA[kappa % len(_KAPPA)] * sigma
    x = offset + sigma * _patterns(raw[:, _HEAD:], family, rows)
    old_mean = np.where(mean >= _TRAINED, offset, _MEAN[mean % len(_MEAN)])
    as_trained = (near_eps & (var >= 128)) | (var >= _TRAINED)
    old_var = np.where(as_trained, sigma**2, _VAR[var % len(_VAR)])
    return Columns(
        x=_float32(x),
        gamma=_float32(_GAMMA[gamma % len(_GAMMA)]),
        beta=_float32(_BETA[beta % len(_BETA)]),
        running_mean=_float32(old_mean),
        running_var=_float32(old_var),
    )


def _patterns(
    raw: npt.NDArray[np.uint8], family: npt.NDArray[np.uint8], rows: int
) -> npt.NDArray[np.float64]:
    row = np.arange(rows)
    turn = row // raw.shape[1]
    chosen = (raw[:, row % raw.shape[1]].astype(np.int64) + 89 * turn) * (1 + 2 * turn) % 256
    pattern = np.empty((rows, raw.shape[0]))
    of_byte = _FAMILY_OF_BYTE_IF_TALL if rows > _TALL else _FAMILY_OF_BYTE
    for column, index in enumerate(of_byte[family]):
        pattern[:, column] = _pattern(FAMILIES[index], chosen[column])
    return pattern


def _pattern(family: str, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the N numbers of one family; each exists to reach a kind of mistake."""
    pattern = _NORMAL[chosen]
    match family:
        case "integers":  # exact arithmetic, short counterexamples, integer fast paths
            pattern = _SMALL[chosen % len(_SMALL)]
        case "constant":  # zero variance; with an offset, sums that round the same way
            pattern = np.full(len(chosen), _SMALL[chosen[0] % len(_SMALL)])
        case "two-valued":
            pattern = (chosen % 2).astype(np.float64)
        case "outlier":  # clipping at c standard deviations shows only if N > c² + 1
            pattern[chosen[0] % len(chosen)] = 30.0 if chosen[0] % 2 else -400.0
        case "sorted":
            pattern = np.sort(pattern)
        case "duplicated":
            pattern = pattern[np.arange(len(chosen)) // 2]
        case "zeros":
            pattern = np.zeros(len(chosen))
    return pattern


def _float32(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Round to float32, without negative zeros: bit-for-bit rules are not about them."""
    rounded: npt.NDArray[np.float32] = (values + 0.0).astype(np.float32) + np.float32(0)
    return rounded
