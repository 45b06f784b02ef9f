"""Names that only experiments need: of methods, further arguments and the extended domain.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.adapters.synonyms import FLAG_MEANINGS, normalize

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

MODE_NAMES = ("mode", "phase", "stage")
"""Names of arguments that may be a word for the mode, normalized."""

TRAINING_WORDS = ("train", "training", "fit")
EVALUATION_WORDS = (
    *("eval", "test", "inference", "evaluation", "evaluate", "predict", "valid", "validation"),
    *("val", "infer", "prediction", "testing"),
)
"""Words for the mode, normalized, the most common first."""

SEEDS = ("seed", "key", "rng", "random_seed", "rng_seed", "prng", "_", "_seed", "unused")
MASKS = ("mask", "row_mask", "valid", "valid_mask", "where")
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
    **dict.fromkeys(("numdims", "ndim", "ndims", "rank", "dims"), (4, 2, 3, 5)),
    **dict.fromkeys(("spatialdims", "numspatialdims"), (2, 1, 3)),
    **dict.fromkeys(map(normalize, AXES), (-1, 1)),
    **dict.fromkeys(("paramdtype", "statedtype", *map(normalize, DTYPES)), ("float32",)),
    **{name: (meaning == "training",) for name, meaning in FLAG_MEANINGS.items()},
    **dict.fromkeys(("affine", "usescale", "usebias", "center", "scale", "trainable"), (True,)),
    **dict.fromkeys(("trackrunningstats", "usegamma", "usebeta", "useaffine"), (True,)),
    **dict.fromkeys(map(normalize, AXIS_NAMES), (None,)),
    **dict.fromkeys(("mesh", "sharding", "name", "activation", "act"), (None,)),
}
"""Values for constructor arguments that must be given, by normalized name, in order of trial."""
