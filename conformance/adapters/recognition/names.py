"""The names by which layers are known to call their arguments, arrays and modes.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "features": (
        *(
            "d",
            "num_features",
            "features",
            "n_features",
            "nfeatures",
            "in_features",
            "feature_size",
        ),
        *(
            "feature_dim",
            "features_dim",
            "num_feature",
            "dim",
            "d_model",
            "channels",
            "num_channels",
        ),
        *("n_channels", "in_channels", "nchannels", "num_channel", "channel", "out_channels"),
        *("out_features", "ch", "chan", "c", "nf", "size", "width", "units", "num_units", "hidden"),
        *(
            "hidden_size",
            "hidden_dim",
            "input_size",
            "input_dim",
            "output_size",
            "in_dim",
            "planes",
            "n_feat",
            "nfeat",
            "num_feats",
            "shape",
            "feature_shape",
            "param_shape",
        ),
        *("filters", "num_filters", "embed_dim", "depth", "n", "n_in", "n_out", "num_hiddens"),
    ),
    "momentum": (
        *("momentum", "decay", "decay_rate", "mom", "ema_decay", "bn_momentum", "ema", "ema_rate"),
        *("ema_momentum", "moving_average_decay", "running_momentum", "stats_momentum", "alpha"),
        *("rho", "tau", "mu", "m", "smoothing", "update_rate", "averaging_factor", "avg_decay"),
        *("exponential_average_factor", "moving_average_momentum", "ema_alpha", "moving_decay"),
    ),
    "eps": (
        *("eps", "epsilon", "bn_eps", "bn_epsilon", "variance_epsilon", "var_eps", "eps_var", "e"),
        *("stability", "stabilizer", "tiny", "tol", "jitter", "delta", "small", "norm_eps"),
    ),
    "rngs": ("rngs", "rng", "rngs_", "nnx_rngs"),
}
"""Synonyms of constructor arguments, by those of ``Implementation.nnx``."""

ARRAY_NAMES: Mapping[str, tuple[str, ...]] = {
    "gamma": ("gamma", "scale", "weight", "g", "w", "gain", "gammas", "weights"),
    "beta": ("beta", "bias", "b", "shift", "offset", "betas", "biases"),
    "running_mean": (
        *("running_mean", "mean", "moving_mean", "avg_mean", "mean_avg", "ema_mean", "mean_ema"),
        *("running_mu", "moving_mu", "mu", "rm", "mean_running", "pop_mean", "population_mean"),
        *("moving_avg_mean", "moving_average_mean", "running_means", "ra_mean", "mov_mean", "mm"),
    ),
    "running_var": (
        *("running_var", "var", "moving_var", "moving_variance", "running_variance", "variance"),
        *("avg_var", "var_avg", "ema_var", "var_ema", "rv", "sigma2", "sigma_sq", "var_running"),
        *("pop_var", "population_var", "population_variance", "moving_avg_var", "running_vars"),
        *("running_sigma2", "moving_average_variance", "ra_var", "mov_var", "mv", "avg_variance"),
    ),
}
"""Synonyms of attributes with arrays, by the names in ``ARRAYS``."""

EVALUATES = (
    *("use_running_average", "deterministic", "inference", "evaluation", "eval", "evaluate"),
    *("is_eval", "is_evaluating", "test", "testing", "is_test", "is_testing", "inference_mode"),
    *("eval_mode", "use_running_stats", "use_running_statistics", "use_moving_average", "use_ema"),
    *("use_global_stats", "frozen", "freeze", "predict", "is_inference", "use_averages"),
)
"""Flags of which a true value evaluates."""

TRAINS = (
    *("train", "training", "is_training", "is_train", "train_mode", "training_mode", "in_training"),
    *("trainning", "use_batch_stats", "use_batch_statistics", "update_stats", "update_statistics"),
    *("learning", "is_learning", "fit"),
)
"""Flags of which a true value trains."""

MODE_METHODS = (
    ("train", "eval"),
    ("train", "evaluate"),
    ("train_mode", "eval_mode"),
    ("training_mode", "evaluation_mode"),
    ("training_mode", "inference_mode"),
    ("set_train", "set_eval"),
    ("to_train", "to_eval"),
    ("unfreeze", "freeze"),
)
"""Pairs of methods, of which the first trains."""

INPUTS = ("x", "xs", "inputs", "input", "inp", "batch", "data", "input_", "x_in", "arr", "h")
SEEDS = ("seed", "key", "rng", "random_seed", "rng_seed", "prng", "_", "_seed", "unused")
MASKS = ("mask", "row_mask", "valid", "valid_mask", "where", "padding_mask")
AXES = ("axis", "feature_axis", "channel_axis", "features_axis")
AXIS_NAMES = (
    "axis_name",
    "bn_axis_name",
    "bn_cross_replica_axis_name",
    "pmap_axis_name",
    "sync_axis",
)
DTYPES = ("dtype", "compute_dtype")

FURTHER: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("num_dims", "ndim", "ndims", "n_dims", "rank", "dims"), (4, 2, 3, 5)),
    **dict.fromkeys(("spatial_dims", "num_spatial_dims"), (2, 1, 3)),
    **dict.fromkeys(AXES, (-1, 1)),
    **dict.fromkeys(("param_dtype", "state_dtype", *DTYPES), ("float32",)),
    **dict.fromkeys(EVALUATES, (False,)),
    **dict.fromkeys(TRAINS, (True,)),
    **dict.fromkeys(("affine", "use_scale", "use_bias", "center", "scale", "trainable"), (True,)),
    **dict.fromkeys(("track_running_stats", "use_gamma", "use_beta", "use_affine"), (True,)),
    **dict.fromkeys((*AXIS_NAMES, "mesh", "sharding", "name", "activation", "act"), (None,)),
}
"""Values for constructor arguments that must be given, in the order in which they are tried."""


def find_role(synonyms: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    """Return what a name is a synonym of, whatever its case and outer underscores.

    Args:
        synonyms: ``ARGUMENTS`` or ``ARRAY_NAMES``.
        name: The name, without the path to it.
    """
    plain = name.strip("_").lower()
    return next((role for role, known in synonyms.items() if plain in known), None)


def polarity(name: str) -> bool | None:
    """Return whether a true value of a flag trains, or None for an unknown flag."""
    plain = name.strip("_").lower()
    return True if plain in TRAINS else False if plain in EVALUATES else None
