"""What a correct layer computes: values that are right in a call, and values right elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact, root
from conformance.diagnosis.lines.hand_written_backward import backward_quantities
from conformance.diagnosis.lines.steps import Quantities, quantities, state_of
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.scopes import Part
from conformance.numerics.conventions import Conventions


@dataclass(frozen=True, slots=True)
class RightValues:
    """What a correct layer computes.

    Attributes:
        steps: The quantities of the model, and what it is given, by name.
        forms: What some layers compute on the way from one to another.
        numbers: Plain numbers, such as N: they may be right anywhere.
    """

    steps: Quantities
    forms: Quantities
    numbers: Quantities

    @property
    def all(self) -> Quantities:
        """All of them."""
        return {**self.steps, **self.forms, **self.numbers}


def right_values(parts: Sequence[Part], conventions: Conventions, call: Observation) -> RightValues:
    """Return what a call computes on the way to its results, and what it is given.

    Args:
        parts: Mistakes that are known already.
        conventions: What the implementation declares.
        call: The call, or the backward pass.
    """
    with np.errstate(all="ignore"):
        given, steps = dict(_given(call)), quantities(parts, conventions, call)
        forms = dict(_on_the_way(steps, given, conventions, call)) if steps else {}
        if call.gradients is not None:
            back = backward_quantities(parts, conventions, call)
            forms |= _on_the_way_back(back, given, call)
            steps = {**back, **steps}
        return RightValues({**steps, **given}, forms, dict(_numbers(call)))


def in_other_mode(call: Observation) -> Observation:
    """Return a call in the other mode."""
    made = call.call
    assert made is not None, "a call is traced"  # noqa: S101
    flag = float(made.training) if call.before is None else made.training
    return replace(call, call=replace(made, flag=flag))


_OLD = {"running_mean": "old running mean", "running_var": "old running variance"}

GIVEN = frozenset({"gamma", "beta", *_OLD.values()})
"""Names of what a call is given, and does not compute."""

CHOSEN = GIVEN | {"batch mean", "batch variance", "mean in use", "variance in use"}
"""Names of arrays that may be taken for each other; what is computed from them may not."""

_Named = Iterator[tuple[str, Approximate]]


def _given(call: Observation) -> _Named:
    assert call.call is not None, "a call is traced"  # noqa: S101
    x = call.call.x.astype(np.float64)
    yield "x", exact(x)
    for name, array in state_of(call).arrays().items():
        yield _OLD.get(name, name), exact(np.asarray(array, np.float64))
    if call.call.cotangent is not None:
        yield "w", exact(call.call.cotangent.astype(np.float64))


def _numbers(call: Observation) -> _Named:
    assert call.call is not None, "a call is traced"  # noqa: S101
    x = call.call.x.astype(np.float64)
    for number in (0, 1, len(x), len(x) - 1, 1 / len(x), x.size):
        yield f"{number:g}", exact(np.full(x.shape[1], np.float64(number)))
    for weight in (1, 1 / len(x)):
        yield f"{weight:g} for each row", exact(np.full(len(x), np.float64(weight)))


def _on_the_way(
    found: Quantities, given: Quantities, conventions: Conventions, call: Observation
) -> _Named:
    """Yield further values that correct layers compute."""
    assert call.call is not None, "a call is traced"  # noqa: S101
    rows, gamma, beta = len(call.call.x), given["gamma"], given["beta"]
    yield "x²", given["x"] * given["x"]
    scale = gamma * found["1/√(v+ε)"] if "1/√(v+ε)" in found else None
    mean = found.get("mean in use")
    if scale is not None and mean is not None:
        yield "γ/√(v+ε)", scale
        yield "γ·mean/√(v+ε)", mean * scale
        yield "β − γ·mean/√(v+ε)", beta - mean * scale
        yield "γ·x/√(v+ε)", given["x"] * scale
        yield "x/√(v+ε)", given["x"] * found["1/√(v+ε)"]
        yield "mean/√(v+ε)", mean * found["1/√(v+ε)"]
    if "x − mean" in found:
        yield "γ·(x − mean)", gamma * found["x − mean"]
    if "z" in found:
        yield "γ·z", gamma * found["z"]
    if "batch mean" not in found:
        return
    mean, var = found["batch mean"], found["batch variance"]
    centred = given["x"] - mean
    yield "(x − mean)²", centred * centred
    yield "Σ x", rows * mean
    yield "Σ (x − mean)²", rows * var
    yield "mean²", mean * mean
    yield "mean of x²", var + mean * mean
    yield "Σ x²", rows * (var + mean * mean)
    for name, shift in (("running mean", given["old running mean"]), ("x₀", given["x"][0])):
        yield from _shifted(given["x"] - shift, mean - shift, var, name)
    kept = conventions.weight_of_old(call.config.momentum, state_of(call).count)
    for name in ("mean", "variance"):
        old, new = given[f"old running {name}"], found.get(f"stored {name}")
        yield f"momentum · running {name}", kept * old
        if new is None:  # evaluation, which normalises with the batch and stores nothing
            continue
        yield f"(1 − momentum) · {name}", (1 - kept) * new
        yield f"{name} − running {name}", new - old
        yield f"running {name} − {name}", old - new
        yield f"(1 − momentum) · ({name} − running {name})", (1 - kept) * (new - old)
        yield f"(1 − momentum) · (running {name} − {name})", (1 - kept) * (old - new)
    yield "√(old running variance)", root(given["old running variance"])
    yield "momentum", exact(np.full(mean.shape, kept))


def _shifted(x: Approximate, mean: Approximate, var: Approximate, name: str) -> _Named:
    """Yield the moments of x minus something, (N, D), of which the mean is given, (D,)."""
    rows = x.shape[0]
    square = var + mean * mean
    yield f"x − {name}", x
    yield f"(x − {name})²", x * x
    yield f"Σ (x − {name})", rows * mean
    yield f"mean of x − {name}", mean
    yield f"(mean of x − {name})²", mean * mean
    yield f"Σ (x − {name})²", rows * square
    yield f"mean of (x − {name})²", square


def _on_the_way_back(found: Quantities, given: Quantities, call: Observation) -> _Named:
    """Yield further values that correct backward passes compute."""
    assert call.call is not None, "a call is traced"  # noqa: S101
    if not {"z", "1/√(v+ε)", "√(v+ε)"} <= found.keys():
        return
    rows, w, gamma = len(call.call.x), given["w"], given["gamma"]
    z, r = found["z"], found["1/√(v+ε)"]
    centred = z * found["√(v+ε)"]
    yield "x − mean", centred
    yield "(x − mean)²", centred * centred
    yield "1/(v+ε)", r * r
    yield "(v+ε)^(-3/2)", r * r * r
    for name, of_y in (("w", w), ("γ·w", gamma * w)):
        yield name, of_y
        yield f"{name}/√(v+ε)", of_y * r
        yield f"{name}·z", of_y * z
        yield f"{name}·(x − mean)", of_y * centred
        yield f"N·{name}", rows * of_y
    if "Σ w·z" not in found:
        return
    dv = found["dv"]
    of_var = dv * centred * (2 / rows)
    for name, factor in (("", 1.0), ("γ · ", gamma)):
        total, projection = factor * found["Σ w"], factor * found["Σ w·z"]
        yield f"{name}Σ w", total
        yield f"{name}Σ w·(x − mean)", projection * found["√(v+ε)"]
        yield f"{name}mean of w·(x − mean)", projection * found["√(v+ε)"] * (1 / rows)
        yield f"{name}Σ w/√(v+ε)", total * r
        yield f"{name}z·Σ w·z", z * projection
        yield f"{name}w − mean of w", factor * (w - found["mean of w"])
        yield f"{name}(N·w − Σ w)", factor * (rows * w) - total
        yield f"{name}(Σ w + z·Σ w·z)", total + z * projection
        yield f"{name}(mean of w + z·mean of w·z)", (total + z * projection) * (1 / rows)
    yield "dmean", -1.0 * gamma * found["Σ w"] * r
    yield "dmean ÷ N", -1.0 * gamma * found["Σ w"] * r * (1 / rows)
    yield "2·dv ÷ N", dv * (2 / rows)
    yield "2·(x − mean)", centred * 2.0
    yield "2·(x − mean) ÷ N", centred * (2 / rows)
    yield "2·dv·(x − mean)", dv * centred * 2.0
    yield "dv·(x − mean)", dv * centred
    yield "2·dv·(x − mean) ÷ N", of_var
    yield "γ·w/√(v+ε) + 2·dv·(x − mean) ÷ N", gamma * w * r + of_var
    yield "2·dv·(x − mean) ÷ N + dmean ÷ N", of_var - gamma * found["mean of w"] * r
