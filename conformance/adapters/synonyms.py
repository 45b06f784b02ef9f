"""The names that layers have for their arguments, arrays and modes.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def normalize(name: str) -> str:
    """Return the last part of a name with dots, in lower case and without underscores."""
    return name.rpartition(".")[2].lower().replace("_", "")


def _averages(*stems: str) -> frozenset[str]:
    prefixes = (
        *("", "running", "moving", "pop", "population", "ema", "ra", "r", "stored", "global"),
        *("avg", "mov", "movingavg", "movingaverage", "m"),
    )
    suffixes = "", "ema", "index", "avg", "running"
    return frozenset(p + stem + suffix for p in prefixes for stem in stems for suffix in suffixes)


ARRAY_NAMES: Mapping[str, frozenset[str]] = {
    "gamma": frozenset({"gamma", "gammas", "scale", "weight", "weights", "w", "g", "gain"}),
    "beta": frozenset({"beta", "betas", "bias", "biases", "shift", "offset", "b"}),
    "running_mean": _averages("mean", "means", "mu", "avg", "average", "m"),
    "running_var": _averages("var", "vars", "variance", "sigma2", "sigmasq", "v"),
}
"""Names of the four arrays, normalized."""

OTHER_FORMS = _averages(
    *("std", "sd", "stddev", "sigma", "deviation", "stdev", "invstd", "rstd", "istd", "invvar"),
    *("logvar", "logvariance", "logstd", "precision", "m2", "sqmean", "meansq", "meansquare"),
    *("secondmoment", "moment2", "sumsq", "sqsum", "ex2", "sqr", "sq"),
)
"""Names of averages from which a variance can be computed, and that are none, normalized."""

ARGUMENT_NAMES: Mapping[str, tuple[str, ...]] = {
    "features": (
        "numfeatures", "features", "nfeatures", "numfeature", "featuresize", "featuredim",
        "featuresdim", "numfeats", "nfeat", "d", "dim", "dims", "dmodel", "size", "inputsize",
        "inputdim", "infeatures", "indim", "channels", "numchannels", "nchannels", "numchannel",
        "inchannels", "channel", "ch", "chan", "c", "width", "units", "numunits", "hiddensize",
        "hiddendim", "hidden", "numhiddens", "outputsize", "outchannels", "outfeatures", "planes",
        "filters", "numfilters", "embeddim", "nf", "n", "nin", "nout", "shape", "featureshape",
        "paramshape", "ndims",
    ),
    "momentum": (
        "momentum", "mom", "decay", "decayrate", "emadecay", "emamomentum", "emarate", "emaalpha",
        "rho", "tau", "bnmomentum", "runningmomentum", "statsmomentum", "bndecay", "movingdecay",
        "avgdecay", "movingaveragedecay", "movingaveragemomentum", "exponentialaveragefactor",
        "averagingfactor", "updaterate", "ema", "smoothing", "alpha", "mu", "m",
    ),
    "eps": (
        "eps", "epsilon", "varianceepsilon", "vareps", "epsvar", "normeps", "bneps", "bnepsilon",
        "stability", "stabilizer", "jitter", "delta", "small", "tiny", "tol", "e",
    ),
    "rngs": ("rngs", "rng", "nnxrngs"),
}  # fmt: skip
"""Names of constructor arguments, normalized, the most specific first."""

INPUT_NAMES = (
    "x", "inputs", "input", "xs", "inp", "xin", "batch", "data", "arr", "h", "hidden", "activations"
)  # fmt: skip
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
            "isevaluating", "istesting", "usemovingaverage", "useaverages", "useema", "predict",
            "frozen", "freeze",
        ),
        "evaluation",
    ),
    **dict.fromkeys(
        (
            "train", "training", "istrain", "istraining", "trainmode", "trainingmode", "intraining",
            "trainning", "usebatchstats", "usebatchstatistics", "updatestats", "updatestatistics",
            "updateaverages", "updaterunningstats", "updaterunningaverages", "update", "updating",
            "doupdate", "learning", "islearning", "fit",
        ),
        "training",
    ),
}  # fmt: skip
"""What a true value of a flag means, by its normalized name."""


def role_of(name: str) -> str | None:
    """Return which of the four arrays a name stands for, if any."""
    found = [role for role, names in ARRAY_NAMES.items() if normalize(name) in names]
    return found[0] if found else None


def argument_role_of(name: str) -> str | None:
    """Return which constructor argument a name stands for, if any."""
    plain = normalize(name)
    return next((role for role, names in ARGUMENT_NAMES.items() if plain in names), None)


def trains_if_true(name: str) -> bool | None:
    """Return whether a true value of a flag trains; None if its name says nothing."""
    meaning = FLAG_MEANINGS.get(normalize(name))
    return None if meaning is None else meaning == "training"


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
