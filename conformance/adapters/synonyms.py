"""The names that layers have for their arguments, arrays and modes.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def normalize(name: str) -> str:
    """Return a name in lower case and without underscores."""
    return name.lower().replace("_", "")


def _averages(*stems: str) -> frozenset[str]:
    prefixes = "", "running", "moving", "pop", "population", "ema", "ra", "r", "stored", "global"
    suffixes = "", "ema", "index"
    return frozenset(p + stem + suffix for p in prefixes for stem in stems for suffix in suffixes)


ARRAY_NAMES: Mapping[str, frozenset[str]] = {
    "gamma": frozenset({"gamma", "scale", "weight", "weights", "w", "g", "gain"}),
    "beta": frozenset({"beta", "bias", "shift", "offset", "b"}),
    "running_mean": _averages("mean", "mu", "avg", "average", "m"),
    "running_var": _averages("var", "variance", "sigma2", "v"),
}
"""Names of the four arrays, normalized."""

ARGUMENT_NAMES: Mapping[str, tuple[str, ...]] = {
    "features": (
        "numfeatures", "features", "nfeatures", "featuresize", "d", "dim", "dims", "size",
        "inputsize", "inputdim", "infeatures", "indim", "channels", "numchannels", "nchannels",
        "inchannels", "c", "width", "hiddensize", "nf", "ndims",
    ),
    "momentum": (
        "momentum", "mom", "decay", "decayrate", "emadecay", "emamomentum", "emarate", "rho",
        "bnmomentum", "bndecay", "movingdecay", "smoothing", "alpha", "m",
    ),
    "eps": ("eps", "epsilon", "varianceepsilon", "bneps", "bnepsilon", "e"),
}  # fmt: skip
"""Names of constructor arguments, normalized, the most specific first."""

INPUT_NAMES = ("x", "inputs", "input", "xs", "inp", "batch", "data", "h", "hidden", "activations")
"""Names of the batch."""

PARAMETER_TREES = ("params", "parameters", "theta", "p")
STATE_TREES = ("state", "stats", "batchstats", "buffers", "runningstats", "statistics", "s")
VARIABLE_TREES = ("variables", "vars", "tree")

FLAG_MEANINGS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "userunningaverage", "userunningavg", "userunningstats", "userunningstatistics",
            "useglobalstats", "deterministic", "inference", "inferencemode", "isinference", "eval",
            "evaluate", "evaluation", "iseval", "evalmode", "test", "testing", "istest", "testmode",
        ),
        "evaluation",
    ),
    **dict.fromkeys(
        ("train", "training", "istrain", "istraining", "trainmode", "trainingmode", "intraining"),
        "training",
    ),
}  # fmt: skip
"""What a true value of a flag means, by its normalized name."""


def role_of(name: str) -> str | None:
    """Return which of the four arrays a name stands for, if any."""
    found = [role for role, names in ARRAY_NAMES.items() if normalize(name) in names]
    return found[0] if found else None


def find_argument(role: str, names: Iterable[str]) -> str | None:
    """Return the name that stands for "features", "momentum" or "eps", if there is one."""
    return find_name(ARGUMENT_NAMES[role], names)


def find_name(known: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the first of the names, in the order of the known ones, that is known."""
    own = {normalize(name): name for name in reversed(list(names))}
    return next((own[each] for each in known if each in own), None)


def find_flag(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the name of a flag and what a true value means, if there is one."""
    name = find_name(FLAG_MEANINGS, names)
    return None if name is None else (name, FLAG_MEANINGS[normalize(name)])
