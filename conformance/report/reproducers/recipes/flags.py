"""FLAG and FWD: how the mode is chosen, and the forward function."""

from __future__ import annotations

from typing import Any

from conformance.adapters.operations.forms import CONTAINERS
from conformance.numerics.state import State
from conformance.properties.flags import BETWEEN, EPS, MOMENTUM
from conformance.report.reproducers.literals import written
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import check_evaluation, check_training, handed, start
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case

_ENCODED = (
    "float({b})",
    "bool({b})",
    "int({b})",
    "np.bool_({b})",
    "np.float32({b})",
    "np.float64({b})",
    "np.int32({b})",
    "np.array({b}, np.float32)",
    "np.array(bool({b}))",
    "jnp.asarray({b}, jnp.float32)",
    "jnp.asarray(bool({b}))",
    "jnp.asarray({b}, jnp.int32)",
)
"""The text of the encodings of ``properties.flags``."""

_CONTAINED = dict(
    zip(
        CONTAINERS,
        (
            "x.copy()",
            "np.asfortranarray(x)",
            "np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3]",
            "x[::-1, ::-1].copy()[::-1, ::-1]",
            "jnp.asarray(x)",
            "np.frombuffer(x.tobytes(), np.float32).reshape(x.shape)",
        ),
        strict=True,
    )
)


def encoded(bit: int, encoding: int) -> str:
    """Return the text of a flag in one of its encodings."""
    return _ENCODED[encoding].format(b=bit)


def contained(container: int) -> str:
    """Return the text of the batch x in one of the containers."""
    return _CONTAINED[CONTAINERS[container]]


def check_forward(script: Script, case: Case, seed: str, x: str, flag: str, *, mode: bool) -> None:
    """Call the forward function, and compare its flat result with a fresh layer in a mode.

    Args:
        script: The script.
        case: The case.
        seed: The text of the seed.
        x: The text of the batch, (N, D).
        flag: The text of the flag.
        mode: Whether the layer evaluates.
    """
    script(f"result = np.array(forward({seed}, {x}, {flag}))")
    compare_forward(script, case, mode=mode)


def compare_forward(script: Script, case: Case, *, mode: bool, got: str = "result") -> None:
    """Compare a flat result with a fresh layer in a mode."""
    script.same("shape of the result", f"{got}.shape", "(x.size,)")
    fresh, flat = script.let("fresh", State.fresh(case.x.shape[1])), f"{got}.reshape(x.shape)"
    if mode:
        script.within("the result of evaluation", flat, f"evaluation_call(x, {fresh}, {EPS})")
    else:
        expected = f'training_call(x, {fresh}, {MOMENTUM}, {EPS})["y"]'
        script.within("the result of training", flat, expected)


@recipe("BN-FLAG-1")
def encodings(script: Script, case: Case, bit: int, encoding: int) -> None:
    flag, x = encoded(bit, encoding), handed(script, case)
    check_forward(script, case, "0.0", x, flag, mode=bool(bit))


@recipe("BN-FLAG-2")
def threshold(script: Script, case: Case, which: int) -> None:
    flag = BETWEEN[which]
    check_forward(script, case, "0.0", handed(script, case), repr(flag), mode=flag >= 0.5)


@recipe("BN-FLAG-3")
def booleans(script: Script, case: Case) -> None:
    live = start(script, case)
    check_evaluation(live, case, "True")
    check_training(live, case, "before", "False")


@recipe("BN-FLAG-4")
def zero_and_one(script: Script, case: Case, form: int) -> None:
    live, kind = start(script, case), ("np.bool_", "int", "float")[form]
    check_evaluation(live, case, f"{kind}(1)")
    check_training(live, case, "before", f"{kind}(0)")


@recipe("BN-FLAG-5")
def mode_of_the_module(script: Script, case: Case) -> None:
    live = start(script, case)
    script("nnx.Module.eval(layer)")
    check_training(live, case, "before")
    script("nnx.Module.train(layer)")
    check_evaluation(live, case)


@recipe("BN-FWD-1")
def flat_result(script: Script, case: Case, flag: int, container: int) -> None:
    script.let("x", case.x)
    check_forward(script, case, "0.0", contained(container), f"{flag}.0", mode=bool(flag))


@recipe("BN-FWD-2")
def training(script: Script, case: Case) -> None:
    check_forward(script, case, "0.0", handed(script, case), "0.0", mode=False)


@recipe("BN-FWD-3")
def evaluation(script: Script, case: Case) -> None:
    check_forward(script, case, "0.0", handed(script, case), "1.0", mode=True)


@recipe("BN-FWD-4")
def seeds(script: Script, case: Case, seed: int) -> None:
    forms: tuple[Any, ...] = (float(seed), seed + 0.7, f"np.float32({seed})")
    form, flag, x = forms[seed % 3], f"{seed % 2}.0", handed(script, case)
    text = form if isinstance(form, str) else written(form)
    check_forward(script, case, text, x, flag, mode=bool(seed % 2))
    script(f"expected = np.array(forward(0.0, {x}, {flag}))")
    script.identical("the result", "result", "expected")


@recipe("BN-FWD-5")
def no_memory(script: Script, case: Case, flag: int) -> None:
    x, between = handed(script, case), case.with_x(3 * case.x + 1)
    script(f"handed = {x}", f"first = np.array(forward(1.0, handed, {flag}.0))")
    script(f"forward(1.0, {handed(script, between, 'between')}, 0.0)")
    script(f"again = np.array(forward(1.0, handed, {flag}.0))")
    script.identical("the repeated result", "again", "first")
    script.identical("x", "np.asarray(handed)", "x")
    compare_forward(script, case, mode=bool(flag), got="again")
