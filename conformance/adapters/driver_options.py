"""What may be said about a class of a framework, or about a pure function.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from conformance.adapters.errors import AdapterError

if TYPE_CHECKING:
    from conformance.adapters.domain import Wider
    from conformance.requirements.deviations import Deviation

HYPERPARAMETERS = ("momentum", "eps")
"""The constructor's arguments that may be fixed."""


class ClassOptions(TypedDict, total=False):
    """What may be said about a class; what is not is found out.

    Attributes:
        name: The name in reports; by default, that of the class.
        features: Name of the constructor argument for the number of features D.
        momentum: Name of the constructor argument for momentum.
        eps: Name of the constructor argument for ε.
        momentum_weights: Which value momentum weights: "old" or "new". By default that of the
            framework: "new" in PyTorch, "old" elsewhere.
        gamma: The end of the path of γ among the layer's arrays, such as "bn.scale"; None if
            the layer has none.
        beta: The same for β.
        running_mean: The same for the running mean.
        running_var: The same for the running variance.
        count: The same for the number of updates, if the layer's averages depend on it.
        flag: The argument of the call for the mode, or with a dot, ".train", of the constructor.
        flag_means: What a true value of it means: "evaluation" or "training".
        layout: Where inputs have their features: "last", or "first" for axis 1.
        ndim: The number of axes of inputs, 2 to 5.
        fixed: Values of "momentum", the weight of the old value, and "eps" that the layer has no
            argument for.
        modes: "both", "evaluation" or "training"; see ``Implementation.nnx``.
        arguments: Further constructor arguments.
        deviations: The declared deviations.
        kind: What the class was recognized as, for reports.
        wider: Names of the arguments for masks, axes, dtypes and named axes.
    """

    name: str
    features: str | None
    momentum: str | None
    eps: str | None
    momentum_weights: str
    gamma: str | None
    beta: str | None
    running_mean: str | None
    running_var: str | None
    count: str
    flag: str | None
    flag_means: str
    layout: str
    ndim: int
    fixed: Mapping[str, float]
    modes: str
    arguments: Mapping[str, Any]
    deviations: Iterable[Deviation]
    kind: str
    wider: Wider | None


class FunctionOptions(TypedDict, total=False):
    """What may be said about a function; what is not is found out.

    Attributes:
        name: The name in reports; by default, that of the function.
        x: Name of the argument for the batch.
        gamma: Name of the argument for γ, or of its entry in an argument that is a dict; None if
            there is none.
        beta: The same for β.
        running_mean: The same for the running mean.
        running_var: The same for the running variance.
        momentum: Name of the argument for momentum.
        eps: Name of the argument for ε.
        momentum_weights: Which value momentum weights: "old" or "new".
        flag: Name of the argument for the mode; None if there is none.
        flag_means: What a true value of it means: "evaluation" or "training".
        returns: What the results are, in their order: names in ``ARRAYS`` and "y".
        initialize: Makes new trees: a function of D that returns a dict by argument.
        layout: Where inputs have their features: "last", or "first" for axis 1.
        ndim: The number of axes of inputs, 2 to 5.
        fixed: Values of "momentum", the weight of the old value, and "eps" that the function has
            no argument for.
        modes: "both", "evaluation" or "training"; see ``Implementation.nnx``.
        arguments: Further arguments.
        deviations: The declared deviations.
        kind: What the function was recognized as, for reports.
    """

    name: str
    x: str
    gamma: str | None
    beta: str | None
    running_mean: str | None
    running_var: str | None
    momentum: str | None
    eps: str | None
    momentum_weights: str
    flag: str | None
    flag_means: str
    returns: Iterable[str]
    initialize: Callable[[int], Mapping[str, Any]]
    layout: str
    ndim: int
    fixed: Mapping[str, float]
    modes: str
    arguments: Mapping[str, Any]
    deviations: Iterable[Deviation]
    kind: str


def check_options(constructor: str, options: Mapping[str, Any], known: type) -> None:
    """Check the names of the options, and which value momentum weights.

    Args:
        constructor: The name of the constructor of ``Implementation``, for messages.
        options: The options.
        known: ``ClassOptions`` or ``FunctionOptions``.

    Raises:
        AdapterError: A name is not known, or the weight is neither.
    """
    names = list(known.__annotations__)
    if unknown := sorted(set(options) - set(names)):
        shown = ", ".join(names)
        msg = f"Implementation.{constructor} has no argument {unknown[0]!r}; it has {shown}."
        raise AdapterError(msg)
    weights = options.get("momentum_weights", "old")
    if weights not in {"old", "new"}:
        raise AdapterError(f"momentum_weights={weights!r}: expected 'old' or 'new'.")
